"""The last layer of a head: its outputs are names, learned one by one or given as text embeddings.

Among the names is one that is none of them: "no object" or "no relation".
"""

import torch
import torch.nn.functional as F
from torch import nn

COSINE_SCALE = 12.0
"""What a cosine is multiplied with before training."""


class OpenLogits(nn.Module):
    """Logits of names by the cosine of features and text embeddings (SPADE section 3.2).

    "None" has no words, so its logit stays that of a linear layer.

    Attributes:
        names: (count, text_dim) float32, embeddings of length 1. A buffer that may be replaced by
            one with more or fewer names at any time.
    """

    def __init__(self, dim: int, text_dim: int, count: int, none_first: bool) -> None:
        """A new layer for features of `dim` numbers.

        `none_first`: "none" is the first logit, else the last.
        """
        super().__init__()
        self.none_first = none_first
        self.project = nn.Linear(dim, text_dim)
        self.none = nn.Linear(dim, 1)
        self.log_scale = nn.Parameter(torch.tensor(COSINE_SCALE).log())
        self.shift = nn.Parameter(torch.zeros(()))
        self.register_buffer("names", F.normalize(torch.randn(count, text_dim), dim=1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(..., dim) to (..., 1 + count), or (..., count + 1)."""
        words = F.normalize(self.project(features), dim=-1)
        logits = self.log_scale.exp() * (words @ self.names.T) + self.shift
        none = self.none(features)
        return torch.cat((none, logits) if self.none_first else (logits, none), dim=-1)

    def set_names(self, names: torch.Tensor) -> None:
        """Tell other names apart, (count, text_dim)."""
        self.names = names.to(self.names)


def make_logits(dim: int, count: int, text_dim: int, none_first: bool) -> nn.Module:
    """The layer for `count` names and none: closed, or open where `text_dim` is not 0."""
    if text_dim:
        return OpenLogits(dim, text_dim, count, none_first)
    return nn.Linear(dim, 1 + count)


def has_same_tensors(one: dict, other: dict, prefix: str) -> bool:
    """Whether two state dicts have tensors of the same names under a prefix: heads of one kind."""
    names = [{name for name in state if name.startswith(prefix)} for state in (one, other)]
    return names[0] == names[1]


@torch.no_grad()
def scale_none(layer: nn.Module, slope: float, intercept: float) -> None:
    """Let the layer's first logit, that of none, be slope * x + intercept where it was x."""
    none = layer.none if isinstance(layer, OpenLogits) else layer
    none.weight[0] *= slope
    none.bias[0] = slope * none.bias[0] + intercept
