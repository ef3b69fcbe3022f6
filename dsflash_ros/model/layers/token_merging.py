"""Token merging with unmerge, ToMe-SD style (DSFlash section 3.5; Bolya and Hoffman, 2023)."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Merging:
    """Which tokens go together. Made by `match_tokens`.

    Attributes:
        slot: (B, N) int64; the merged token, 0 to M - 1, that each token goes into.
        size: M.
    """

    slot: torch.Tensor
    size: int

    def merge(self, tokens: torch.Tensor) -> torch.Tensor:
        """Average the tokens, (B, N, C), of each slot: (B, M, C)."""
        index = self.slot.unsqueeze(-1).expand_as(tokens)
        merged = tokens.new_zeros(tokens.shape[0], self.size, tokens.shape[2])
        return merged.scatter_reduce(1, index, tokens, "mean", include_self=False)

    def unmerge(self, merged: torch.Tensor) -> torch.Tensor:
        """Give each token, (B, N, C), the value of its slot, (B, M, C)."""
        return merged.gather(1, self.slot.unsqueeze(-1).expand(-1, -1, merged.shape[2]))


def match_tokens(tokens: torch.Tensor, grid: int, ratio: float) -> Merging:
    """Bipartite soft matching of patch tokens, (B, grid * grid, C) in row-major order.

    The top left token of every 2x2 window is a destination, all others are sources (an odd last row
    or column is source only). The `int(ratio * N)` sources most similar (cosine) to their best
    destination merge into it. ToMe-SD draws the destination of a window at random; here it is
    fixed, so that the same image always gives the same graph. `ratio` is 0 to 0.7; no token but a
    patch may be passed.
    """
    count = grid * grid
    is_destination = torch.zeros(grid, grid, dtype=torch.bool, device=tokens.device)
    is_destination[: grid // 2 * 2 : 2, : grid // 2 * 2 : 2] = True
    order = is_destination.flatten().logical_not().long().argsort(stable=True)
    destinations, sources = order[: (grid // 2) ** 2], order[(grid // 2) ** 2 :]

    direction = torch.nn.functional.normalize(
        tokens, dim=-1, eps=1e-6
    )  # the default is zero in float16
    similarity = direction[:, sources] @ direction[:, destinations].transpose(1, 2)
    best, partner = similarity.max(dim=-1)  # (B, sources)
    chosen = best.topk(min(int(ratio * count), len(sources)), dim=-1, sorted=False).indices

    keeps = torch.ones(tokens.shape[0], count, dtype=torch.bool, device=tokens.device)
    keeps.scatter_(1, sources[chosen], False)
    slot = keeps.cumsum(1) - 1
    slot.scatter_(1, sources[chosen], slot.gather(1, destinations[partner.gather(1, chosen)]))
    return Merging(slot, count - chosen.shape[1])
