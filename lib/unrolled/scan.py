"""A recurrence that is linear, h_t = a_t h_{t-1} + b_t, solved in four ways that give the same numbers.

a, b (B, T, H) hold one number for each part of the state at each step, real or complex; h = h_0 (B, H). The
parts do not mix. Two steps in a row are one step of the same kind (`join`); so steps can be joined in pairs,
in pairs of pairs, and so on, and all states are there after log2(T) rounds (Blelloch, 1990).
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from .shapes import Tensor


def recurrence(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """All h_t = a_t h_{t-1} + b_t, as it is written: the slow way, for reading."""
    states = []
    for a_t, b_t in zip(a.unbind(1), b.unbind(1)):
        h = a_t * h + b_t
        states.append(h)
    return torch.stack(states, 1)


def convolution(a: Tensor, b: Tensor) -> Tensor:
    """With one a (H) for all steps, and h_0 = 0: h_t is the sum of a^k b_{t-k} over k = 0 ... t.

    That is a convolution, with the kernel a^0, a^1, ... By Fourier transforms it takes T log T operations.
    """
    b = b.to(torch.promote_types(a.dtype, b.dtype))  # a complex kernel turns real numbers
    T = b.shape[1]
    kernel = a ** torch.arange(T, device=a.device)[:, None]
    fft, n = torch.fft.fft, 2 * T  # as long as both together, or the end would wrap around to the beginning
    h = torch.fft.ifft(fft(b, n, 1) * fft(kernel, n, 0), dim=1)[:, :T]
    return h if b.is_complex() else h.real


def join(a: Tensor, b: Tensor, a_next: Tensor, b_next: Tensor) -> tuple[Tensor, Tensor]:
    """Two steps as one: a_next (a h + b) + b_next = (a_next a) h + (a_next b + b_next)."""
    return a_next * a, torch.addcmul(b_next, a_next, b)


def doubling(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """The recurrence in log2(T) rounds, each parallel over time: for GPUs.

    After round k, a_t and b_t stand for the last 2^k steps up to t at once (Hillis and Steele, 1986).
    """
    b = torch.cat([torch.addcmul(b[:, :1], a[:, :1], h[:, None]), b[:, 1:]], 1)  # the first step reads h_0
    k, T = 1, b.shape[1]
    while k < T:
        joined = join(a[:, :-k], b[:, :-k], a[:, k:], b[:, k:])
        a, b = (torch.cat([old[:, :k], new], 1) for old, new in zip((a, b), joined))
        k *= 2
    return b


def loop(a: tuple[Tensor, ...], b: tuple[Tensor, ...], h: Tensor) -> None:
    """The recurrence step by step, each h_t written over its b_t: fastest on a CPU."""
    for a_t, b_t in zip(a, b):
        h = b_t.addcmul_(a_t, h)


class Scan(torch.autograd.Function):
    """The recurrence with its gradient, which is a recurrence too, from the last step to the first.

    Let g_t be the gradient of h_t by itself and through all later states: g_t = grad_t + a_{t+1} g_{t+1}.
    Then b_t has the gradient g_t, and a_t has g_t h_{t-1}. On the way back complex numbers are conjugated.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, h: Tensor, parallel: bool) -> Tensor:
        """All h_t; `parallel` chooses `doubling` in place of `loop`."""
        if parallel:
            states = doubling(a, b, h)
        else:
            loop(a.unbind(1), (states := b.clone()).unbind(1), h)
        ctx.save_for_backward(a, states, h)
        ctx.parallel = parallel
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """The gradients of a, b and h_0."""
        a, states, h = ctx.saved_tensors
        a = a.conj().resolve_conj()
        if ctx.parallel:
            later = torch.cat([torch.zeros_like(a[:, :1]), a.flip(1)[:, :-1]], 1)
            g = doubling(later, grad.flip(1), torch.zeros_like(h)).flip(1)
        else:
            g = grad.clone()
            loop(a.unbind(1)[:0:-1], g.unbind(1)[-2::-1], g[:, -1])
        before = torch.cat([h[:, None], states[:, :-1]], 1).conj()
        return g * before, g, a[:, 0] * g[:, 0], None


def scan(a: Tensor, b: Tensor, h: Tensor, parallel: bool | None = None) -> Tensor:
    """All h_t = a_t h_{t-1} + b_t: a, b (B, T, H), h = h_0 (B, H). The same numbers as `recurrence`, faster.

    On a CPU it is a loop that writes in place, elsewhere `doubling`; `parallel` decides it otherwise. Numbers
    of several kinds become those of the widest: complex, if any of them is.
    """
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), h.dtype)
    a, b, h = (t.to(dtype) for t in (a, b, h))
    return Scan.apply(a, b, h, b.device.type != "cpu" if parallel is None else parallel)
