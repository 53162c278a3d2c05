"""All exercises, by id, in the order of the book.

To write one:

- a function named as the exercise, with a docstring and comments, is the worked solution; the library's own
  function is the reference, where there is one;
- a function draws case i from a generator: the smallest first, sizes pairwise different, and once alike;
- an `Exercise` (a `Question`, for a number or a choice) holds everything else, from the task to the hints;
- collect wrong answers from people, and give each the hint that you would give at their desk;
- a property is worth its place if it is the one that refuses some wrong answer.

Then name the module below. `tests/test_checks.py` holds the exercise to all this without a line of its own.
"""

from . import (
    bptt,
    bptt_forward,
    captions,
    captions_chance,
    captions_many,
    chain,
    codec,
    counts,
    entropy,
    generation,
    generation_nucleus,
    generation_search,
    lstm,
    lstm_path,
    outlook,
    outlook_interval,
    outlook_questions,
    pixels,
    pixels_far,
    policies,
    policies_actions,
    policies_returns,
    rnn,
    rnn_scan,
    rnn_training,
    scores,
    seq2seq,
    seq2seq_attention,
    seq2seq_bleu,
    seq2seq_monotonic,
    sequences,
    sequences_order,
    smoothing,
    transformer,
    transformer_places,
    vanishing,
    vanishing_growth,
    vanishing_matrices,
    wavenet,
    wavenet_floor,
    wavenet_layers,
    wishlist,
    wishlist_gradients,
    wishlist_memory,
)

_CHAPTERS = (
    (sequences, codec, sequences_order),
    (chain, scores, counts, smoothing, entropy),
    (wishlist, wishlist_gradients, wishlist_memory),
    (rnn, rnn_training, rnn_scan),
    (bptt, bptt_forward),
    (vanishing, vanishing_matrices, vanishing_growth),
    (lstm, lstm_path),
    (generation, generation_nucleus, generation_search),
    (pixels, pixels_far),
    (seq2seq, seq2seq_bleu, seq2seq_attention, seq2seq_monotonic),
    (captions, captions_many, captions_chance),
    (wavenet, wavenet_layers, wavenet_floor),
    (policies_returns, policies, policies_actions),
    (transformer, transformer_places),
    (outlook, outlook_questions, outlook_interval),
)

EXERCISES = {e.id: e for modules in _CHAPTERS for module in modules for e in module.EXERCISES}
