"""Multi-scale deformable attention in plain PyTorch (Zhu et al., "Deformable DETR", 2021)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from dsflash_ros.model.segmenters.mask2former.mask2former_settings import HEADS

POINTS = 4
"""That each query samples in each map, for each head."""

Shapes = Sequence[tuple[int, int]]
"""(height, width) of each map, the coarsest first."""


class DeformableAttention(nn.Module):
    """Each query gathers values at a few places around its own, in each of several maps.

    Which places, and with what weights, linear layers read off the query.
    """

    def __init__(self, dim: int, levels: int) -> None:
        """`levels`: number of maps."""
        super().__init__()
        self.levels = levels
        self.offsets = nn.Linear(dim, HEADS * levels * POINTS * 2)
        self.weights = nn.Linear(dim, HEADS * levels * POINTS)
        self.value = nn.Linear(dim, dim)
        self.output = nn.Linear(dim, dim)
        self._initialise()

    def _initialise(self) -> None:
        """Look outwards at first: head i in direction i, its points at distances 1, 2, ..."""
        angle = torch.arange(HEADS) * (2 * math.pi / HEADS)
        directions = torch.stack((angle.cos(), angle.sin()), dim=1)
        directions = directions / directions.abs().amax(1, keepdim=True)
        distances = torch.arange(1, POINTS + 1).view(-1, 1)
        ring = (directions.view(HEADS, 1, 1, 2) * distances).expand(-1, self.levels, -1, -1)
        nn.init.zeros_(self.offsets.weight)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)
        with torch.no_grad():
            self.offsets.bias.copy_(ring.reshape(-1))
        for linear in (self.value, self.output):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self, queries: torch.Tensor, tokens: torch.Tensor, places: torch.Tensor, shapes: Shapes
    ) -> torch.Tensor:
        """What queries (B, Q, dim) gather from the maps: (B, Q, dim).

        Args:
            queries: with positions.
            tokens: (B, K, dim), the maps row by row, one after the other.
            places: (Q, levels, 2) float32, see `places_in`.
            shapes: of the maps.
        """
        batch, count, dim = queries.shape
        # Places stay in float32: in half precision they would jump from pixel to pixel.
        offsets = self.offsets(queries).float().view(batch, count, HEADS, self.levels, POINTS, 2)
        places = places.view(count, 1, self.levels, 1, 2) + offsets
        weights = self.weights(queries).float().view(batch, count, HEADS, -1).softmax(-1)
        weights = weights.view(batch, count, HEADS, self.levels, POINTS)
        values = self.value(tokens).view(batch, -1, HEADS, dim // HEADS)
        on_cpu, learns = values.device.type == "cpu", torch.is_grad_enabled()
        bags = on_cpu and not learns and not torch.onnx.is_in_onnx_export()  # ONNX has none
        sample = sample_in_bags if bags else sample_by_grid
        with torch.autocast(values.device.type, enabled=False):
            gathered = sample(values, places, weights, shapes)
        return self.output(gathered.to(values.dtype))


def places_in(shapes: Shapes, device: torch.device | None = None) -> torch.Tensor:
    """Where each pixel of all maps lies in each map: (Q, levels, 2) float32, x and y in pixels.

    0 is the centre of a map's first pixel.
    """
    own = []
    for height, width in shapes:
        y = (torch.arange(height, dtype=torch.float32, device=device) + 0.5) / height
        x = (torch.arange(width, dtype=torch.float32, device=device) + 0.5) / width
        own.append(torch.stack((x.expand(height, -1), y.view(-1, 1).expand(-1, width)), dim=-1))
    shares = torch.cat([places.flatten(0, 1) for places in own])
    sizes = torch.tensor([(width, height) for height, width in shapes], device=device)
    return shares.unsqueeze(1) * sizes - 0.5


def sample_in_bags(
    values: torch.Tensor, places: torch.Tensor, weights: torch.Tensor, shapes: Shapes
) -> torch.Tensor:
    """Weighted sums of bilinear samples; nothing lies outside the maps.

    Each query and head is a bag of an `embedding_bag`: rows of `values`, four around each place,
    with weights. This is what `sample_by_grid` gives, and on CPUs several times faster, as it
    gathers and sums at once and never stores a sample. Its gradients are several times slower.

    Args:
        values: (B, K, heads, d), the maps row by row, one after the other.
        places: (B, Q, heads, levels, points, 2) float32, x and y in pixels of each map.
        weights: (B, Q, heads, levels, points) float32.
        shapes: of the maps.

    Returns (B, Q, heads * d) float32.
    """
    batch, tokens, heads, channels = values.shape
    count = places.shape[1]
    device = values.device
    index, share = [], []
    first = 0
    for level, (height, width) in enumerate(shapes):
        columns = _neighbours(places[:, :, :, level, :, 0], width)
        rows = _neighbours(places[:, :, :, level, :, 1], height)
        for row, row_share in rows:
            start, row_share = row * width + first, row_share * weights[:, :, :, level]
            for column, column_share in columns:
                index.append(start + column)
                share.append(row_share * column_share)
        first += height * width
    index, share = torch.stack(index, dim=-1), torch.stack(share, dim=-1)
    image = torch.arange(batch, dtype=torch.int32, device=device).view(-1, 1, 1, 1, 1) * tokens
    head = torch.arange(heads, dtype=torch.int32, device=device).view(-1, 1, 1)
    index = (index + image) * heads + head
    return F.embedding_bag(
        index.view(batch * count * heads, -1),
        values.float().reshape(-1, channels),
        per_sample_weights=share.view(batch * count * heads, -1),
        mode="sum",
    ).view(batch, count, heads * channels)


def _neighbours(places: torch.Tensor, length: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The pixels before and after each place along one side of a map, int32, and their shares.

    Pixels outside have none; they are given as the nearest inside.
    """
    # Far outside is as good as just outside, and fits into an integer.
    places = places.clamp(-2, length + 1)
    before = places.floor()
    after = places - before
    neighbours = []
    for pixel, share in ((before, 1 - after), (before + 1, after)):
        inside = pixel.clamp(0, length - 1)
        neighbours.append((inside.int(), share * (inside == pixel)))
    return neighbours


def sample_by_grid(
    values: torch.Tensor, places: torch.Tensor, weights: torch.Tensor, shapes: Shapes
) -> torch.Tensor:
    """See `sample_in_bags`, whose numbers these are; with `grid_sample`, map by map."""
    batch, _, heads, width = values.shape
    count = places.shape[1]
    total = values.new_zeros(batch * heads, width, count, dtype=torch.float32)
    maps = values.float().split([rows * columns for rows, columns in shapes], dim=1)
    for level, (rows, columns) in enumerate(shapes):
        image = maps[level].permute(0, 2, 3, 1).reshape(batch * heads, width, rows, columns)
        size = places.new_tensor((columns, rows))
        grid = (2 * places[:, :, :, level] + 1) / size - 1
        grid = grid.transpose(1, 2).flatten(0, 1)
        samples = F.grid_sample(image, grid, align_corners=False)
        share = weights[:, :, :, level].transpose(1, 2).reshape(batch * heads, 1, count, -1)
        total = total + (samples * share).sum(-1)
    return total.view(batch, heads * width, count).transpose(1, 2)
