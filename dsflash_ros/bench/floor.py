"""How fast this machine could be, by products of large matrices and copies in the same run."""

import time
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

_SIDE = 1024
"""Of the square matrices."""

_COPIED = 64_000_000
"""Bytes, more than caches hold."""

_TRIES = 15


class Floor(NamedTuple):
    """What the machine reaches.

    Attributes:
        flops: floating point operations a second, in products of large matrices.
        bytes: read and written a second, in copies.
    """

    flops: float
    bytes: float

    def ms(self, flops: float, weight_bytes: float) -> float:
        """Milliseconds below which so many operations on weights of that size cannot take."""
        return 1000 * max(flops / self.flops, weight_bytes / self.bytes)


def measure_floor(device: torch.device, dtype: torch.dtype) -> Floor:
    """The best of some tries."""
    left = torch.randn(_SIDE, _SIDE, device=device, dtype=dtype)
    pixels = torch.zeros(_COPIED, dtype=torch.uint8, device=device)
    copy = torch.empty_like(pixels)
    product_s = _fastest(lambda: torch.mm(left, left), device)
    copy_s = _fastest(lambda: copy.copy_(pixels), device)
    return Floor(2 * _SIDE**3 / product_s, 2 * _COPIED / copy_s)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(_TRIES):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times)


def flops_of(module: nn.Module, *inputs: object, **options: object) -> int:
    """Floating point operations of a call: products and convolutions, two for each multiply-add."""
    frozen = deepcopy(module).requires_grad_(False)  # the counter trips over what could learn
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        frozen(*inputs, **options)
    return counter.get_total_flops()


def weight_bytes(module: nn.Module) -> int:
    """Of all parameters."""
    return sum(p.numel() * p.element_size() for p in module.parameters())
