"""DSFlash's relation stage: from features and two masks to predicates in both directions."""

import torch

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters.gated import GatedRelations
from dsflash_ros.model.relaters.neck import PatchNeck, by_length
from dsflash_ros.model.relaters.relater import PairInputs
from dsflash_ros.model.relaters.settings import merged, refuse_small_images


class DSFlashRelations(PatchNeck, GatedRelations):
    """Mask embedding, neck and gated head (DSFlash sections 3.2 to 3.4).

    One pass for each unordered pair of segments {a, b} gives the logits of (a, b) and of (b, a).
    """

    options = frozenset({"pruning"})

    def __init__(
        self,
        channels: int,
        cell: int,
        grid: int,
        num_predicates: int,
        dim: int = 384,
        depth: int = 6,
        heads: int = 8,
        patch: int = 3,
        text_dim: int = 0,
    ) -> None:
        """A new stage.

        Args:
            channels: of the segmenter's features.
            cell, grid: see `RelationStage`; a cell is a patch.
            num_predicates: without "no relation".
            dim, depth, heads, patch: see `PatchNeck`.
            text_dim: of predicates' text embeddings; 0 makes a closed head.
        """
        super().__init__(channels, patch, grid, dim, depth, heads)
        self.cell = cell
        self.add_gate(dim, num_predicates, text_dim)

    def chunks(
        self, inputs: PairInputs, pairs_at_once: int, pruning: bool = False
    ) -> tuple[torch.Tensor, ...]:
        """See `RelationStage`. After pruning, pairs with as many patches go together."""
        if not pruning or len(inputs.pairs) == 0:
            return super().chunks(inputs, pairs_at_once)
        return by_length(inputs, pairs_at_once)

    @torch.inference_mode()
    def make_decisive(
        self, features: torch.Tensor, inputs: PairInputs, spread: float = 2.0
    ) -> None:
        """Make where a pair lies count, and centre and spread the logits."""
        self.patch_embed.weight.mul_(0.01)
        self.location[-1].weight.mul_(50)
        super().make_decisive(features, inputs, spread)


SETTINGS = {"patch": 3}
"""`ModelConfig.relater_settings` of this kind, with their defaults; see `PatchNeck`."""


def make_dsflash(config: ModelConfig, channels: int, stride: int) -> DSFlashRelations:
    """DSFlash's relation stage for features of these channels and this stride; fresh weights.

    Raises `WeightsError` for settings that cannot be.
    """
    patch = merged("dsflash", config.relater_settings, SETTINGS)["patch"]
    cell = patch * stride
    refuse_small_images(config, cell)
    return DSFlashRelations(
        channels,
        cell,
        config.image_size // cell,
        config.num_predicates,
        config.neck_dim,
        config.neck_depth,
        config.neck_heads,
        patch,
        config.predicate_text_dim,
    )
