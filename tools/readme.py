"""Write the README's table of chapters from _toc.yml, between its two markers; the address is weave's.

    python tools/readme.py            write it (`make weave` does)
    python tools/readme.py check      fail if it is out of date
"""

import re
import sys
from pathlib import Path

import weave
import yaml

ROOT = Path(__file__).resolve().parents[1]
MARKERS = "<!-- chapters -->\n", "<!-- end of chapters -->"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"


def chapters(root: Path) -> list[Path]:
    """The numbered chapters, in the order of the table of contents."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    files = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [root / f"{file}.md" for file in files if re.match(r"\d\d_", Path(file).name)]


def title(chapter: Path) -> str:
    """The chapter's first heading; while there is no chapter yet, its name."""
    if not chapter.exists():
        return f"{chapter.stem[3:].capitalize()} (being written)"
    return re.search(r"^# (.+)$", chapter.read_text(encoding="utf-8"), re.M)[1]


def table(root: Path) -> str:
    """One line per chapter: number, title, badge that opens it on Colab."""
    colab = weave.config(root)["colab"]
    lines = ["| | chapter | run it |", "|---|---|---|"]
    for chapter in chapters(root):
        run = f"[![Open in Colab]({BADGE})]({colab}{chapter.stem}.ipynb)"
        lines.append(f"| {int(chapter.stem[:2])} | [{title(chapter)}](book/{chapter.name}) | {run} |")
    return "\n".join(lines) + "\n"


def main(root: Path = ROOT) -> None:
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(MARKERS[0])
    fresh = before + MARKERS[0] + table(root) + MARKERS[1] + rest.split(MARKERS[1])[1]
    if sys.argv[1:] == ["check"] and fresh != text:
        sys.exit("README.md: the table of chapters is out of date. Cure: make weave")
    readme.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
