"""Running a learner's code so that it can do no harm: to the check, to later checks, or to the session.

Whatever the code does to the sources of chance, the default dtype, the threads or torch's own functions is
undone after each call. This guards against accidents; it is not a wall against an attacker.
"""

import contextlib
import dis
import io
import math
import os
import random
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch

_WATCHED = (torch, torch.nn.functional, torch.Tensor, torch.nn, torch.linalg, math)


class TimeUp(BaseException):
    """The time limit has passed. A BaseException, so that a learner's `except Exception` lets it through."""


class Broken(NamedTuple):
    """A call that raised: the error in words, where in the learner's code, and what kind of end it was.

    `own`: whether a `raise` of the learner's own file raised it, and no function that was called.
    """

    error: str
    message: str
    line: str = ""
    stopped: bool = False
    own: bool = False

    def __str__(self) -> str:
        if not self.error:
            return self.message
        where = f", at `{self.line}`" if self.line else ""
        return f"it raised {self.error}{where}: {self.message}"


class Outcome(NamedTuple):
    """What one call gave: a value, or how it broke; and what it printed."""

    value: Any = None
    broken: Broken | None = None
    printed: str = ""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeUp inside the block after so many seconds, waiting for a free core not counted.

    It needs SIGALRM and the main thread (elsewhere there is no limit), and it cannot interrupt one long
    operation inside torch. The alarm repeats, and insists: a bare `except:` in a loop swallows it once.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return

    start = time.monotonic() - _waited()

    def ring(signum: int, frame: FrameType | None) -> None:
        if time.monotonic() - _waited() - start >= seconds:
            _insist(frame)
            raise TimeUp

    tracer = sys.gettrace()
    before = signal.signal(signal.SIGALRM, ring)
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds, 0.02)
    try:
        yield
    finally:
        _disarm(before, left, every)
        sys.settrace(tracer)


def _insist(frame: FrameType | None) -> None:
    """Have TimeUp raised again by the next line of the learner's code that runs inside an `except`."""
    sys.settrace(lambda *event: None)  # without one of the thread, the trace functions of frames sleep
    while frame is not None and frame.f_globals is not globals():
        frame.f_trace = _again
        frame = frame.f_back


def _again(frame: FrameType, event: str, argument: Any) -> Any:
    if event == "line" and sys.exc_info()[0] is TimeUp:
        raise TimeUp
    return _again


def _waited() -> float:
    """Seconds that the main thread wanted to run and could not; 0 where the system does not tell."""
    try:
        with open("/proc/self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _disarm(before: Any, left: float, every: float) -> None:
    """Stop the alarm and give back the one that was set before; a last ring must not prevent that."""
    while True:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, left, every)
            return
        except TimeUp:
            continue


class _Paper(io.TextIOBase):
    """What the learner's code prints: the first 1500 characters are kept, a flood is not."""

    def __init__(self):
        self.kept, self.cut = "", False

    def write(self, text: str) -> int:
        self.cut = self.cut or len(self.kept) + len(text) > 1500
        self.kept += text[: 1500 - len(self.kept)]
        return len(text)

    def text(self) -> str:
        return plain(self.kept).rstrip() + (" ... (cut)" if self.cut else "")


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """The same start for every call, and the session as it was afterwards.

    Inside, the seeds are 0, the default dtype is float32, the device is the CPU and gradients are on,
    whatever the notebook had set: a verdict may not depend on cells that ran before.
    """
    names = [(owner, dict(vars(owner))) for owner in _WATCHED]
    chance = torch.get_rng_state(), random.getstate(), np.random.get_state()
    settings = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    session = os.getcwd(), sys.getrecursionlimit(), torch.is_grad_enabled()
    try:
        _set_device(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        torch.manual_seed(0), random.seed(0), np.random.seed(0)
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _undo_patches(names)
        torch.set_rng_state(chance[0]), random.setstate(chance[1]), np.random.set_state(chance[2])
        _undo_settings(settings, session)


def _undo_patches(names: list[tuple[Any, dict[str, Any]]]) -> None:
    for owner, saved in names:
        now = vars(owner)
        for name in [n for n, value in saved.items() if now.get(n) is not value]:
            setattr(owner, name, saved[name])
    for name in vars(torch.Tensor).keys() - dict(names)[torch.Tensor].keys():
        delattr(torch.Tensor, name)  # most methods are inherited: a patch of one is a new name in this class


def _undo_settings(settings: tuple[Any, Any, int], session: tuple[str, int, bool]) -> None:
    torch.set_default_dtype(settings[0])
    _set_device(settings[1])
    if torch.get_num_threads() != settings[2]:  # asking is free, setting is not
        torch.set_num_threads(settings[2])
    os.chdir(session[0])
    sys.setrecursionlimit(session[1])
    torch.set_grad_enabled(session[2])


def _set_device(device: torch.device) -> None:
    """Make it the default device. For the CPU no mode is left on torch's stack: modes cost time."""
    if torch.get_default_device() != device:
        torch.set_default_device(None if device.type == "cpu" else device)


class NotThat(Exception):
    """What an exercise's `observe` raises when it was handed something that it cannot look at."""


def call(function: Callable[..., Any], arguments: list[Any], observe: Callable | None = None) -> Outcome:
    """Call the function under `steady`; errors, `exit()` and endless recursion become an Outcome.

    `observe` turns what the function returns into what is compared (a codec into its codes), in the same
    shelter. Only TimeUp and the reader's own KeyboardInterrupt come through.
    """
    paper = _Paper()
    try:
        with steady(), contextlib.redirect_stdout(paper), contextlib.redirect_stderr(paper):
            value = function(*arguments)
            open_end = observe is None or value is None or value is Ellipsis
            return Outcome(value if open_end else observe(value), None, paper.text())
    except (TimeUp, KeyboardInterrupt):
        raise
    except BaseException as error:
        return Outcome(None, broken(error, function), paper.text())


def broken(error: BaseException, function: Callable[..., Any]) -> Broken:
    """The error as a learner should see it: its name, its first line, and the learner's own line."""
    name, text = plain(type(error).__name__), "".join(traceback.format_exception_only(error))
    message = plain(text).strip().partition(": ")[2] or "no message"
    if isinstance(error, NotThat):
        return Broken("", message)
    if isinstance(error, RecursionError):
        return Broken(name, "the function calls itself without an end", "", True)
    message = message if len(message) <= 300 else message[:300] + " ..."
    stopped = not isinstance(error, Exception)
    return Broken(name, message, _line(error, function), stopped, _own(error, function))


def _own(error: BaseException, function: Callable[..., Any]) -> bool:
    """Whether the traceback ends at a `raise` in the same file (or notebook cell) as the function."""
    last = error.__traceback__
    while last.tb_next:
        last = last.tb_next
    code = last.tb_frame.f_code
    home = getattr(getattr(function, "__code__", None), "co_filename", code.co_filename)
    return home == code.co_filename and dis.opname[code.co_code[last.tb_lasti]] == "RAISE_VARARGS"


def _line(error: BaseException, function: Callable[..., Any]) -> str:
    """The deepest line of the traceback that lies in the same file (or notebook cell) as the function."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f.line or "" for f in frames if code and f.filename == code.co_filename]
    return plain(mine[-1]).strip()[:120] if mine else ""


def plain(text: str) -> str:
    """The text without terminal colours, control characters and memory addresses, which change every run."""
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", text)
    text = re.sub(r"0x[0-9a-fA-F]{6,}", "0x...", text)
    return "".join(c for c in text if c in "\n\t" or c.isprintable())
