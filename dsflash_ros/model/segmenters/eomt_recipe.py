"""What is EoMT's own in its training: mask annealing, and learning rates that decay by blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from dsflash_ros.errors import ConfigError

if TYPE_CHECKING:
    from dsflash_ros.model.segmenters.eomt import EoMT

ANNEALING = {
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


@dataclass(frozen=True)
class EoMTRecipe:
    """Settings of EoMT's training; the defaults are its authors' for DINOv2.

    Attributes:
        llrd: each backbone block learns at this times the rate of the next one.
        decay_query_blocks: whether also the blocks that see queries do (EoMT's `llrd_l2_enabled`).
        poly_power: exponent of the annealing.
        annealing: for each query block, the shares of the run at which its masks start to lift and
            are lifted; None: those in `ANNEALING`.
    """

    llrd: float = 0.8
    decay_query_blocks: bool = True
    poly_power: float = 0.9
    annealing: tuple[tuple[float, float], ...] | None = None

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> "EoMTRecipe":
        """Those of the settings that are attributes."""
        names = [entry.name for entry in fields(cls) if entry.name in settings]
        return cls(**{name: settings[name] for name in names})

    def check(self, segmenter: "EoMT") -> None:
        """Raise `ConfigError` when the annealing is not for as many blocks as this one has."""
        blocks = segmenter.depth - segmenter.query_block
        if self.annealing is not None and len(self.annealing) != blocks:
            raise ConfigError(
                f"annealing has {len(self.annealing)} pairs, but a model of this size has {blocks} "
                "query blocks: give one pair (start, end) for each"
            )

    def mask_probabilities(self, segmenter: "EoMT", progress: float) -> list[float]:
        """For each query block, `mask_probability` at this share of the run."""
        blocks = segmenter.depth - segmenter.query_block
        annealing = ANNEALING[blocks] if self.annealing is None else self.annealing
        return [mask_probability(progress, *shares, self.poly_power) for shares in annealing]

    def parameter_groups(self, segmenter: "EoMT", lr: float) -> list[dict[str, object]]:
        """An optimizer's parameter groups; see `Segmenter.parameter_groups`.

        Block i of L learns at lr * llrd^(L - 1 - i); patch embedding, positions and prefix tokens
        as block 0 does; the backbone's last norm, and all that EoMT adds, at lr. Without
        `decay_query_blocks` the blocks that see queries learn at lr, too.
        """
        groups = {}
        for name, parameter in segmenter.named_parameters():
            kind, rate = self._kind_and_rate(segmenter, name, lr)
            group = {"params": [], "lr": rate, "name": kind, "backbone": kind != "new"}
            groups.setdefault(kind, group)["params"].append(parameter)
        return list(groups.values())

    def _kind_and_rate(self, segmenter: "EoMT", name: str, lr: float) -> tuple[str, float]:
        """The group of the parameter of this name, and its learning rate."""
        if not name.startswith("backbone."):
            return "new", lr
        if name.startswith("backbone.vit.norm."):
            return "norm", lr
        words = name.split(".")
        is_in_block = "blocks" in words
        block = int(words[words.index("blocks") + 1]) if is_in_block else 0
        kind = f"block{block}" if is_in_block else "embedding"
        if block >= segmenter.query_block and not self.decay_query_blocks:
            return kind, lr
        return kind, lr * self.llrd ** (segmenter.depth - 1 - block)


def mask_probability(progress: float, start: float, end: float, power: float = 0.9) -> float:
    """Probability that a query's attention is masked: 1 until the share `start` of the run, 0 from
    `end` on.
    """
    if progress >= end:
        return 0.0
    if progress < start:
        return 1.0
    return (1 - (progress - start) / (end - start)) ** power
