"""All exercises, by id, in the order of the book. A new module of exercises is a new name in the list."""

from . import (
    chain,
    codec,
    counts,
    entropy,
    rnn,
    rnn_scan,
    rnn_training,
    scores,
    sequences,
    sequences_order,
    smoothing,
    wishlist,
    wishlist_gradients,
    wishlist_memory,
)

_CHAPTERS = (
    (sequences, codec, sequences_order),
    (chain, scores, counts, smoothing, entropy),
    (wishlist, wishlist_gradients, wishlist_memory),
    (rnn, rnn_training, rnn_scan),
)

EXERCISES = {e.id: e for modules in _CHAPTERS for module in modules for e in module.EXERCISES}
