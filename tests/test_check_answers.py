"""Answers as learners write them, right and wrong, on which a check once gave the wrong verdict."""

import dataclasses
import math
import string

import pytest
import torch
from unrolled.checks import check
from unrolled.checks.exercise import Exercise
from unrolled.checks.exercises import EXERCISES
from unrolled.checks.exercises import rnn_scan as scan
from unrolled.checks.exercises.vanishing_matrices import MATRICES
from unrolled.checks.properties import demand

FUNCTIONS = [e for e in EXERCISES.values() if isinstance(e, Exercise)]


def said(verdict):
    """The verdict's words, after a look at what must never be in them."""
    text = " ".join(repr(verdict).split())
    assert "itself broke" not in text and "cannot be tested" not in text, text
    return text


def refused(verdict):
    assert verdict.status == "not yet", verdict
    return said(verdict)


# --- what is a stub, and what is not


def test_dots_in_an_index_are_no_stub():
    def misspelt(logits, y):
        lp = logits.log_sofmax(-1)
        return lp.gather(-1, y[..., None])[..., 0].sum(-1)

    def forgot(logits, y):
        logits.log_softmax(-1).gather(-1, y[..., None])[..., 0].sum(-1)

    assert "has no attribute 'log_sofmax'" in refused(check.sequence_log_prob.judge(misspelt))
    assert "is there a `return`" in refused(check.sequence_log_prob.judge(forgot))


def test_dots_that_are_assigned_or_returned_are_a_stub():
    def assigned(logits, y):
        lp = ...
        return lp.sum(-1)

    def two(logits, y):
        lp, total = ..., ...
        return lp.sum(-1) + total

    def returned(logits, y):
        if y.numel() > 10**6:
            return ...
        return total_that_is_not_there  # noqa: F821

    for stub in (assigned, two, returned, lambda logits, y: ...):
        assert check.sequence_log_prob.judge(stub).status == "not attempted"


def test_an_error_of_torch_is_no_stub():
    def on_ids(logits, y):
        return torch.log_softmax(y, -1).sum(-1)

    assert "log_softmax_lastdim_kernel_impl" in refused(check.sequence_log_prob.judge(on_ids))


def test_an_own_error_is_a_stub_wherever_it_is_raised():
    def helper():
        raise NotImplementedError("my turn")

    assert check.sequence_log_prob.judge(lambda logits, y: helper()).status == "not attempted"


# --- code that changes its own values in place


def rnn_in_place(x, h0, W_x, W_h, b):
    H, h = x.new_zeros(*x.shape[:2], len(b)), h0
    for t in range(x.shape[1]):
        H[:, t] = torch.tanh(x[:, t] @ W_x.T + h @ W_h.T + b)
        h = H[:, t]
    return H


def lstm_in_place(x, h, c, W_x, W_h, b):
    i, f, g, o = (x @ W_x.T + h @ W_h.T + b).chunk(4, -1)
    c_new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h_new = torch.tanh(c_new)
    h_new *= torch.sigmoid(o)
    return h_new, c_new


def sdpa_in_place(q, k, v, mask):
    s = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask, -torch.inf)
    w = torch.exp(s - s.max(-1, keepdim=True).values)
    w /= w.sum(-1, keepdim=True)
    return w @ v


IN_PLACE = {"rnn_forward": rnn_in_place, "lstm_cell": lstm_in_place, "sdpa": sdpa_in_place}


@pytest.mark.parametrize("name", IN_PLACE)
def test_code_that_blocks_the_way_back_reads_what_to_write(name):
    verdict = EXERCISES[name].judge(IN_PLACE[name])
    text = refused(verdict)
    assert "the way back does not run: a value that it needs was changed in place" in text
    assert "Write `h = h * o` for `h *= o`" in text and "gradient" in verdict.failed
    assert not verdict.looks_like  # a known mistake that fails at the same place is another one


# --- nesting


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda e: e.id)
def test_a_comma_too_many_is_refused(exercise):
    pack = (lambda *a: (exercise.model(*a),)), (lambda *a: [exercise.model(*a)])
    one, _ = (refused(exercise.judge(function)) for function in pack)
    assert exercise.observe or "got a tuple of 1: is there a comma at the end of `return`?" in one


def test_parts_within_parts_are_named():
    def nested(*a):
        h, c = check.lstm_cell.model(*a)
        return [[h], (c,)]

    assert "h_new: expected one tensor, got a list of 1" in refused(check.lstm_cell.judge(nested))


def test_a_list_for_a_tuple_is_right():
    assert check.lstm_cell.judge(lambda *a: list(check.lstm_cell.model(*a))).ok
    assert check.clip_global_norm.judge(lambda *a: tuple(check.clip_global_norm.model(*a))).ok
    assert check.will_it_explode.judge(lambda W: list(check.will_it_explode.model(W))).ok


def test_truths_may_be_tensors_of_no_axis():
    def radius_and_norm(W):
        return torch.linalg.eigvals(W).abs().max() > 1, torch.linalg.matrix_norm(W, 2) < 1

    def norm_and_norm(W):
        return torch.linalg.matrix_norm(W, 2) > 1, torch.linalg.matrix_norm(W, 2) < 1

    assert check.will_it_explode.judge(radius_and_norm).ok
    verdict = check.will_it_explode.judge(norm_and_norm)
    assert "grows: expected False, yours is True" in refused(verdict)
    assert verdict.looks_like == "the norm for both"


def test_a_generator_is_named_with_its_cure():
    def scaled(grads, c):
        return (g * 1.0 for g in grads)

    assert "(tensor, tensor), got a generator: write a list, with [ ]" in refused(
        check.clip_global_norm.judge(scaled))


# --- dtypes


def mu(x, levels):
    bent = x.sign() * torch.log1p((levels - 1) * x.abs()) / math.log(levels)
    return torch.floor((levels - 1) * (1 + bent) / 2 + 0.5)


def test_whole_numbers_may_have_any_width():
    assert check.mu_law.judge(lambda x, levels: mu(x, levels).int()).ok
    assert check.inverse_cdf.judge(
        lambda p, u: torch.searchsorted(p.cumsum(0), u, right=True, out_int32=True)).ok


def test_the_advice_on_dtypes_fits_what_is_wanted():
    whole, real = refused(check.mu_law.judge(mu)), refused(check.rnn_forward.judge(
        lambda *a: check.rnn_forward.model(*a).float()))
    truth = refused(check.causal_mask.judge(lambda T, S: check.causal_mask.model(T, S).float()))
    assert "expected dtype int64, got float64; `.long()` makes whole numbers of them." in whole
    assert "a new tensor takes its dtype from its inputs with `dtype=x.dtype`" in real
    odd = refused(check.rnn_forward.judge(lambda *a: check.rnn_forward.model(*a).cfloat()))
    assert "expected dtype float64, got complex64; `.real` or `.abs()` makes it real." in odd
    assert "expected dtype bool, got float32; a comparison gives bools, and so does `.bool()`." in truth


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8, torch.float64])
def test_a_mask_of_zeros_and_ones_may_have_any_dtype(dtype):
    assert check.pixelcnn_mask.judge(lambda *a: check.pixelcnn_mask.model(*a).to(dtype)).ok
    wrong = EXERCISES["pixelcnn_mask"].wrong["right of the centre is open"][0]
    verdict = check.pixelcnn_mask.judge(lambda *a: wrong(*a).to(dtype))
    assert verdict.looks_like == "right of the centre is open"


def test_float32_is_seen_where_the_inputs_stand_in_a_list():
    def single(grads, c):
        return [g.float() for g in check.clip_global_norm.model(grads, c)]

    text = refused(check.clip_global_norm.judge(single))
    assert "expected dtype float64, got float32" in text and "`dtype=grads[0].dtype`" in text


def test_two_floats_that_do_not_fit_are_explained():
    def default(W_h, h):
        J = torch.eye(len(W_h))
        for h_t in h[1:]:
            J = (1 - h_t**2)[:, None] * (W_h @ J)
        return J

    advice = "The check computes in float64: make new tensors with `.to(W_h)` or `dtype=W_h.dtype`."
    assert advice in refused(check.state_jacobian.judge(default))


# --- wrong answers that were let through


def own_alphabet(text):
    symbols = ["<pad>", *sorted(string.ascii_lowercase + " \n")]
    return symbols, lambda s: [symbols.index(c) for c in s], lambda ids: "".join(symbols[i] for i in ids)


def small_letters(text):
    symbols = ["<pad>", *sorted(set(text.lower()))]
    return (symbols, lambda s: [symbols.index(c) for c in s.lower()],
            lambda ids: "".join(symbols[i] for i in ids))


def round_the_cut(rounded):
    def split(x, T, share):
        cut = rounded(share * len(x))
        return x[:cut].unfold(0, T, 1), x[cut:].unfold(0, T, 1)

    return split


def floor_with_log_of_zero(voice, edges, sigma):
    below = torch.special.ndtr((edges - voice[:, None]) / sigma)
    ends = below.new_zeros(len(voice), 1)
    p = torch.cat([ends, below, ends + 1], 1).diff(dim=1)
    return -(p * p.log2()).sum(1)


def returns_by_division(reward, gamma):
    powers = gamma ** torch.arange(reward.shape[1], dtype=reward.dtype)
    return (reward * powers).flip(1).cumsum(1).flip(1) / powers


def nucleus_with_one_more(p, mass):
    q, order = p.sort(descending=True)
    kept = order[q.cumsum(0) - q <= mass]
    return torch.zeros_like(p).index_copy(0, kept, p[kept] / p[kept].sum())


LET_THROUGH = [
    ("char_codec", own_alphabet, ""),  # a KeyError says it
    ("char_codec", small_letters, "capitals become small"),
    ("split_by_time", round_the_cut(round), "the cut is rounded"),
    ("split_by_time", round_the_cut(math.ceil), "the cut is rounded up"),
    ("noise_floor", floor_with_log_of_zero, "the logarithm of a chance of 0"),
    ("returns_to_go", returns_by_division, "divided by powers of gamma"),
    ("nucleus", nucleus_with_one_more, "one more where the mass is reached exactly"),
    ("parallel_scan", scan._blocks, "blocks as long as the root of T"),
]


@pytest.mark.parametrize(("name", "function", "looks"), LET_THROUGH, ids=lambda v: getattr(v, "__name__", v))
def test_what_was_once_let_through_is_refused(name, function, looks):
    verdict = EXERCISES[name].judge(function)
    refused(verdict)
    assert verdict.looks_like == looks


def test_the_nucleus_of_a_mass_that_two_symbols_hold_exactly():
    p = torch.tensor([0.5, 0.25, 0.1875, 0.0625], dtype=torch.float64)
    q = check.nucleus.model(p, 0.75)
    assert torch.allclose(q, torch.tensor([2, 1, 0, 0], dtype=torch.float64) / 3)
    cases = [check.nucleus.cases(torch.Generator().manual_seed(s), 4) for s in range(5)]
    assert all(c["p"].sort()[0].tolist() == sorted(p.tolist()) and c["mass"] == 0.75 for c in cases)


def test_scans_in_rounds_pass_and_their_rounds_are_few():
    assert check.parallel_scan.judge(scan._halves).ok and check.parallel_scan.judge(scan.parallel_scan).ok
    assert "more than the logarithm of T allows" in refused(check.parallel_scan.judge(scan._blocks))


def test_no_matrix_of_chapter_6_lies_on_an_edge():
    sizes = [torch.linalg.eigvals(torch.tensor(M)).abs().max().item() for M in MATRICES]
    norms = [torch.linalg.matrix_norm(torch.tensor(M), 2).item() for M in MATRICES]
    radii = [check.transient_growth.cases(torch.Generator().manual_seed(s), i)["radius"]
             for s in range(10) for i in range(4)]
    assert all(abs(v - 1) > 0.04 and v > 0.04 for v in sizes + norms + radii)


def test_the_task_of_any_length_means_an_absolute_change():
    def large(x):  # a huge constant: a relative tolerance would not feel the change
        return x.sum(0) + 1e6

    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert check.any_length.model(large, x)


# --- numbers


def test_a_ratio_that_tells_nothing_is_not_given_away():
    assert "Your number is too small. Go through your sum again" in said(check.blind_spot.judge(1))
    assert "Your number is too large." in said(check.blind_spot.judge(7))
    assert not any("0.17" in said(check.blind_spot.judge(n)) for n in (1, 2))


def test_a_ratio_that_tells_where_it_comes_from_is_given():
    assert "the right one times 2. Where" in said(check.blind_spot.judge(12))
    assert "times 1 / 4. Where" in said(check.training_cost.judge(3e11))
    assert "times ln 2." in said(check.bpc_to_word_ppl.judge(105.41965 * math.log(2)))
    assert "times H (here H = 512)." in said(check.state_bytes.judge(65.536 * 512))
    assert "times 1 / T (here T = 10)." in said(check.rnn_param_count.judge(2.8))


def test_a_bias_of_one_number_for_each_gate_is_foreseen():
    assert check.lstm_param_count.judge(100).looks_like == "one number for the bias of each gate"


# --- a fault of the check stays one


def test_a_test_that_breaks_over_the_reference_is_a_fault_of_the_check():
    broken = dataclasses.replace(
        check.half_life, properties=(demand("odd", lambda trial: 1 / 0, "never said"),))
    for function in (check.half_life.model, lambda f: f):
        verdict = broken.judge(function)
        assert verdict.status == "stopped" and "The check itself broke" in repr(verdict)


def test_a_test_that_breaks_over_the_answer_alone_is_a_failure():
    picky = dataclasses.replace(
        check.half_life, wrong={},
        properties=(demand("odd", lambda trial: trial.got.sum() > 0 or int("x"), "never said"),))
    verdict = picky.judge(lambda f: -check.half_life.model(f))
    assert verdict.status == "not yet" and verdict.failed == "odd"
    words = " ".join(repr(verdict).split())
    assert "this cannot be tested on your answer (ValueError: invalid literal" in words


# --- the list


@pytest.mark.parametrize("chapter", [2, "2", "02", "02_ngrams"])
def test_the_list_of_a_chapter_holds_that_chapter_alone(chapter):
    lines = repr(check.list(chapter)).splitlines()[2:]
    assert len(lines) >= 4 and all("02_ngrams" in line for line in lines)
