"""Ranking of relations by the rule of `rank_relations`, on NumPy's arrays."""

import numpy as np

from dsflash_ros.model.ranking import RankedRelations


def rank_arrays(
    logits: np.ndarray, pairs: np.ndarray, threshold: float = 0.0, limit: int | None = None
) -> RankedRelations:
    """Rank both directions of unordered pairs; arguments are those of `rank_relations`."""
    directed = pairs[:, [[0, 1], [1, 0]]].reshape(-1, 2)
    logits = logits.astype(np.float32).reshape(-1, logits.shape[-1])
    with np.errstate(over="ignore"):  # of a relation that certainly is none
        scores = 1 / (1 + np.exp(logits[:, 0]))
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= threshold][:limit]
    return RankedRelations(directed[order], logits[order, 1:].argmax(1), scores[order])
