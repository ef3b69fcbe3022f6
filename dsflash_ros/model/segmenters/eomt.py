"""EoMT, the encoder-only mask transformer (Kerssies et al., CVPR 2025): segmentation in one plain
ViT.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from timm.layers import LayerNorm2d
from torch import nn

from dsflash_ros.model.config import PATCH, ModelConfig
from dsflash_ros.model.segmenters.backbone import make_backbone
from dsflash_ros.model.segmenters.segmenter import MASK_STRIDE, Segmentation

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class EoMT(nn.Module):
    """Queries join the patch tokens before the last blocks; each query ends as a mask and a class.

    At inference attention is plain throughout: training anneals its masked attention
    (`predict_each_block`) away.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.backbone = make_backbone(config)
        self.depth = len(self.backbone.vit.blocks)
        self.query_block = self.depth - config.architecture.query_blocks
        self.feature_blocks = config.architecture.feature_blocks

        dim = config.architecture.dim
        self.q = nn.Embedding(config.num_queries, dim)
        self.class_head = nn.Linear(dim, config.num_classes + 1)
        self.mask_head = nn.Sequential(
            nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim)
        )
        self.upscale = nn.Sequential(
            *(UpscaleBlock(dim) for _ in range(int(math.log2(PATCH // MASK_STRIDE))))
        )
        self._apply(lambda tensor: tensor)  # makes pixel_mean and pixel_std

    def _apply(self, fn, *args, **kwargs):
        super()._apply(fn, *args, **kwargs)
        # On the device of the weights, but always in float32: bfloat16 would shift the pixels by
        # grey levels.
        for name, values in (("pixel_mean", IMAGENET_MEAN), ("pixel_std", IMAGENET_STD)):
            tensor = torch.tensor(values, dtype=torch.float32, device=self.q.weight.device).view(
                1, 3, 1, 1
            )
            self.register_buffer(name, tensor, persistent=False)
        return self

    def forward(self, images: torch.Tensor, tome_ratio: float = 0.0) -> Segmentation:
        """Segment images, (B, 3, S, S) float32, RGB in 0..1, padded below and to the right with
        zeros.

        `tome_ratio`, 0 to 0.7: share of the patch tokens merged away before each attention.
        """
        tokens, features = self._run_blocks(images, tome_ratio)
        return Segmentation(*self._predict(tokens), features)

    def features(self, images: torch.Tensor, tome_ratio: float = 0.0) -> torch.Tensor:
        """The `Segmentation.features` of images alone; the same as `forward`'s, without masks and
        classes.
        """
        return self._run_blocks(images, tome_ratio)[1]

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

    def predict_each_block(
        self,
        images: torch.Tensor,
        mask_probabilities: Sequence[float],
        generator: torch.Generator | None = None,
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Masks and classes, as (mask_logits, class_logits) of `Segmentation`, before each query
        block and at the end.

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
        for index, probability in zip(
            range(self.query_block, self.depth), mask_probabilities, strict=True
        ):
            predictions.append(self._predict(tokens))
            mask = None
            if probability > 0:
                mask = self._attention_mask(
                    predictions[-1][0].detach(), tokens.shape[1], probability, generator
                )
            tokens = self.backbone.run_block(index, tokens, rope, mask=mask)
        return [*predictions, self._predict(tokens)]

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
        normalised = (images - self.pixel_mean) / self.pixel_std
        return self.backbone.embed(normalised.to(self.q.weight.dtype))

    def _add_queries(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.cat((self.q.weight.expand(len(tokens), -1, -1), tokens), dim=1)

    def _predict(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.backbone.norm(tokens)
        queries = tokens[:, : self.q.num_embeddings]
        pixels = self.upscale(self._patches(tokens))
        return torch.einsum("bqc,bchw->bqhw", self.mask_head(queries), pixels), self.class_head(
            queries
        )

    def _patches(self, tokens: torch.Tensor) -> torch.Tensor:
        """The patch tokens as an image, (B, D, grid, grid)."""
        grid = self.backbone.grid
        return tokens[:, -(grid**2) :].transpose(1, 2).unflatten(2, (grid, grid))


class UpscaleBlock(nn.Module):
    """Doubles the resolution of (B, D, h, w)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.ConvTranspose2d(dim, dim, kernel_size=2, stride=2)
        self.act = nn.GELU()
        self.conv2 = nn.Conv2d(dim, dim, kernel_size=3, padding=1, groups=dim, bias=False)
        self.norm = LayerNorm2d(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        double = self._double if x.requires_grad and x.device.type == "cpu" else self.conv1
        return self.norm(self.conv2(self.act(double(x))))

    def _double(self, x: torch.Tensor) -> torch.Tensor:
        """`conv1`, whose kernels do not overlap, as a product with channels last: on CPUs its
        gradient is faster.
        """
        dim, (batch, _, height, width) = self.conv1.out_channels, x.shape
        weight = self.conv1.weight.permute(2, 3, 1, 0).flatten(0, 2)
        y = F.linear(x.permute(0, 2, 3, 1), weight, self.conv1.bias.repeat(4))
        y = y.view(batch, height, width, 2, 2, dim).permute(0, 1, 3, 2, 4, 5)
        return y.reshape(batch, 2 * height, 2 * width, dim).permute(0, 3, 1, 2)
