"""What changes over the steps of a run: learning rates and mask annealing, as plain functions of
the step.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch

from dsflash_ros.errors import ConfigError
from dsflash_ros.model.segmenters.eomt import EoMT

EOMT_ANNEALING = {
    3: ((1 / 6, 1 / 3), (5 / 12, 7 / 12), (2 / 3, 5 / 6)),
    4: ((1 / 6, 1 / 3), (1 / 3, 1 / 2), (1 / 2, 2 / 3), (2 / 3, 5 / 6)),
}
"""By the number of query blocks: the shares of a run at which each block's masks start to lift and
are lifted.

EoMT gives steps: of 24 epochs with 7391 steps each, its small and base models anneal in 29564 to
59128, 73910 to 103474 and 118256 to 147820; of 12 epochs, its large ones in 14782 to 29564, and so
on to 73910. These are those steps divided by the run's length. (With DINOv3 it anneals the first
block in the first 3000 steps: shares 0 to 0.017 of 24 epochs, 0 to 0.034 of 12.)
"""


def two_stage_poly(
    step: int, backbone: bool, warmup_steps: tuple[int, int], total_steps: int, power: float = 0.9
) -> float:
    """EoMT's learning rate as a share of its peak: linear warm-up, then polynomial decay to 0 at
    `total_steps`.

    In the first of the two warm-ups the new parameters warm up while the backbone stands still; in
    the second it follows.
    """
    first, second = warmup_steps
    start, length = (first, second) if backbone else (0, first)
    if step < start:
        return 0.0
    if step < start + length:
        return (step - start) / length
    progress = (step - start - length) / max(1, total_steps - start - length)
    return max(0.0, 1 - progress) ** power


def cosine_with_warmup(step: int, warmup_steps: int, total_steps: int) -> float:
    """Learning rate as a share of its peak: linear warm-up, then half a cosine down to 0 at
    `total_steps`.
    """
    if step < warmup_steps:
        return step / warmup_steps
    progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
    return (1 + math.cos(math.pi * progress)) / 2


def mask_probability(
    step: int, start: float, end: float, total_steps: int, power: float = 0.9
) -> float:
    """Probability that a query's attention is masked: 1 until the share `start` of the run, 0 from
    `end` on.
    """
    first, last = start * total_steps, end * total_steps
    if step >= last:
        return 0.0
    if step < first:
        return 1.0
    return (1 - (step - first) / (last - first)) ** power


def layer_decayed_groups(
    segmenter: EoMT, lr: float, llrd: float = 0.8, decay_query_blocks: bool = True
) -> list[dict[str, object]]:
    """An optimizer's parameter groups: `params`, peak `lr`, `name`, and whether they are the
    pretrained `backbone`'s.

    Block i of L learns at lr * llrd^(L - 1 - i); patch embedding, positions and prefix tokens as
    block 0 does; the backbone's last norm, and all that EoMT adds, at lr. Without
    `decay_query_blocks` (EoMT's `llrd_l2_enabled`) the blocks that see queries learn at lr, too.
    """
    groups = {}
    for name, parameter in segmenter.named_parameters():
        kind, rate = "new", lr
        if name.startswith("backbone."):
            words = name.split(".")
            block = int(words[words.index("blocks") + 1]) if "blocks" in words else 0
            if name.startswith("backbone.vit.norm."):
                kind = "norm"
            else:
                kind = f"block{block}" if "blocks" in words else "embedding"
                if decay_query_blocks or block < segmenter.query_block:
                    rate = lr * llrd ** (segmenter.depth - 1 - block)
        group = {"params": [], "lr": rate, "name": kind, "backbone": kind != "new"}
        groups.setdefault(kind, group)["params"].append(parameter)
    return list(groups.values())


def two_stage_scheduler(
    optimizer: torch.optim.Optimizer,
    warmup_steps: tuple[int, int],
    total_steps: int,
    power: float = 0.9,
) -> torch.optim.lr_scheduler.LambdaLR:
    """`two_stage_poly` for `layer_decayed_groups`.

    Raises `ConfigError` if no step follows the warm-up.
    """
    if sum(warmup_steps) >= total_steps:
        raise ConfigError(
            f"a run of {total_steps} steps never ends its warm-up of {warmup_steps[0]} + {warmup_steps[1]} steps: "
            "train longer or lower warmup_steps"
        )
    factors: Sequence[Callable[[int], float]] = [
        partial(
            two_stage_poly,
            backbone=group["backbone"],
            warmup_steps=warmup_steps,
            total_steps=total_steps,
            power=power,
        )
        for group in optimizer.param_groups
    ]
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factors)
