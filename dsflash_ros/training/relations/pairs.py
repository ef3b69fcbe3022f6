"""From annotated relations to the pairs of a training step and their targets."""

import numpy as np
import torch


def sample_pairs(
    relations: torch.Tensor, count: int, negative_share: float, random: np.random.Generator
) -> torch.Tensor:
    """Unordered pairs to learn from in an image of `count` segments: (n, 2) int64, a < b.

    All pairs that `relations`, (R, 3) int64, relates in either direction, and at random, on
    average, `negative_share` times R of the others (supplement section 11: one for five relations).
    """
    related = torch.zeros(count, count, dtype=torch.bool)
    related[relations[:, 0], relations[:, 1]] = True
    related |= related.T.clone()
    above = torch.ones(count, count, dtype=torch.bool).triu(1)
    unrelated = (above & ~related).nonzero()
    # Five relations make one negative; an image of two relations gets one in two of five times.
    wanted = int(negative_share * len(relations) + random.random())
    chosen = torch.from_numpy(random.permutation(len(unrelated))[:wanted])
    return torch.cat(((above & related).nonzero(), unrelated[chosen]))


def pair_targets(relations: torch.Tensor, pairs: torch.Tensor, num_predicates: int) -> torch.Tensor:
    """Targets of both directions of pairs, (n, 2): (n, 2, 1 + predicates) float32, 0 or 1.

    A directed pair may have several predicates; one without any has "no relation", index 0.
    """
    directed = torch.stack((pairs, pairs.flip(1)), dim=1)  # (n, 2, 2)
    same = (directed.unsqueeze(2) == relations[:, :2]).all(-1)  # (n, 2, R)
    predicates = torch.nn.functional.one_hot(relations[:, 2], num_predicates)
    holds = (same.float() @ predicates.float()).clamp(max=1)
    return torch.cat((1 - holds.amax(-1, keepdim=True), holds), dim=-1)


def predicate_weights(
    images: list[torch.Tensor], num_predicates: int, negative_share: float
) -> torch.Tensor:
    """Weights of the cross entropy's positive terms that balance predicates.

    DSFormer's rule: images that lack a predicate over images that have it; for "no relation" one
    over the share of negatives. A predicate that never occurs counts as if one image had it.

    `images` are the relations of each image, (R, 3). The result is (1 + predicates,) float32.
    """
    has = torch.stack(
        [relations[:, 2].bincount(minlength=num_predicates) > 0 for relations in images]
    )
    positive = has.sum(0).clamp(min=1).float()
    weights = ((len(images) - positive) / positive).clamp(min=1 / len(images))
    no_relation = 1 / negative_share if negative_share else 1.0
    return torch.cat((torch.tensor([no_relation]), weights))
