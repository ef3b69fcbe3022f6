"""Learning rates over the steps of a run."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch

from dsflash_ros.errors import ConfigError


def poly(progress: float, power: float = 0.9) -> float:
    """A polynomial decay from 1 to 0, as EoMT's learning rate takes."""
    return max(0.0, 1 - progress) ** power


def steps(progress: float) -> float:
    """1, a tenth from 0.9 on, a hundredth from 0.95 on, as Mask2Former's learning rate takes."""
    return 0.1 ** ((progress >= 0.9) + (progress >= 0.95))


def two_stages(
    step: int,
    backbone: bool,
    warmup_steps: tuple[int, int],
    total_steps: int,
    decay: Callable[[float], float] = poly,
) -> float:
    """EoMT's learning rate as a share of its peak.

    A linear warm-up, then `decay` until `total_steps`. In the first of the two warm-ups the new
    parameters warm up while the backbone stands still; in the second it follows.
    """
    first, second = warmup_steps
    start, length = (first, second) if backbone else (0, first)
    if step < start:
        return 0.0
    if step < start + length:
        return (step - start) / length
    return decay((step - start - length) / max(1, total_steps - start - length))


def cosine_with_warmup(step: int, warmup_steps: int, total_steps: int) -> float:
    """Learning rate as a share of its peak: linear warm-up, then half a cosine down to 0."""
    if step < warmup_steps:
        return step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return (1 + math.cos(math.pi * progress)) / 2


def two_stage_scheduler(
    optimizer: torch.optim.Optimizer,
    warmup_steps: tuple[int, int],
    total_steps: int,
    decay: Callable[[float], float] = poly,
) -> torch.optim.lr_scheduler.LambdaLR:
    """`two_stages` for an optimizer with the groups of `Segmenter.parameter_groups`.

    Raises `ConfigError` if no step follows the warm-up.
    """
    if sum(warmup_steps) >= total_steps:
        raise ConfigError(
            f"a run of {total_steps} steps never ends its warm-up of {warmup_steps[0]} + "
            f"{warmup_steps[1]} steps: train longer or lower warmup_steps"
        )
    factors: Sequence[Callable[[int], float]] = [
        partial(
            two_stages,
            backbone=group["backbone"],
            warmup_steps=warmup_steps,
            total_steps=total_steps,
            decay=decay,
        )
        for group in optimizer.param_groups
    ]
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
