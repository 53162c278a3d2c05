"""What holds the project together: versions that agree, one address, errors with a cure, clear colours."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from unrolled.checks.exercises import EXERCISES

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import readme  # noqa: E402

# What Colab's image has (its package list of August 2026), beside Python 3.13.
COLAB = {"torch": "2.11.0", "numpy": "2.1.3", "matplotlib": "3.10.0", "ipywidgets": "7.7.1"}


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def locked():
    """Package to version, as the lock says."""
    lines = [line for line in text("requirements.lock").splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


def ranges():
    """All that the library asks for, its extras included."""
    project = tomllib.loads(text("pyproject.toml"))["project"]
    extras = project["optional-dependencies"].values()
    return [Requirement(r) for r in [*project["dependencies"], *(r for extra in extras for r in extra)]]


# Versions -------------------------------------------------------------------------------------------


def test_the_lock_names_one_exact_version_of_each_package():
    lines = [line for line in text("requirements.lock").splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert len(locked()) == len(lines)


@pytest.mark.parametrize("requirement", ranges(), ids=str)
def test_the_lock_lies_in_every_range_of_the_library(requirement):
    assert requirement.specifier.contains(locked()[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("requirement", ranges(), ids=str)
def test_ranges_have_a_lower_bound_and_no_upper_one(requirement):
    assert [s.operator for s in requirement.specifier] == [">="]


def test_ranges_admit_what_colab_has():
    here = {r.name: r.specifier for r in ranges()}
    assert [name for name, version in COLAB.items() if not here[name].contains(version)] == []
    assert Requirement(f"python{python_range()}").specifier.contains("3.13")


def python_range():
    return tomllib.loads(text("pyproject.toml"))["project"]["requires-python"]


def test_conda_and_binder_install_the_same_lock_and_the_library():
    steps = yaml.safe_load(text("environment.yml"))["dependencies"]
    (pip,) = [step["pip"] for step in steps if isinstance(step, dict)]
    assert pip == ["-r requirements.lock", "-e ."]
    (python,) = [step.partition("=")[2] for step in steps if str(step).startswith("python")]
    assert Requirement(f"python{python_range()}").specifier.contains(python)


def test_the_environment_is_the_lock():
    """Except the local label of a build, such as +cpu."""
    installed = {canonicalize_name(d.metadata["Name"]): d.version.partition("+")[0]
                 for d in importlib.metadata.distributions()}
    assert {name: installed.get(name) for name in locked()} == locked()


# One address, one table -----------------------------------------------------------------------------


def test_the_address_stands_in_one_place():
    """Elsewhere only in what is made from it: notebooks and the README's table."""
    address = yaml.safe_load(text("_config.yml"))["repository"]["url"].removeprefix("https://github.com")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    ours = [f for f in listed.stdout.split() if not f.startswith("notebooks/") and (ROOT / f).exists()]
    named = {file for file in ours if address.encode() in (ROOT / file).read_bytes()}
    assert named <= {"_config.yml", "README.md"}
    before, rest = text("README.md").split(readme.MARKERS[0])
    assert address not in before + rest.split(readme.MARKERS[1])[1]


def test_the_table_of_chapters_is_current(monkeypatch):
    monkeypatch.delenv("UNROLLED_REPOSITORY", raising=False)
    monkeypatch.delenv("UNROLLED_NOTEBOOK_BRANCH", raising=False)
    assert readme.table(ROOT) in text("README.md")


def test_badges_follow_the_repository_that_runs_the_weave(monkeypatch):
    monkeypatch.setenv("UNROLLED_REPOSITORY", "https://github.com/someone/fork")
    monkeypatch.setenv("UNROLLED_NOTEBOOK_BRANCH", "shelf")
    badges = re.findall(r"colab.research.google.com/github/(\S+)/\d\d_\w+.ipynb", readme.table(ROOT))
    assert set(badges) == {"someone/fork/blob/shelf/notebooks"}


def test_the_readme_promises_of_an_exercise_what_its_list_shows():
    assert "what it builds on" not in text("README.md")


@pytest.mark.parametrize("level", [3, 4])
def test_the_page_for_teachers_says_how_long_an_exercise_takes(level):
    minutes = [e.minutes for e in EXERCISES.values() if e.tier == level]
    said = re.search(rf"level {level} takes (\d+) to (\d+)", text("book/for_teachers.md"))
    assert said and [int(n) for n in said.groups()] == [min(minutes), max(minutes)]


def test_the_licence_names_every_file_of_code():
    code = text("LICENSE").partition("Text and figures")[0]
    assert "all files at the top" in code and "book/_static/*.{css,js}" in code
    (texts,) = re.findall(r"^Text and figures: (.*)$", text("LICENSE"), re.M)
    assert re.findall(r"[A-Z]+\.md", texts) == ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


def test_the_readme_is_short_enough_to_be_read():
    assert len(text("README.md").splitlines()) <= 150


def test_every_reference_is_cited_and_every_citation_has_its_entry():
    entries = set(re.findall(r"^@\w+\{([\w-]+),", text("book/references.bib"), re.M))
    pages = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("book/*.md"))
    cited = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", pages)
    assert {key.strip() for keys in cited for key in keys.split(",")} == entries


# Workflows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/workflows/*.yml")), ids=lambda p: p.name)
def test_workflows_may_do_nothing_by_default_and_pin_what_they_use(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert [use for use in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", use)] == []


def jobs():
    """Every job of every workflow."""
    for path in sorted(ROOT.glob(".github/workflows/*.yml")):
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            yield pytest.param(job, id=f"{path.stem}-{name}")


def using(job, action):
    """The steps of a job that use an action."""
    return [step for step in job["steps"] if step.get("uses", "").startswith(f"actions/{action}@")]


def runs_the_project(job):
    """Whether a job sets up Python, or runs what is ours or what we install."""
    said = "\n".join(step.get("run", "") for step in job["steps"])
    return bool(using(job, "setup-python") or re.search(r"\b(make|pip|python3?|docker)\b|\.ci/", said))


@pytest.mark.parametrize("job", list(jobs()))
def test_make_takes_the_python_that_a_job_sets_up(job):
    for step in using(job, "setup-python"):
        assert job["env"]["PYTHON"] == f"python{step['with']['python-version']}"


@pytest.mark.parametrize("job", list(jobs()))
def test_what_runs_the_project_holds_no_key_to_the_repository(job):
    if runs_the_project(job):
        kept = [step.get("with", {}).get("persist-credentials") for step in using(job, "checkout")]
        assert kept and set(kept) == {False} and job["permissions"] == {"contents": "read"}


def test_one_job_may_write_to_the_repository_and_it_runs_nothing_of_the_project():
    writes = [p.values[0] for p in jobs() if p.values[0]["permissions"].get("contents") == "write"]
    assert [runs_the_project(job) for job in writes] == [False]


def test_the_tests_have_time_to_finish():
    assert yaml.safe_load(text(".github/workflows/test.yml"))["jobs"]["test"]["timeout-minutes"] >= 75


def weekly():
    return yaml.safe_load(text(".github/workflows/weekly.yml"))["jobs"]


def test_a_weekly_job_that_runs_out_of_time_is_reported():
    asked = weekly()["report"]["if"]
    assert {"failure()", "cancelled()", "contains(needs.*.result, 'cancelled')"} <= set(asked.split(" || "))


def test_the_weekly_run_installs_as_a_reader_does_and_looks_before_test_tools_come():
    lines = [line.strip() for line in weekly()["notebooks"]["steps"][-1]["run"].splitlines()]
    (library, tools) = [n for n, line in enumerate(lines) if " pip install " in line]
    (imports,) = [n for n, line in enumerate(lines) if "import_module" in line]
    assert lines[library].endswith("--no-deps /src") and library < imports < tools
    assert not re.search("/src|unrolled", lines[tools])
    assert any("tools/run_notebooks.py" in line for line in lines[tools:])


def test_a_commit_that_touches_what_weaves_is_checked():
    hooks = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    (files,) = [re.compile(hook["files"]) for hook in hooks if hook["id"] == "check"]
    watched = "book/01_sequences.md lib/unrolled/gru.py tools/weave.py notebooks/01_sequences.ipynb _toc.yml"
    assert [file for file in watched.split() if not files.search(file)] == []
    assert "pipx install pre-commit" in text("CONTRIBUTING.md")


# Errors with a cure ---------------------------------------------------------------------------------


def make(tmp_path, *arguments, path="", **environ):
    """Run make on a copy of the Makefile alone; return its exit code and all that it said."""
    for file in "Makefile", "requirements.lock":
        shutil.copyfile(ROOT / file, tmp_path / file)
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("UNROLLED_", "MAKE"))} | environ
    settings["PATH"] = f"{path}:{settings['PATH']}" if path else settings["PATH"]
    done = subprocess.run(["make", *arguments], cwd=tmp_path, env=settings, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_make_alone_lists_the_commands(tmp_path):
    code, said = make(tmp_path)
    assert code == 0
    for command in "env", "book", "serve", "test", "weave", "lab", "lint", "clean", "help":
        assert re.search(rf"make {command} +\w", said), command


def test_an_old_python_is_named_with_the_cure(tmp_path):
    old = script(tmp_path / "old", 'case "$1" in --version) echo Python 3.9.1;; *) exit 1;; esac')
    code, said = make(tmp_path, f"PYTHON={old}", "env")
    assert code != 0 and "3.11 or newer" in said and "Python 3.9.1" in said and "make PYTHON=" in said
    assert not (tmp_path / ".venv").exists()


def test_a_python_without_venv_is_named_with_the_cure(tmp_path):
    bare = script(tmp_path / "bare", 'case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac')
    code, said = make(tmp_path, f"PYTHON={bare}", "env")
    assert code != 0 and "without its venv module" in said and "python3-venv" in said


def test_a_full_disk_is_named_with_the_cure(tmp_path):
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin" / "df", "echo Filesystem; echo disk 100 50 2000000 50% /")
    code, said = make(tmp_path, f"PYTHON={sys.executable}", "env", path=tmp_path / "bin")
    assert code != 0 and "Only 1 GB" in said and "make room" in said
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("system, index, enough", [
    ("Linux", "", False), ("Linux", "https://wheels.example", True), ("Darwin", "", True)])
def test_a_disk_without_room_for_the_gpu_libraries_is_named_with_the_cure(tmp_path, system, index, enough):
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin" / "df", "echo Filesystem; echo disk 100 50 6000000 50% /")
    script(tmp_path / "bin" / "uname", f"echo {system}")
    stub = script(tmp_path / "stub", 'case "$*" in *"-m venv"*) echo venv; exit 1;; esac')
    code, said = make(tmp_path, f"PYTHON={stub}", "env", path=tmp_path / "bin", PIP_EXTRA_INDEX_URL=index)
    assert code != 0 and ("venv\n" in said) == enough and ("Only 5 GB" in said) == (not enough)
    assert ("PIP_EXTRA_INDEX_URL" in said and "9 GB" in said) == (not enough)


def test_the_environment_can_name_the_python(tmp_path):
    old = script(tmp_path / "old", 'case "$1" in --version) echo Python 3.9.1;; *) exit 1;; esac')
    code, said = make(tmp_path, "env", PYTHON=str(old))
    assert code != 0 and "Python 3.9.1" in said


def installed_in(tmp_path, status=0):
    """An environment whose every program is a stand-in that ends with the status."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    shutil.copyfile(ROOT / "requirements.lock", tmp_path / ".venv/installed.lock")
    for program in "python", "ruff":
        script(tmp_path / ".venv/bin" / program, f"exit {status}")


def test_without_chromium_page_tests_are_reported_as_not_run(tmp_path):
    installed_in(tmp_path)
    code, said = make(tmp_path, "UNROLLED_CHROMIUM=", "test")
    assert code == 0 and "NOT RUN: page tests" in said and "PASSED" in said


def test_continuous_integration_fails_without_chromium(tmp_path):
    installed_in(tmp_path)
    code, said = make(tmp_path, "UNROLLED_CHROMIUM=", "test", UNROLLED_REQUIRE_CHROMIUM="1")
    assert code != 0 and "No Chromium" in said and "Cure" in said and "PASSED" not in said


def test_a_failing_step_fails_the_whole_and_is_named(tmp_path):
    installed_in(tmp_path, status=1)
    code, said = make(tmp_path, "test")
    assert code != 0 and re.search(r"FAILED: lint check book pytest", said) and "PASSED" not in said


def test_serving_a_book_that_is_not_built_says_what_to_do(tmp_path):
    installed_in(tmp_path)
    code, said = make(tmp_path, "serve")
    assert code != 0 and "Cure: make book" in said


# Notebooks ------------------------------------------------------------------------------------------


def test_make_lab_opens_copies_and_keeps_what_was_written_in_them(tmp_path):
    installed_in(tmp_path)
    script(tmp_path / ".venv/bin/jupyter", 'echo "jupyter $*"')
    for name, words in {"notebooks/01_a.ipynb": "woven", "notebooks/02_b.ipynb": "woven",
                        "my_notebooks/01_a.ipynb": "an answer"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(words, encoding="utf-8")
    code, said = make(tmp_path, "lab")
    assert code == 0 and said.endswith("jupyter lab my_notebooks\n")
    copies = {p.name: p.read_text(encoding="utf-8") for p in (tmp_path / "my_notebooks").iterdir()}
    assert copies == {"01_a.ipynb": "an answer", "02_b.ipynb": "woven"}
    assert "my_notebooks/" in text(".gitignore").split()


def test_make_weave_gives_work_up_only_when_told_so(tmp_path):
    installed_in(tmp_path)
    script(tmp_path / ".venv/bin/python", 'echo "python $*"')
    assert "--force" not in make(tmp_path, "weave")[1]
    assert "tools/weave.py weave --force\n" in make(tmp_path, "weave", "FORCE=1")[1]


# Colours --------------------------------------------------------------------------------------------


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """As WCAG 2 defines it: from 1 (the same) to 21 (black on white)."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def variables(selector):
    """The --variables with a #colour that unrolled.css sets for a selector."""
    style = text("book/_static/unrolled.css").replace("#fff;", "#ffffff;")
    blocks = re.findall(rf"^{re.escape(selector)} \{{(.*?)^\}}", style, re.M | re.S)
    return dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", "".join(blocks)))


@pytest.mark.parametrize("theme, roles", [("light", ":root"), ("dark", 'html[data-theme="dark"]')])
def test_roles_can_be_seen_and_the_accent_read_in_both_themes(theme, roles):
    page = variables(f'html[data-theme="{theme}"]')
    colours = {name: c for name, c in variables(roles).items() if name.startswith("--u-")}
    for ground in page["--pst-color-background"], colours["--u-soft"]:
        seen = {name: contrast(colours[f"--u-{name}"], ground) for name in [*"xhcfioy", "accent"]}
        assert {name: round(c, 2) for name, c in seen.items() if c < 3} == {}
        assert seen["accent"] >= 4.5
        assert contrast(page["--pst-color-text-base"], ground) >= 7
        assert contrast(page["--pst-color-text-muted"], ground) >= 4.5


@pytest.mark.parametrize("roles", [":root", 'html[data-theme="dark"]'])
def test_no_two_roles_share_a_colour(roles):
    colours = [c for name, c in variables(roles).items() if re.fullmatch(r"--u-[xhcfioy]", name)]
    assert len(colours) == len(set(colours)) == 7
