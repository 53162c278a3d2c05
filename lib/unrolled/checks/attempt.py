"""Before a function is judged: is it one, was it written at all, and can it take the arguments?"""

import ast
import dis
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any

from .compare import describe, kind
from .sandbox import Outcome

_EMPTY = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "COPY_FREE_VARS", "CACHE"}


def nothing(answer: Any) -> bool:
    """The place of the answer was left as it was: `...`, None, or nothing at all."""
    return answer is None or answer is Ellipsis


def misfit(answer: Any, names: list[str]) -> str | None:
    """Why this cannot be called with the exercise's arguments, in a sentence; None where it can."""
    if not callable(answer):
        return (
            f"The check takes the function itself, and was given {describe(answer)}. "
            "Hand over its name, without parentheses after it."
        )
    try:
        inspect.signature(answer).bind(*names)
    except ValueError:  # some functions of C tell nothing about their arguments
        return None
    except TypeError:
        listed = ", ".join(names)
        return f"The exercise hands over {len(names)} arguments, ({listed}); your function takes others."
    return None


def unwritten(answer: Callable[..., Any], outcome: Outcome) -> bool:
    """The function is still a stub: it returned nothing and does nothing, or broke over an open `...`."""
    if outcome.broken:
        open_raise = outcome.broken.error == "NotImplementedError" and outcome.broken.own
        return open_raise or (_names_only(outcome) and _open_end(answer))
    if outcome.value is Ellipsis:
        return True
    return outcome.value is None and (_does_nothing(answer) or _open_end(answer))


def _names_only(outcome: Outcome) -> bool:
    """What happens after an unfilled gap: a name that was never set, or `...` where a value should be."""
    return outcome.broken.error in ("NameError", "UnboundLocalError", "TypeError", "AttributeError")


def _does_nothing(answer: Any) -> bool:
    code = getattr(answer, "__code__", None)
    return code is not None and {i.opname for i in dis.get_instructions(code)} <= _EMPTY


def _open_end(answer: Any) -> bool:
    """Somewhere in its source `...` stands for code: the gap that the exercise's stub left open."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    return any(map(_gap, ast.walk(tree)))


def _gap(node: ast.AST) -> bool:
    """Whether it is a `...` that stands alone, is assigned or returned; in an index it means "all axes"."""
    if not isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign | ast.Return | ast.Lambda):
        return False
    value = node.body if isinstance(node, ast.Lambda) else node.value
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    return all(isinstance(part, ast.Constant) and part.value is Ellipsis for part in parts)


def notebook_data(answer: Any) -> list[str]:
    """Names of tensors, numbers and texts of the notebook that the function reads beside its arguments."""
    code = getattr(answer, "__code__", None)
    around = getattr(answer, "__globals__", {})
    data = ("tensor", "number", "text", "list", "tuple", "dict", "array")
    names = {i.argval for c in _codes(code) for i in dis.get_instructions(c) if i.opname == "LOAD_GLOBAL"}
    return sorted(n for n in names if n in around and kind(around[n]) in data)


def _codes(code: CodeType | None) -> list[CodeType]:
    """The code and that of the functions inside it."""
    if code is None:
        return []
    return [code] + [c for inner in code.co_consts if isinstance(inner, CodeType) for c in _codes(inner)]
