"""Panoptic merging: from queries to segments that do not overlap, one for each instance."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from dsflash_ros.model.segmenters.eomt_sizes import EOMT_THRESHOLD


@dataclass(frozen=True)
class Segments:
    """The segments of one image, in the order of their first queries.

    Attributes:
        labels: (h, w) int64; the segment, 0 to S - 1, that each pixel belongs to, or -1.
        class_ids: (S,) int64.
        scores: (S,) float32; class probability of the segment's best query.
        class_probabilities: (S, C) float32; all of that query's, without "no object".
    """

    labels: torch.Tensor
    class_ids: torch.Tensor
    scores: torch.Tensor
    class_probabilities: torch.Tensor

    def __len__(self) -> int:
        return len(self.class_ids)

    def select(self, keep: torch.Tensor) -> "Segments":
        """Only the segments where `keep`, (S,) bool, holds, numbered anew."""
        renumbered = torch.where(keep, keep.cumsum(0) - 1, -1)
        labels = torch.where(self.labels < 0, -1, renumbered[self.labels])
        return Segments(
            labels, self.class_ids[keep], self.scores[keep], self.class_probabilities[keep]
        )

    def masks(self) -> torch.Tensor:
        """(S, h, w) bool."""
        return self.labels == torch.arange(len(self), device=self.labels.device).view(-1, 1, 1)


def merge_panoptic(
    mask_logits: torch.Tensor,
    class_logits: torch.Tensor,
    num_things: int,
    mask_threshold: float = EOMT_THRESHOLD,
    overlap_threshold: float = EOMT_THRESHOLD,
    side: int | None = None,
    crop: tuple[int, int] | None = None,
) -> Segments:
    """Segments of one image from mask logits (Q, h, w) and class logits (Q, C + 1).

    The last class is "no object", classes below `num_things` are things. EoMT's rule, which is
    Mask2Former's: queries of a class probability above `mask_threshold` compete; a pixel goes to
    the query with the highest class x mask probability; a query that wins fewer than
    `overlap_threshold` of the pixels that its mask has at 0.5 is dropped; of what it won it keeps
    the pixels where its own mask is at least 0.5; queries of one stuff class become one segment.
    Everything stays on the tensors' device.

    The logits of the competing queries are scaled to (`side`, `side`) (default: not at all, section
    3.2) and cropped to the top left `crop`, (h, w), before they are merged.
    """
    probabilities = class_logits.float().softmax(-1)
    scores, classes = probabilities.max(-1)
    kept = ((classes < class_logits.shape[-1] - 1) & (scores > mask_threshold)).nonzero().squeeze(1)
    scores, classes, probabilities = scores[kept], classes[kept], probabilities[kept, :-1]
    size = mask_logits.shape[1:] if side is None else (side, side)
    height, width = crop or size
    if len(kept) == 0:
        nothing = torch.full((height, width), -1, device=mask_logits.device)
        return Segments(nothing, classes, scores, probabilities)

    logits = _upsample(mask_logits[kept].float(), tuple(size), height, width)
    winner, won_inside, valid = _compete(logits, scores, overlap_threshold)
    leader = _leaders(classes, valid, num_things)
    leads = valid & (leader == torch.arange(len(kept), device=classes.device))
    segment = torch.where(valid, (leads.cumsum(0) - 1)[leader], -1)

    labels = torch.where(won_inside, segment[winner], -1)
    best = torch.zeros_like(scores).scatter_reduce(0, leader, scores * valid, "amax")[leads]
    joined = (leader == leads.nonzero()) & valid  # (S, kept): the queries of each segment
    best_query = (joined & (scores == best.unsqueeze(1))).int().argmax(1)
    return Segments(labels, classes[leads], best, probabilities[best_query])


def _compete(
    logits: torch.Tensor, scores: torch.Tensor, overlap_threshold: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which of K queries, mask logits (K, h, w) and scores (K,), wins each pixel.

    Returns the winner, (h, w) int64; whether the pixel is inside the winner's own mask, (h, w)
    bool; and which queries keep enough of their masks, (K,) bool.
    """
    probabilities = logits.sigmoid()
    # on CPUs several times faster than argmax(0)
    winner = (scores.view(-1, 1, 1) * probabilities).max(0).indices
    inside = probabilities >= 0.5
    won_inside = inside.gather(0, winner.unsqueeze(0)).squeeze(0)
    mask_area = inside.flatten(1).sum(1)
    pixels = (winner * 2 + won_inside).flatten().bincount(minlength=2 * len(scores)).view(-1, 2)
    won_area, own_area = pixels.sum(1), pixels[:, 1]
    # own_area > 0 implies mask_area > 0, so that the ratio below is finite wherever it counts.
    valid = (own_area > 0) & (won_area / mask_area >= overlap_threshold)
    return winner, won_inside, valid


def _leaders(classes: torch.Tensor, valid: torch.Tensor, num_things: int) -> torch.Tensor:
    """(K,) int64: the query whose segment each valid one of K queries joins.

    That is itself, or the first valid one of its stuff class.
    """
    same_stuff = (classes == classes.unsqueeze(1)) & (classes >= num_things) & valid
    itself = torch.eye(len(classes), dtype=torch.bool, device=classes.device)
    return (same_stuff | itself).int().argmax(1)


def _upsample(logits: torch.Tensor, size: tuple[int, int], height: int, width: int) -> torch.Tensor:
    """Scale (K, h, w) to `size` and crop to (height, width).

    By a whole factor, only what the crop needs is scaled.
    """
    if size == logits.shape[1:]:
        return logits[:, :height, :width]
    factor = size[0] // logits.shape[1]
    if (logits.shape[1] * factor, logits.shape[2] * factor) == size:
        # one row and column more than is seen, to interpolate with
        logits = logits[:, : -(-height // factor) + 1, : -(-width // factor) + 1]
        size = (logits.shape[1] * factor, logits.shape[2] * factor)
    return F.interpolate(logits.unsqueeze(0), size, mode="bilinear").squeeze(0)[:, :height, :width]


def boxes_of(masks: torch.Tensor) -> torch.Tensor:
    """Tightest boxes around non-empty masks (S, h, w): (S, 4) int64.

    x0, y0, x1, y1, the last two exclusive.
    """
    sides = []
    for length, filled in ((masks.shape[2], masks.any(1)), (masks.shape[1], masks.any(2))):
        first = filled.int().argmax(1)
        last = length - filled.flip(1).int().argmax(1)
        sides.append((first, last))
    (x0, x1), (y0, y1) = sides
    return torch.stack((x0, y0, x1, y1), dim=1)
