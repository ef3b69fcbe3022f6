"""What calibration and the toy diffusion model learn from: latents and captions of images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from dsflash_ros.data.psg import Record
from dsflash_ros.data.views import Views
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.diffusion.text_tokens import TextTokens
from dsflash_ros.progress_bar import progress
from dsflash_ros.training.diffusion.captions import caption, largest_first


class Examples(NamedTuple):
    """N images as a diffusion model sees them.

    Attributes:
        images: (N, 3, S, S) uint8, small enough for the image encoder; see `read_examples`.
        latents: (N, C, h, w) float16.
        captions: for each image the caption of its largest relations, then those in random orders.
    """

    images: torch.Tensor
    latents: torch.Tensor
    captions: list[list[str]]


@torch.no_grad()
def read_examples(
    records: Sequence[Record],
    vocabulary: Vocabulary,
    latents: nn.Module,
    tokens: TextTokens,
    image_size: int,
    embedded_size: int,
    shuffled: int = 0,
    seed: int = 0,
) -> Examples:
    """Read images, in the letterbox of inference, and say what their relations are.

    Args:
        records: images that have relations.
        vocabulary: of their data set.
        latents: images to latents, see `latents.py`.
        tokens: says how long a caption may be.
        image_size: side of the network input.
        embedded_size: side of the images that are kept, for the image encoder.
        shuffled: captions with random orders, beside the one with the largest relations first.
        seed: of these orders.
    """
    device = next(latents.parameters(), torch.empty(0)).device
    images, found, texts = [], [], []
    views = Views(records, image_size)
    for index, record in enumerate(progress(records, "reading images", len(records), "image")):
        view = views[index]
        pixels = torch.from_numpy(view.image).permute(2, 0, 1)[None].float()
        small = nn.functional.interpolate(pixels, (embedded_size,) * 2, mode="area")
        images.append(small.round().byte())
        found.append(latents(pixels.to(device) / 255).half().cpu())
        areas = np.bincount(view.labels[view.labels >= 0], minlength=len(record.class_ids))
        random = np.random.default_rng((seed, index))
        orders = [largest_first(record, areas)]
        orders += [random.permutation(len(record.relations)) for _ in range(shuffled)]
        texts.append([caption(record, vocabulary, order, _fitting(tokens)) for order in orders])
    return Examples(torch.cat(images), torch.cat(found), texts)


def _fitting(tokens: TextTokens):
    return lambda text: tokens.count(text) <= tokens.length
