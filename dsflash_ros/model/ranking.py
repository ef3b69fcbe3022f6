"""From logits to ranked relations: at most one for each directed pair, best first."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch

    from dsflash_ros.model.array_types import Array


class RankedRelations(NamedTuple):
    """Relations, best first; ties keep the order of the pairs.

    Attributes:
        pairs: (r, 2) int64, subject and object.
        predicates: (r,) int64, 0 to predicates - 1.
        scores: (r,) float32, 1 - probability of "no relation".
    """

    pairs: "Array"
    predicates: "Array"
    scores: "Array"

    def as_arrays(self) -> "RankedRelations":
        """The same in NumPy's arrays."""
        return RankedRelations(*(x if isinstance(x, np.ndarray) else x.cpu().numpy() for x in self))


NO_RELATIONS = RankedRelations(
    np.zeros((0, 2), np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
)


def rank_relations(
    logits: "torch.Tensor", pairs: "torch.Tensor", threshold: float = 0.0, limit: int | None = None
) -> RankedRelations:
    """Rank both directions of unordered pairs, (n, 2), by their logits, (n, 2, 1 + predicates).

    A directed pair scores 1 - sigmoid(no relation); its predicate is the best of the other logits.
    Pairs that score below `threshold` are left out, and all but the best `limit`.
    """
    directed = pairs[:, [[0, 1], [1, 0]]].flatten(0, 1)
    logits = logits.float().flatten(0, 1)
    scores, order = (-logits[:, 0]).sigmoid().sort(descending=True, stable=True)
    keep = scores >= threshold  # false for NaN, which sorts first
    order, scores = order[keep][:limit], scores[keep][:limit]
    return RankedRelations(directed[order], logits[order, 1:].argmax(1), scores)
