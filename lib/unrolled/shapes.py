"""Shape annotations: `Int[Tensor, "B T"]` says whole numbers, batch by time.

Axes have one letter through the whole book: B batch, T time, V vocabulary, D embedding, H hidden.
With jaxtyping installed (as in the tests) the shapes are enforced; without it they are only read by people.
"""

from torch import Tensor

try:
    from jaxtyping import Bool, Float, Int
except ImportError:  # Colab does not ship jaxtyping, and a reader does not need it

    class _Shape:
        def __class_getitem__(cls, item):
            return item[0]

    Bool = Float = Int = _Shape

__all__ = ["Bool", "Float", "Int", "Tensor"]
