"""What stands between a training and the person before it: a word, a progress bar, and Ctrl-C.

Of several processes that train together only the first one speaks.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .parallel import rank


def say(words: str) -> None:
    """Print a line, once for all processes."""
    if rank() == 0:
        print(words)


@contextmanager
def patient() -> Iterator[list[int]]:
    """The first Ctrl-C is noted, so that no step is cut in half; the second one stops at once."""
    pressed: list[int] = []

    def note(number: int, frame: Any) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield pressed  # only the main thread hears Ctrl-C
        return
    old = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, old)


@contextmanager
def bar(steps: int, first: int) -> Iterator[Callable[[float], None]]:
    """A progress bar where a person watches, else nothing. UNROLLED_PROGRESS=0 or 1 decides it."""
    asked = os.environ.get("UNROLLED_PROGRESS")
    watched = asked != "0" if asked else sys.stderr.isatty() or "ipykernel" in sys.modules
    if not watched or rank():
        yield lambda loss: None
        return
    from tqdm.auto import tqdm  # loads widgets in a notebook: only where they are seen

    with tqdm(total=steps, initial=first, unit="step") as shown:

        def tick(loss: float) -> None:
            shown.set_postfix_str(f"{loss:.3f} bits", refresh=False)
            shown.update()

        yield tick
