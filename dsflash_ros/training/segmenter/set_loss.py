"""EoMT's loss, which is Mask2Former's: queries are matched with segments, then compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F

from dsflash_ros.errors import missing_extra

try:
    from scipy.optimize import linear_sum_assignment
except ImportError as error:
    raise missing_extra("train", error) from error

HOPELESS = 1e6
"""Cost of a pair whose true cost is no number.

Large, so that it is matched last, yet small enough to leave the others their digits.
"""


class SetLosses(NamedTuple):
    """Scalars, float32, summed over the predictions: the weighted total, its parts unweighted."""

    total: torch.Tensor
    mask: torch.Tensor
    dice: torch.Tensor
    classes: torch.Tensor


class Matches(NamedTuple):
    """M pairs of a query and the segment that it should find.

    Each field is (M,) int64, on the predictions' device.
    """

    images: torch.Tensor
    queries: torch.Tensor
    segments: torch.Tensor


@dataclass(frozen=True)
class SetLoss:
    """Compares predictions with segments, at points instead of at every pixel.

    Attributes:
        num_points: points at which a mask is compared.
        oversample: candidates for each point; of these, the ones whose logits are nearest to 0 are
            taken.
        importance: share of the points that are chosen so; the others are drawn evenly.
        mask_weight, dice_weight, class_weight: of the parts, both in the total and when queries are
            matched.
        no_object_weight: weight of a query without a segment in the cross entropy; one with a
            segment has 1.
    """

    num_points: int = 12544
    oversample: float = 3.0
    importance: float = 0.75
    mask_weight: float = 5.0
    dice_weight: float = 5.0
    class_weight: float = 2.0
    no_object_weight: float = 0.1

    def __call__(
        self,
        predictions: Sequence[tuple[torch.Tensor, torch.Tensor]],
        labels: torch.Tensor,
        class_ids: Sequence[torch.Tensor],
        generator: torch.Generator | None = None,
    ) -> SetLosses:
        """The losses of a segmenter's training predictions, each matched by itself; in float32.

        Args:
            predictions: (mask_logits, class_logits) each, as in `Segmentation`.
            labels: (B, S, S) int, the segment of its image that a pixel belongs to; -1, or a number
                that is no segment's: none.
            class_ids: (n,) int64 for each image, of its segments.
            generator: draws the points; on the predictions' device.
        """
        with torch.autocast(labels.device.type, enabled=False):
            num_queries = predictions[0][0].shape[1]
            num_masks = _mean_over_processes(
                sum(min(len(ids), num_queries) for ids in class_ids), labels.device
            )
            parts = []
            for mask_logits, class_logits in predictions:
                mask_logits, class_logits = mask_logits.float(), class_logits.float()
                matches = self.match(mask_logits, class_logits, labels, class_ids, generator)
                mask, dice = self._mask_losses(mask_logits, labels, matches, generator)
                classes = self._class_loss(class_logits, class_ids, matches)
                parts.append((mask / num_masks, dice / num_masks, classes))
            mask, dice, classes = (torch.stack(part).sum() for part in zip(*parts, strict=True))
            total = self.mask_weight * mask + self.dice_weight * dice + self.class_weight * classes
            return SetLosses(total, mask, dice, classes)

    @torch.no_grad()
    def match(
        self,
        mask_logits: torch.Tensor,
        class_logits: torch.Tensor,
        labels: torch.Tensor,
        class_ids: Sequence[torch.Tensor],
        generator: torch.Generator | None = None,
    ) -> Matches:
        """The cheapest matching of queries with segments, one to one: min(Q, n) in each image.

        Masks are compared at points that all queries and segments of an image share.
        """
        costs = []
        for image, ids in enumerate(class_ids):
            size = (1, self.num_points, 2)
            points = torch.rand(size, generator=generator, device=mask_logits.device)
            found = _sample_logits(mask_logits[image : image + 1], points)[0]
            segments = torch.arange(len(ids), device=labels.device)
            wanted = sample_masks(labels, torch.full_like(segments, image), segments, points)
            cost = self.mask_weight * _pairwise_cross_entropy(found, wanted)
            cost += self.dice_weight * _pairwise_dice(found, wanted)
            cost -= self.class_weight * class_logits[image].softmax(-1)[:, ids]
            costs.append(cost.nan_to_num(HOPELESS, HOPELESS, HOPELESS))
        # one wait for the device, not one for each image
        together = torch.cat([cost.flatten() for cost in costs]).cpu()
        values = together.split([cost.numel() for cost in costs])
        pairs = []
        for image, cost in enumerate(costs):
            matrix = values[image].view(cost.shape).numpy()
            queries, segments = map(torch.from_numpy, linear_sum_assignment(matrix))
            pairs.append(torch.stack((torch.full_like(queries, image), queries, segments)))
        return Matches(*torch.cat(pairs, dim=1).to(mask_logits.device))

    def _mask_losses(
        self,
        mask_logits: torch.Tensor,
        labels: torch.Tensor,
        matches: Matches,
        generator: torch.Generator | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cross entropy and dice loss, summed over the matched masks."""
        logits = mask_logits[matches.images, matches.queries].unsqueeze(1)
        with torch.no_grad():
            points = self._choose_points(logits, generator)
            wanted = sample_masks(labels, matches.images, matches.segments, points)
        found = _sample_logits(logits, points).squeeze(1)
        mask = F.binary_cross_entropy_with_logits(found, wanted, reduction="none").mean(1).sum()
        probabilities = found.sigmoid()
        overlap, area = (probabilities * wanted).sum(1), (probabilities + wanted).sum(1)
        return mask, (1 - (2 * overlap + 1) / (area + 1)).sum()

    def _choose_points(
        self, logits: torch.Tensor, generator: torch.Generator | None
    ) -> torch.Tensor:
        """Points for each of M masks, (M, 1, h, w), most where it is undecided.

        The result is (M, num_points, 2), x and y in 0..1.
        """
        count, device = len(logits), logits.device
        candidates = torch.rand(
            count, int(self.num_points * self.oversample), 2, generator=generator, device=device
        )
        num_undecided = int(self.importance * self.num_points)
        sureness = _sample_logits(logits, candidates).squeeze(1).abs()
        undecided = (-sureness).topk(num_undecided, dim=1).indices
        chosen = candidates.gather(1, undecided.unsqueeze(2).expand(-1, -1, 2))
        others = torch.rand(
            count, self.num_points - num_undecided, 2, generator=generator, device=device
        )
        return torch.cat((chosen, others), dim=1)

    def _class_loss(
        self, class_logits: torch.Tensor, class_ids: Sequence[torch.Tensor], matches: Matches
    ) -> torch.Tensor:
        no_object = class_logits.shape[-1] - 1
        wanted = torch.full(class_logits.shape[:2], no_object, device=class_logits.device)
        first = torch.tensor([0, *(len(ids) for ids in class_ids)], device=wanted.device).cumsum(0)
        wanted[matches.images, matches.queries] = torch.cat(tuple(class_ids))[
            first[matches.images] + matches.segments
        ]
        weight = class_logits.new_ones(no_object + 1)
        weight[no_object] = self.no_object_weight
        return F.cross_entropy(class_logits.transpose(1, 2), wanted, weight)


def sample_masks(
    labels: torch.Tensor, images: torch.Tensor, segments: torch.Tensor, points: torch.Tensor
) -> torch.Tensor:
    """Shares, (M, P) float32 in 0..1, that M segments have of points, (M or 1, P, 2).

    x and y of a point are in 0..1. `segments`, (M,), are numbers in the maps `images`, (M,), of
    `labels`, (B, S, S) int. This is what sampling each mask bilinearly gives (`grid_sample`, zeros
    outside), but needs no image of floats for each mask.
    """
    height, width = labels.shape[1:]
    x, y = points[..., 0] * width - 0.5, points[..., 1] * height - 0.5
    shares = torch.zeros(len(segments), points.shape[1], device=points.device)
    for column in (x.floor(), x.floor() + 1):
        for row in (y.floor(), y.floor() + 1):
            weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
            weight = weight * ((column >= 0) & (column < width) & (row >= 0) & (row < height))
            rows, columns = row.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()
            shares += weight * (labels[images.unsqueeze(1), rows, columns] == segments.unsqueeze(1))
    return shares


def _sample_logits(logits: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Logits (N, C, h, w) at points (N, P, 2), x and y in 0..1: (N, C, P)."""
    return F.grid_sample(logits, 2 * points.unsqueeze(2) - 1, align_corners=False).squeeze(3)


def _pairwise_cross_entropy(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Mean binary cross entropy of each (Q, P) logits with each (n, P) mask: (Q, n)."""
    # softplus(x) is the cross entropy with 0; with 1 it is softplus(x) - x.
    return (F.softplus(logits).sum(1, keepdim=True) - logits @ masks.T) / logits.shape[1]


def _pairwise_dice(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Dice loss of each (Q, P) logits with each (n, P) mask: (Q, n)."""
    probabilities = logits.sigmoid()
    area = probabilities.sum(1, keepdim=True) + masks.sum(1)
    return 1 - (2 * probabilities @ masks.T + 1) / (area + 1)


def _mean_over_processes(count: int, device: torch.device) -> torch.Tensor:
    """Mean of the processes' counts, at least 1."""
    mean = torch.tensor(float(count), device=device)
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(mean)
        mean /= dist.get_world_size()
    return mean.clamp(min=1)
