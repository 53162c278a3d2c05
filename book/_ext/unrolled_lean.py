"""Smaller pages: one style sheet in place of eleven, no icon font, no script that holds up the text.

The theme brings 1.5 MB of icons as a script and 90 KB of rules for them; the dozen that pages use are in
icons.css.  Lighthouse simulates a slow phone, and there every file before the first line costs 0.15 s.
"""

import hashlib
import re
from pathlib import Path

LINK = re.compile(r"<link\b[^>]*rel=\"stylesheet\"[^>]*>\s*")
HREF = re.compile(r"href=\"([^\"]*)_static/([^\"?]+)([^\"]*)\"")
ICON_SCRIPT = re.compile(r"<script[^>]*fontawesome\.js[^>]*></script>")
ICON_RULES = re.compile(r"(?:\.fa-[\w-]+:before,?)+\{content:\"[^\"]*\"\}|@font-face\{[^}]*Awesome[^}]*\}")
# All but the one whose variables the inline scripts after it set.
SCRIPT = re.compile(r"<script(?=[^>]*\bsrc=)(?![^>]*\bdefer)(?![^>]*documentation_options\.js)")


def dress(app, pagename, templatename, context, doctree):
    """Give layout.html its two filters."""
    context["one_style"] = lambda head: one_style(app, head)
    context["deferred"] = deferred if pagename != "search" else str  # search's inline script does not wait


def one_style(app, head: str) -> str:
    """The head with one link to book.css; which files that must hold is kept for `bundle`."""
    links = [HREF.search(link) for link in LINK.findall(head)]
    app.env.unrolled_styles = [link[2] for link in links]
    version = hashlib.sha256("".join(link[2] + link[3] for link in links).encode()).hexdigest()[:8]
    one = f'<link rel="stylesheet" href="{links[0][1]}_static/book.css?v={version}"/>\n'
    return one + LINK.sub("", ICON_SCRIPT.sub("", head))


def deferred(scripts: str) -> str:
    """Scripts run in order, after the page is there."""
    return SCRIPT.sub("<script defer", scripts)


def bundle(app, error):
    """Write book.css, and take away what nothing asks for any more."""
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    names = ["basic.css" if name == "styles/theme.css" else name for name in app.env.unrolled_styles]
    whole = "\n".join((static / name).read_text(encoding="utf-8") for name in names)
    (static / "book.css").write_text(ICON_RULES.sub("", whole), encoding="utf-8")
    for pattern in "**/*.map", "scripts/fontawesome*", "vendor/fontawesome/**/*.*":
        for unused in static.glob(pattern):
            unused.unlink()


def setup(app):
    app.connect("html-page-context", dress)
    app.connect("build-finished", bundle, priority=900)  # the theme writes pygments.css at this event too
    return {"parallel_read_safe": True, "parallel_write_safe": False}
