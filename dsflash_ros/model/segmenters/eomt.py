"""EoMT, the encoder-only mask transformer: segmentation in a plain ViT.

Kerssies et al., "Your ViT is Secretly an Image Segmentation Model", CVPR 2025.
"""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.named_logits import has_same_tensors, make_logits
from dsflash_ros.model.layers.pixels import ImageNetPixels
from dsflash_ros.model.segmenters import eomt_recipe, eomt_untrained
from dsflash_ros.model.segmenters.backbone import Backbone
from dsflash_ros.model.segmenters.eomt_sizes import PATCH
from dsflash_ros.model.segmenters.segmenter import MASK_STRIDE, Segmentation, Segmenter
from dsflash_ros.model.segmenters.upscaling import UpscaleBlock


class EoMT(Segmenter):
    """Queries join the patch tokens before the last blocks; each query ends as a mask and a class.

    At inference all attention is plain. Training masks it, and anneals the masks away (see
    `predict_each_block`).
    """

    options = frozenset({"tome_ratio"})
    feature_stride = PATCH

    def __init__(
        self,
        encoder: Backbone,
        num_classes: int,
        num_queries: int,
        query_blocks: int,
        feature_blocks: Sequence[int],
        text_dim: int = 0,
    ) -> None:
        """A new EoMT around an encoder.

        Args:
            encoder: the ViT; it becomes a part of this module.
            num_classes: without "no object".
            num_queries: segments that it can find in an image.
            query_blocks: how many of the last blocks see the queries.
            feature_blocks: the blocks after which the patch tokens are features.
            text_dim: of the classes' text embeddings; 0 makes a closed head.
        """
        super().__init__()
        self.backbone = encoder
        self.query_block = encoder.depth - query_blocks
        self.feature_blocks = tuple(feature_blocks)
        self.feature_channels = len(self.feature_blocks) * encoder.dim
        self.recipe = eomt_recipe.EoMTRecipe()

        dim = encoder.dim
        self.q = nn.Embedding(num_queries, dim)
        self.class_head = make_logits(dim, num_classes, text_dim, none_first=False)
        self.mask_head = nn.Sequential(
            nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim)
        )
        doublings = int(math.log2(PATCH // MASK_STRIDE))
        self.upscale = nn.Sequential(*(UpscaleBlock(dim) for _ in range(doublings)))
        self.normalise = ImageNetPixels()

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self.backbone.depth

    def forward(self, images: torch.Tensor, tome_ratio: float = 0.0) -> Segmentation:
        """Segment images, (B, 3, S, S) float32, RGB in 0..1, padded below and to the right with
        zeros.

        `tome_ratio`, 0 to 0.7: share of the patch tokens that are merged before each attention.
        """
        tokens, features = self._run_blocks(images, tome_ratio)
        return Segmentation(*self._predict(tokens), features)

    def features(self, images: torch.Tensor, tome_ratio: float = 0.0) -> torch.Tensor:
        """The patch tokens after four blocks, (B, 4 * D, S/16, S/16) (DSFlash section 3.1)."""
        return self._run_blocks(images, tome_ratio)[1]

    def predict_each_block(
        self,
        images: torch.Tensor,
        mask_probabilities: Sequence[float],
        generator: torch.Generator | None = None,
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Masks and classes, as (mask_logits, class_logits), before each query block and at the
        end.

        In training each prediction has its loss, and steers the attention of the block that
        follows: with the probability that `mask_probabilities` has for that block, a query attends
        to those patches alone that its own mask covers; otherwise to all. (Query, class and
        register tokens stay open to every query.) With probabilities of 0 the last prediction is
        `forward`'s. `generator`, on the images' device, draws.
        """
        tokens, rope = self._embed(images)
        for index in range(self.query_block):
            tokens = self.backbone.run_block(index, tokens, rope)
        tokens = self._add_queries(tokens)
        predictions = []
        blocks = range(self.query_block, self.depth)
        for index, probability in zip(blocks, mask_probabilities, strict=True):
            predictions.append(self._predict(tokens))
            mask = None
            if probability > 0:
                mask_logits = predictions[-1][0].detach()
                mask = self._attention_mask(mask_logits, tokens.shape[1], probability, generator)
            tokens = self.backbone.run_block(index, tokens, rope, mask=mask)
        return [*predictions, self._predict(tokens)]

    # Training: see `Segmenter` and `eomt_recipe`

    def configure_training(self, settings: Mapping[str, object]) -> None:
        """Take `llrd`, `decay_query_blocks`, `poly_power` and `annealing`; see `EoMTRecipe`."""
        self.recipe = eomt_recipe.EoMTRecipe.from_settings(settings)
        self.recipe.check(self)

    def parameter_groups(self, lr: float) -> list[dict[str, object]]:
        """Groups whose learning rate decays from block to block."""
        return self.recipe.parameter_groups(self, lr)

    def training_predictions(
        self, images: torch.Tensor, progress: float, generator: torch.Generator | None = None
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """`predict_each_block` with masks that are annealed as the recipe says."""
        probabilities = self.recipe.mask_probabilities(self, progress)
        return self.predict_each_block(images, probabilities, generator)

    def training_metrics(self, progress: float) -> dict[str, float]:
        """The mean over the query blocks of the probability that a query is masked."""
        probabilities = self.recipe.mask_probabilities(self, progress)
        return {"mask_probability": sum(probabilities) / len(probabilities)}

    @property
    def encoder(self) -> Backbone:
        """The ViT."""
        return self.backbone

    def adapt_state(
        self, state: dict[str, torch.Tensor], same_classes: bool
    ) -> dict[str, torch.Tensor]:
        """Positions are scaled to this grid; the class head of other classes, or of another kind,
        is left out.
        """
        state = dict(state)
        self.backbone.fit_positions(state, "backbone.vit.pos_embed")
        own = self.class_head.state_dict(prefix="class_head.")
        if not (same_classes and has_same_tensors(own, state, "class_head.")):
            state = {name: state[name] for name in state if not name.startswith("class_head.")}
            state.update(own)
        return state

    def make_decisive(self, noise: torch.Tensor) -> None:
        """See `eomt_untrained`."""
        eomt_untrained.make_decisive(self, noise)

    # Parts of a pass

    def _run_blocks(
        self, images: torch.Tensor, tome_ratio: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens after the last block, and the features."""
        tokens, rope = self._embed(images)
        features = []
        for index in range(self.depth):
            if index == self.query_block:
                tokens = self._add_queries(tokens)
            tokens = self.backbone.run_block(index, tokens, rope, tome_ratio)
            if index in self.feature_blocks:
                features.append(self._patches(tokens))
        return tokens, torch.cat(features, dim=1)

    def _attention_mask(
        self,
        mask_logits: torch.Tensor,
        num_tokens: int,
        probability: float,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        """Which tokens the queries attend to, (B, Q, num_tokens) bool."""
        grid = self.backbone.grid
        covered = (F.interpolate(mask_logits, (grid, grid), mode="bilinear") > 0).flatten(2)
        if probability < 1:
            draws = torch.rand(covered.shape[:2], generator=generator, device=covered.device)
            covered = covered | (draws > probability).unsqueeze(2)
        return F.pad(covered, (num_tokens - grid**2, 0), value=True)

    def _embed(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return self.backbone.embed(self.normalise(images).to(self.q.weight.dtype))

    def _add_queries(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.cat((self.q.weight.expand(len(tokens), -1, -1), tokens), dim=1)

    def _predict(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask logits and class logits."""
        tokens = self.backbone.norm(tokens)
        queries = tokens[:, : self.q.num_embeddings]
        pixels = self.upscale(self._patches(tokens))
        mask_logits = torch.einsum("bqc,bchw->bqhw", self.mask_head(queries), pixels)
        return mask_logits, self.class_head(queries)

    def _patches(self, tokens: torch.Tensor) -> torch.Tensor:
        """The patch tokens as an image, (B, D, grid, grid)."""
        grid = self.backbone.grid
        return tokens[:, -(grid**2) :].transpose(1, 2).unflatten(2, (grid, grid))


def make_eomt(config: ModelConfig) -> EoMT:
    """The EoMT of a config, with fresh random weights."""
    architecture = config.architecture
    return EoMT(
        Backbone(config),
        config.num_classes,
        config.num_queries,
        architecture.query_blocks,
        architecture.feature_blocks,
        config.class_text_dim,
    )
