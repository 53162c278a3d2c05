"""The house rules that a reader of the source can see: who imports whom, and how long things are."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIB = ROOT / "lib" / "unrolled"
SOURCES = sorted(LIB.rglob("*.py"))
GATED = SOURCES + sorted((ROOT / "tools").glob("*.py"))

ROOMS = set("bag ngram rnn lstm gru pixelrnn pixelcnn neighbours seq2seq captions wavenet policy transformer "
            "ssm".split())
SERVANTS = set("train generate beam repetition pairs evaluate wishlist bptt memory "
               "tasks".split())                                     # they serve all models, and know none
GROUND = {"vocab", "data", "model", "runtime", "shapes", "layers", "init", "attention", "bpe"}
TOP = {"checks", "live", "quiz", "trainings", "command"}                       # they may look at everything
DEPENDENCIES = set("torch numpy matplotlib safetensors filelock platformdirs tqdm".split())
LAZY = {"IPython", "ipywidgets", "sklearn", "jaxtyping", "tqdm",     # heavy, or may be missing
        "sacrebleu", "tokenizers", "gymnasium", "duckdb"}


def name(path):
    return path.relative_to(ROOT).as_posix()


sources = pytest.mark.parametrize("path", GATED, ids=name)


# ---- who imports whom

def module(path):
    """A file's module: the first name below unrolled, since a package is one household."""
    part = path.relative_to(LIB).parts[0].removesuffix(".py")
    return "unrolled" if part == "__init__" else part


def imports(tree):
    """(level, dotted name) of all imports, in functions too. `from . import x` counts as x."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.level, node.module
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, alias.name) for alias in node.names)


def started(node):
    """Whether this is `if __name__ == "__main__":`, which no import runs: only the shell comes in there."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def inside(path, text):
    """The modules of the library that a file imports, when it is imported itself."""
    depth = len(path.relative_to(LIB).parts)                    # as many dots reach the library's own folder
    found, body = set(), [node for node in ast.parse(text).body if not started(node)]
    for level, dotted in imports(ast.Module(body, [])):
        if level == depth:
            found.add(dotted.split(".")[0])
        elif level == 0 and dotted.startswith("unrolled."):
            found.add(dotted.split(".")[1])
    return found - {module(path)}


def graph():
    edges = {}
    for path in SOURCES:
        edges.setdefault(module(path), set()).update(inside(path, path.read_text(encoding="utf-8")))
    return edges


def reach(start, edges):
    """Every module that a module needs, itself left out."""
    seen, todo = set(), [start]
    while todo:
        new = edges.get(todo.pop(), set()) - seen
        seen |= new
        todo += new
    return seen - {start}


EDGES = graph()


def test_the_reader_of_imports_sees_all_forms():
    text = "import numpy\nfrom . import train, plot\nfrom .gru import G\ndef f():\n    import unrolled.rnn.a"
    assert inside(LIB / "some.py", text) == {"train", "plot", "gru", "rnn"}
    assert inside(LIB / "live" / "some.py", "from . import page\nfrom .. import stories") == {"stories"}
    shell = 'if __name__ == "__main__":\n    from .command import main\n    main()'
    assert inside(LIB / "some.py", f"from . import a\n{shell}\nif a:\n    from . import b") == {"a", "b"}
    assert reach("a", {"a": {"b"}, "b": {"c"}, "c": {"a"}}) == {"b", "c"}


@pytest.mark.parametrize("room", sorted(ROOMS & set(EDGES)))
def test_a_room_never_needs_a_room(room):
    assert reach(room, EDGES) & (ROOMS | TOP) == set()


@pytest.mark.parametrize("servant", sorted(SERVANTS & set(EDGES)))
def test_what_serves_all_models_knows_none(servant):
    assert reach(servant, EDGES) & (ROOMS | TOP) == set()


@pytest.mark.parametrize("ground", sorted(GROUND & set(EDGES)))
def test_the_ground_floor_stands_on_nothing_above_it(ground):
    assert reach(ground, EDGES) & (ROOMS | TOP | SERVANTS | {"plot", "draw"}) == set()


@pytest.mark.parametrize("drawer", sorted({"plot", "draw"} & set(EDGES)))
def test_plot_knows_tensors_and_never_models(drawer):
    assert reach(drawer, EDGES) & (ROOMS | TOP | SERVANTS | {"model"}) == set()


def test_nothing_below_the_top_looks_up():
    assert {m: EDGES[m] & TOP for m in EDGES if m not in TOP and EDGES[m] & TOP} == {}


def test_the_shell_comes_into_one_servant_and_meets_only_the_command():
    doors = {path.stem: ast.unparse(node) for path in SOURCES if module(path) not in TOP
             for node in ast.parse(path.read_text(encoding="utf-8")).body if started(node)}
    assert doors == {"train": "if __name__ == '__main__':\n    from .command import main\n    main()"}


def test_the_library_imports_its_dependencies_and_nothing_else():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]
    used = {dotted.split(".")[0] for tree in trees for level, dotted in imports(tree) if level == 0}
    assert used - sys.stdlib_module_names - DEPENDENCIES - LAZY - {"unrolled"} == set()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_what_may_be_missing_is_imported_only_where_it_is_used(path):
    eager = ast.parse(path.read_text(encoding="utf-8")).body
    named = {dotted.split(".")[0] for node in eager if isinstance(node, ast.Import | ast.ImportFrom)
             for _, dotted in imports(ast.Module([node], []))}
    assert named & LAZY == set()


# ---- how long, how deep, how well said

def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def lines(node):
    """The lines of a function, its docstring left out."""
    doc = node.body[0] if ast.get_docstring(node) else None
    return node.end_lineno - node.lineno + 1 - (doc.end_lineno - doc.lineno + 1 if doc else 0)


def nesting(node, depth=0):
    """How deep blocks stand within blocks; an elif stands beside its if."""
    blocks = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.Match
    deepest = depth
    for child in ast.iter_child_nodes(node):
        beside = isinstance(node, ast.If) and node.orelse == [child] and isinstance(child, ast.If)
        deeper = isinstance(child, blocks) and not beside
        if not isinstance(child, ast.FunctionDef | ast.ClassDef):                # counted on its own
            deepest = max(deepest, nesting(child, depth + deeper))
    return deepest


def arguments(node):
    a = node.args
    return [x for x in a.posonlyargs + a.args + a.kwonlyargs if x.arg not in ("self", "cls")]


def public(body, owner=""):
    """Public functions, classes and methods, with their full names."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{owner}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{node.name}.")


def untyped(node):
    """The arguments without a type, and "return" where that has none (a constructor returns nothing)."""
    missing = [a.arg for a in arguments(node) if a.annotation is None]
    return missing + (["return"] if node.returns is None and node.name != "__init__" else [])


def constructors(tree):
    classes = [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    return {c.name: untyped(n) for c in classes for n in functions(c) if n.name == "__init__"}


def test_the_measures_measure():
    tree = ast.parse('def f(self, a, *, b):\n    """Doc.\n    More."""\n    if a:\n        pass\n'
                     '    elif b:\n'
                     '        for x in b:\n            with x:\n                pass\n    return a\n')
    f, = functions(tree)
    assert (lines(f), nesting(f), len(arguments(f)), untyped(f)) == (8, 3, 2, ["a", "b", "return"])
    inner = ast.parse("class A:\n    def g(self): ...\n    def _h(self): ...\ndef _i(): ...")
    assert [full for full, _ in public(inner.body)] == ["A", "A.g"]


@sources
def test_a_module_is_short(path):
    assert path.read_text(encoding="utf-8").count("\n") <= 250


@sources
def test_functions_are_short_flat_and_take_few_arguments(path):
    deepest = 3 if path.stem == "train" else 2
    found = functions(ast.parse(path.read_text(encoding="utf-8")))
    assert {f.name: lines(f) for f in found if lines(f) > 30} == {}
    assert {f.name: nesting(f) for f in found if nesting(f) > deepest} == {}
    assert {f.name: len(arguments(f)) for f in found if len(arguments(f)) > 6} == {}


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_the_public_api_is_documented_and_typed(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module says nothing about itself"
    api = dict(public(tree.body))
    assert [full for full, node in api.items() if not ast.get_docstring(node)] == []
    bare = {full: untyped(node) for full, node in api.items() if isinstance(node, ast.FunctionDef)}
    assert {full: what for full, what in (bare | constructors(tree)).items() if what} == {}


# ---- what is in the repository

def tracked():
    answer = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / n for n in answer.stdout.decode().split("\0") if n and (ROOT / n).is_file()]


def test_no_file_names_a_folder_of_one_machine():
    machine = re.compile(rb"/(?:wor[k]|far[m]|hom[e]|roo[t]|User[s])/[\w.]|[A-Z]:\\\\?Users\\")
    found = {path: machine.search(path.read_bytes()) for path in tracked()}
    assert [f"{path.name}: {m[0]!r}" for path, m in found.items() if m] == []


def test_every_text_file_is_utf8_with_unix_line_ends():
    kinds = {".py", ".md", ".mjs", ".css", ".json", ".yml", ".toml", ".ipynb"}
    texts = [path for path in tracked() if path.suffix in kinds]
    assert [p.name for p in texts if b"\r" in p.read_bytes() or not p.read_bytes().decode("utf-8")] == []


def test_the_readme_is_read_in_one_sitting():
    assert (ROOT / "README.md").read_text(encoding="utf-8").count("\n") <= 150
