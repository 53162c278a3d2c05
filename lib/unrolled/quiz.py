"""The short quiz at the end of a chapter: `quiz("04")`.

The questions stand in `quizzes/04.json`, a list in the style of jupyterquiz:

    {"id": "rnn-count", "chapter": "04", "type": "multiple_choice", "question": "...",
     "answers": [{"answer": "...", "correct": true, "feedback": "..."}, ...]}

- `id`: unique in the whole book. `chapter`: the chapter that the question is about, often an earlier one.
- `type`: "multiple_choice" (one right answer), "many_choice" (tick all that are right), or "numeric".
- Text is plain; `code` stands in backticks; W_h and h_{t-1} are shown with an index. Every answer has its
  own feedback: why, or why not.
- The answers of a numeric question are tried in turn. Each has `correct`, `feedback` and a `type`:
  "value" (with `value`, and `tolerance` if rounding is fine), "range" (with `range`: low, and high that is
  outside), and "default" at the end for any other number. The right one also has `compute`: a Python
  expression, or a call of the library, from which the test gets the value again. `unit` is optional.

In which order the options stand in the file does not matter: `quiz` shows them in an order of its own, the
same everywhere and every time. Numbers stay as they are, and "both" or "none of these" stays at the end.
"""

import hashlib
import html
import json
import re
from importlib.resources import files

from .live.page import Figure, element

KINDS = {"multiple_choice": "choose one", "many_choice": "choose all that are right", "numeric": "a number"}
MODULES = ("ui", "quiz")
LAST = re.compile(r"(both|neither|all|any|none) (of )?(these|those|them)\b|(both|neither)\W*$", re.I)
INDEX = re.compile(r"\b([A-Za-z])_(?:(\w)|\{([^}]*)\})")


def chapters() -> list[str]:
    """The chapters that have a quiz, in order."""
    folder = files("unrolled") / "quizzes"
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".json"))


def questions(chapter: str) -> list[dict]:
    """The questions of one chapter as they stand in its file."""
    if chapter not in chapters():
        raise ValueError(f"chapter is {chapter!r}: there is a quiz for {', '.join(chapters())}")
    return json.loads((files("unrolled") / "quizzes" / f"{chapter}.json").read_text(encoding="utf-8"))


def quiz(chapter: str) -> Figure:
    """The quiz of a chapter, to be displayed. It works in the built page too: no kernel, no network."""
    items = [mixed(item) for item in questions(chapter)]
    fallback = "\n".join(_fallback(item) for item in items)
    page = element("u-quiz", {"chapter": chapter, "questions": items}, f"<ol>\n{fallback}\n</ol>", MODULES)
    return Figure(page, "\n\n".join(_plain(i, item) for i, item in enumerate(items, 1)))


def mixed(item: dict) -> dict:
    """The question with its options in the order in which they are shown: by a hash of id and text."""
    if item["type"] == "numeric" or any(answer["answer"].isdecimal() for answer in item["answers"]):
        return item

    def place(answer: dict) -> tuple[bool, str]:
        text = answer["answer"]
        return bool(LAST.match(text)), hashlib.sha256(f"{item['id']}\n{text}".encode()).hexdigest()

    return {**item, "answers": sorted(item["answers"], key=place)}


def problems(items: list[dict], chapter: str) -> list[str]:
    """What is wrong with a quiz, in words for its author; an empty list when all is well."""
    found = [f"{item.get('id', '(no id)')}: {fault}" for item in items for fault in _faults(item)]
    if not 8 <= len(items) <= 12:
        found.append(f"{len(items)} questions: expected 8 to 12")
    earlier = sum(item.get("chapter", "") < chapter for item in items)
    if chapter >= "02" and earlier < 3:
        found.append(f"{earlier} question(s) about earlier chapters: expected 3 or more")
    ids = [item.get("id") for item in items]
    found += [f"{name}: this id is used twice" for name in sorted(set(ids), key=str) if ids.count(name) > 1]
    return found


def _faults(item: dict) -> list[str]:
    missing = [key for key in ("id", "chapter", "type", "question", "answers") if not item.get(key)]
    if missing:
        return [f"{key} is missing" for key in missing]
    if item["type"] not in KINDS:
        return [f"type is {item['type']!r}: expected {', '.join(KINDS)}"]
    answers = item["answers"]
    found = [f"answer {i} has no feedback" for i, a in enumerate(answers, 1) if not a.get("feedback")]
    mute = [i for i, a in enumerate(answers, 1) if "correct" not in a]
    found += [f"answer {i} does not say if it is correct" for i in mute]
    right = sum(bool(a.get("correct")) for a in answers)
    if right < 1 or right > 1 and item["type"] != "many_choice":
        found.append(f"{right} right answers")
    return found + (_numeric_faults(answers) if item["type"] == "numeric" else _choice_faults(answers))


def _choice_faults(answers: list[dict]) -> list[str]:
    texts = [a.get("answer") for a in answers]
    found = [] if all(texts) else ["an answer has no text"]
    if len(set(texts)) < len(texts):
        found.append("two answers are the same")
    return found + (["fewer than three answers"] if len(texts) < 3 else [])


def _numeric_faults(answers: list[dict]) -> list[str]:
    kinds = [a.get("type") for a in answers]
    found = [f"answer {i} is a {k}: expected value, range or default" for i, k in enumerate(kinds, 1)
             if k not in ("value", "range", "default")]  # fmt: skip
    found += [f"answer {i} has no {k}" for i, (a, k) in enumerate(zip(answers, kinds), 1)
              if k in ("value", "range") and k not in a]  # fmt: skip
    if kinds[-1:] != ["default"] or kinds.count("default") > 1:
        found.append("the last answer, and only it, must be the default")
    if any(a.get("correct") and not ("value" in a and "compute" in a) for a in answers):
        found.append("the right answer needs a value and compute, the expression that gives it")
    return found


def _rich(text: str) -> str:
    """Plain text as HTML: everything escaped; `code` in backticks, and outside of them W_h with its index."""
    parts = html.escape(text).split("`")
    parts[::2] = [INDEX.sub(r"<var>\1</var><sub>\2\3</sub>", part) for part in parts[::2]]
    parts[1::2] = [f"<code>{part}</code>" for part in parts[1::2]]
    return "".join(parts)


def _answers(item: dict) -> list[tuple[str, bool, str]]:
    """What each answer says, if it is right, and its feedback."""
    named = [(a.get("answer") or str(a.get("value", "")), a) for a in item["answers"]]
    return [(name, a["correct"], a["feedback"]) for name, a in named if name]


def _fallback(item: dict) -> str:
    """A question for a page without JavaScript: the answer is behind a fold."""
    answers = [(_rich(name), right, _rich(why)) for name, right, why in _answers(item)]
    choices = "" if item["type"] == "numeric" else "".join(f"<li>{name}</li>" for name, _, _ in answers)
    right = "".join(f"<p><strong>{name}</strong>: {why}</p>" for name, ok, why in answers if ok)
    question = f"<p>{_rich(item['question'])}</p>" + (f"<ul>{choices}</ul>" if choices else "")
    return f"<li>{question}<details><summary>Answer</summary>{right}</details></li>"


def _plain(i: int, item: dict) -> str:
    lines = [f"{i}. {item['question']} ({KINDS[item['type']]})"]
    if item["type"] != "numeric":
        lines += [f"   ( ) {answer}" for answer, _, _ in _answers(item)]
    return "\n".join(lines)
