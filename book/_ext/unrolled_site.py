"""What the site adds to Jupyter Book: no request leaves the page, three buttons, solutions that hide.

`setup` lists every hook.  Reading order: settings, then the pages, then the files beside them.
"""

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms.post_transforms import SphinxPostTransform

MATHJAX = "vendor/mathjax"
MATHJAX_PARTS = ["core", "input/tex", "output/chtml", "a11y/assistive-mml"]  # no menu: that is a third of it
SOLUTION = re.compile(r"^( *)# solution *\n.*?^ *# end *$", re.M | re.S)
MARKERS = re.compile(r"^ *# (solution|end) *\n", re.M)


# Settings -------------------------------------------------------------------------------------------


def settle(app, config):
    """Set what a YAML file cannot: paths inside installed packages, and what the environment overrides."""
    config.templates_path.insert(0, "book/_templates")
    config.mathjax_path = f"{MATHJAX}/startup.js"
    config.mathjax_options = {"type": "text/plain"}  # the browser leaves it alone until site.js wants it
    config.mathjax3_config = {"loader": {"load": MATHJAX_PARTS}}
    config.nb_ipywidgets_js = {}  # these would come from a CDN; a page has no kernel anyway
    config.html_theme_options["repository_url"] = repository(config)
    config.nb_execution_cache_path = os.environ.get("UNROLLED_OUTPUTS") or run_chapters(Path(app.srcdir))


def repository(config) -> str:
    """The repository's address: UNROLLED_REPOSITORY, or the one in _config.yml."""
    return os.environ.get("UNROLLED_REPOSITORY") or config.html_theme_options["repository_url"]


def run_chapters(root: Path) -> str:
    """Where the outputs are, for a plain `jupyter-book build .`: made now by the tool behind `make book`."""
    sys.path.insert(0, str(root / "tools"))
    import build_book

    return str(build_book.run_chapters(root))


# Pages ----------------------------------------------------------------------------------------------


class Solutions(SphinxPostTransform):
    """Show the stub of an exercise, and fold its solution away together with the verdict on it."""

    default_priority = 198  # myst-nb folds cells at 199
    formats = ("html",)

    def run(self, **kwargs):
        for cell in list(self.document.findall(nodes.container)):
            if cell.get("nb_element") != "cell_code":
                continue
            if "tag_exercise" in cell["classes"]:
                show_stub(cell)
            if {"tag_exercise", "tag_solution-cell"} & set(cell["classes"]):
                cell.update_basic_atts({"classes": ["solution"]})
                cell["hide_mode"] = "all"
                cell["prompt_show"], cell["prompt_hide"] = "Show one solution", "Hide the solution"


class UniqueIds(SphinxPostTransform):
    """sphinx-exercise gives the inside of every exercise the same id; an id may stand on a page once."""

    default_priority = 198

    def run(self, **kwargs):
        for section in self.document.findall(nodes.section):
            if section["ids"] in (["exercise-content"], ["solution-content"]):
                section["ids"] = []


def show_stub(cell: nodes.container) -> None:
    """Put a copy of the cell before it that shows what a notebook shows: the part to write is left out."""
    code = next(cell.findall(nodes.literal_block))
    text = code.astext()
    stub = cell.deepcopy()
    stub.children = [child for child in stub.children if child.get("nb_element") == "cell_code_source"]
    stub["classes"].append("stub")
    stub["hide_mode"] = None  # whatever the cell is tagged with: the stub is to be seen
    retext(next(stub.findall(nodes.literal_block)), SOLUTION.sub(r"\1...  # your turn", text))
    retext(code, MARKERS.sub("", text))
    cell.parent.insert(cell.parent.index(cell), stub)


def retext(block: nodes.literal_block, text: str) -> None:
    block.rawsource = text
    block.children = [nodes.Text(text)]


def open_fold(self, node):
    """As myst-nb's, but the summary is named by its own words, and holds no paragraphs."""
    self.body.append(f'<details class="hide {" ".join(node["classes"])}"><summary>')
    for state, words in ("collapsed", node["prompt_show"]), ("expanded", node["prompt_hide"]):
        self.body.append(f'<span class="{state}">{self.encode(words)}</span>')
    self.body.append("</summary>\n")


def close_fold(self, node):
    self.body.append("</details>\n")


def name_repository(app, docname, source):
    """Fill in the repository's address where a page names it, for example to clone it."""
    source[0] = source[0].replace("{{ repository }}", repository(app.config))


def dress(app, pagename, templatename, context, doctree):
    """Give the templates what they need for one page, and take away what the page does not."""
    context["buttons"] = buttons(app, pagename, context["pathto"])
    # Thebe would start a remote kernel; its script stops with an error where it is switched off.
    for kind in "script_files", "css_files":
        context[kind][:] = [file for file in context[kind] if "thebe" not in asset_text(file)]
    body = re.sub(r'<script type="text/x-thebe-config">.*?</script>', "", context.get("body", ""), flags=re.S)
    # A list may hold list items only (ARIA), and the role that docutils gives to entries is deprecated.
    context["body"] = body.replace('role="doc-biblioentry"', 'role="listitem"')


def asset_text(asset) -> str:
    return f"{asset.filename} {asset.attributes.get('body', '')}"


def buttons(app, pagename, pathto) -> list[dict]:
    """Run it, take it away, see how it is written: what a chapter offers at its top."""
    repo, name = repository(app.config), Path(pagename).name
    branch = app.config.html_theme_options.get("repository_branch", "main")
    source = {"text": "Source", "url": f"{repo}/blob/{branch}/{pagename}.md", "icon": "source"}
    if not (Path(app.srcdir) / "notebooks" / f"{name}.ipynb").exists():
        return [source] if pagename in app.env.found_docs else []
    shelf = os.environ.get("UNROLLED_NOTEBOOK_BRANCH") or branch
    path, here = f"{urlsplit(repo).path}/blob/{shelf}/notebooks/{name}.ipynb", f"notebooks/{name}.ipynb"
    return [
        {"text": "Run on Colab", "url": f"https://colab.research.google.com/github{path}", "icon": "run"},
        {"text": "Notebook", "url": pathto(here, 1), "icon": "download", "download": True},
        source,
    ]


# Files ----------------------------------------------------------------------------------------------


def bring_files(app, error):
    """Put MathJax and the notebooks beside the pages."""
    if error or app.builder.format != "html":
        return
    static, site = Path(app.outdir) / "_static", Path(app.outdir)
    spec = importlib.util.find_spec("sphinx-mathjax-offline")  # the package's name has dashes
    mathjax = Path(spec.origin).parent / "static" / "mathjax"
    scripts = [f"{part}.js" for part in ["startup", *MATHJAX_PARTS]]
    for part in [*scripts, "output/chtml/fonts", "input/tex/extensions"]:
        copy(mathjax / part, static / MATHJAX / part)
    for notebook in sorted(Path(app.srcdir).glob("notebooks/*.ipynb")):
        if f"book/{notebook.stem}" in app.env.found_docs:  # not your own
            copy(notebook, site / "notebooks" / notebook.name)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def setup(app):
    app.connect("config-inited", settle, priority=100)
    for style in "unrolled.css", "icons.css":
        app.add_css_file(style, priority=900)  # after the theme's, which they adjust
    app.add_js_file("site.js", defer="defer")
    app.add_post_transform(Solutions)
    app.add_post_transform(UniqueIds)
    app.add_node(HideCodeCellNode, override=True, html=(open_fold, close_fold))
    app.connect("source-read", name_repository)
    app.connect("html-page-context", dress, priority=900)
    app.connect("build-finished", bring_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
