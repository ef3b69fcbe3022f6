"""Where do merged tokens stand? Four rotary positions for the tokens that DINOv3 merges.

    python benchmarks/merged_positions.py IMAGE…

Prints how far the features with merging are from those without it: ||merged - plain|| / ||plain||.
The weights are random, but queries and keys are alike and scaled by a sharpness, so that attention
depends on positions.
"""

import math
import sys

import cv2
import numpy as np
import torch

from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.token_merging import Merging
from dsflash_ros.model.segmenters import backbone
from dsflash_ros.model.segmenters.eomt import EoMT, make_eomt
from dsflash_ros.pipeline.resizing import fit_image

SIDE, GRID = 320, 20


def mean(merging: Merging, rope: torch.Tensor, periods: torch.Tensor) -> torch.Tensor:
    """The mean of sines and cosines. All ways give (B, merged tokens, 2 * dim), as `rope` is."""
    return merging.merge(rope)


def circular_mean(merging: Merging, rope: torch.Tensor, periods: torch.Tensor) -> torch.Tensor:
    """What the model does: the mean of sines and cosines, back on the unit circle."""
    return ORIGINAL(merging.merge(rope))


def centroid(merging: Merging, rope: torch.Tensor, periods: torch.Tensor) -> torch.Tensor:
    """The position of the mean of the patches' centres."""
    centres = (torch.arange(GRID) + 0.5) / GRID * 2 - 1
    position = torch.stack(torch.meshgrid(centres, centres, indexing="ij"), dim=-1).view(1, -1, 2)
    angle = (
        2 * math.pi * merging.merge(position.expand(len(rope), -1, -1))[..., None] / periods
    ).flatten(2)
    angle = torch.cat((angle, angle), dim=-1)
    return torch.cat((angle.sin(), angle.cos()), dim=-1)


def destination(merging: Merging, rope: torch.Tensor, periods: torch.Tensor) -> torch.Tensor:
    """The position of the token that the others are merged into."""
    # Each destination starts a 2x2 window; a slot without one is a single token.
    token = torch.arange(GRID**2)
    first = (token // GRID % 2 == 0) & (token % GRID % 2 == 0)
    chosen = torch.zeros(len(rope), merging.size, dtype=torch.long).scatter_(
        1, merging.slot, token.expand(len(rope), -1)
    )
    chosen.scatter_(1, merging.slot[:, first], token[first].expand(len(rope), -1))
    return rope.gather(1, chosen.unsqueeze(-1).expand(-1, -1, rope.shape[2]))


ORIGINAL = backbone._circular_mean
WAYS = (mean, circular_mean, centroid, destination)


def model_with_positions(sharpness: float, seed: int) -> EoMT:
    """A DINOv3 EoMT with random weights whose attention depends on positions."""
    torch.manual_seed(seed)
    model = make_eomt(ModelConfig("small", "dinov3", SIDE)).eval()
    for block in model.backbone.vit.blocks:
        dim = block.attn.proj.in_features
        weight = torch.randn(3 * dim, dim) / dim**0.5
        weight[dim : 2 * dim] = weight[:dim]
        weight[:dim] *= sharpness
        block.attn.qkv.weight.copy_(weight)
        block.gamma_1.fill_(1)
        block.gamma_2.fill_(1)
    return model


@torch.inference_mode()
def main() -> None:
    """Print a row for each sharpness and ratio, means over three seeds."""
    images = [cv2.imread(path)[..., ::-1].copy() for path in sys.argv[1:]]
    squares = np.stack([fit_image(image, Letterbox(*image.shape[:2], SIDE)) for image in images])
    batch = torch.from_numpy(squares).permute(0, 3, 1, 2) / 255
    print("sharpness  ratio  " + "".join(f"{way.__name__:>15}" for way in WAYS))
    for sharpness in (1, 3, 6):
        for ratio in (0.3, 0.6):
            errors = np.zeros(len(WAYS))
            for seed in range(3):
                model = model_with_positions(sharpness, seed)
                plain = model(batch).features
                periods = model.backbone.vit.rope.periods
                for index, way in enumerate(WAYS):
                    with merged_positions(way, periods):
                        errors[index] += (
                            (model(batch, tome_ratio=ratio).features - plain).norm() / plain.norm()
                        ).item() / 3
            print(
                f"{sharpness:9}  {ratio:5}  " + "".join(f"{error:15.4f}" for error in errors),
                flush=True,
            )


class merged_positions:
    """Form the positions of merged tokens another way for a while."""

    def __init__(self, way, periods: torch.Tensor) -> None:
        self.way, self.periods, self.matched = way, periods, None

    def __enter__(self) -> None:
        match = backbone.match_tokens

        def remember(tokens, grid, ratio):
            self.matched = match(tokens, grid, ratio)
            return self.matched

        self.match = match
        backbone.match_tokens = remember
        # The averaged rope that comes in is dropped; the rope of all patches is what it was
        # averaged from.
        backbone._circular_mean = lambda averaged: self.way(
            self.matched, self.full(len(averaged)), self.periods
        )

    def __exit__(self, *_) -> None:
        backbone.match_tokens, backbone._circular_mean = self.match, ORIGINAL

    def full(self, batch: int) -> torch.Tensor:
        identity = Merging(torch.arange(GRID**2).expand(batch, -1), GRID**2)
        return centroid(identity, torch.empty(batch), self.periods)


if __name__ == "__main__":
    main()
