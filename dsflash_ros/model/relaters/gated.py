"""Both directions of a pair from one vector, by DSFlash's gate (Eqs. 2 to 6)."""

import torch
from torch import nn

from dsflash_ros.model.layers.named_logits import OpenLogits, make_logits, scale_none
from dsflash_ros.model.relaters.relater import PairInputs, PairOutput, RelationStage


class GatedRelations(RelationStage):
    """Base of relation stages that end in DSFlash's gate and head.

    A subclass calls `add_gate` at the end of its `__init__`, and has `prepare` and `encode`.
    """

    def add_gate(self, dim: int, num_predicates: int, text_dim: int = 0) -> None:
        """Make gate and head for vectors of `dim` numbers; `num_predicates` is without "none".

        `text_dim`: of the text embeddings of an open head; 0 makes a closed one.
        """
        self.num_predicates = num_predicates
        self.gate = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.head = nn.Sequential(
            nn.Linear(dim, 2 * dim),
            nn.ReLU(),
            make_logits(2 * dim, num_predicates, text_dim, none_first=True),
        )

    @property
    def predicate_names(self) -> torch.Tensor:
        """(predicates, D), of an open head."""
        return self.head[-1].names

    def encode(self, inputs: PairInputs, **options) -> torch.Tensor:
        """A vector x, (n, dim), for each unordered pair."""
        raise NotImplementedError

    def relate(self, inputs: PairInputs, **options) -> PairOutput:
        """See `RelationStage`; options are those of `encode`."""
        x = self.encode(inputs, **options)
        with torch.autocast(x.device.type, enabled=False):  # see `keep_precise`
            directions = self.disentangle(x.to(self.head[0].weight.dtype))
            return PairOutput(self.head(directions), directions)

    def disentangle(self, x: torch.Tensor) -> torch.Tensor:
        """Vectors of pairs, (n, dim), to features of both directions, (n, 2, dim) (Eqs. 2 to 4)."""
        gate = self.gate(x).sigmoid()
        return torch.stack((gate * x, (1 - gate) * x), dim=1)

    def rescale(self, slope: float, intercept: float) -> None:
        """See `RelationStage`. Output 0 of the head is the logit of "no relation"."""
        scale_none(self.head[-1], slope, -intercept)

    def name_predicates(self, embeddings: torch.Tensor) -> None:
        """See `RelationStage`."""
        if not isinstance(self.head[-1], OpenLogits):
            return super().name_predicates(embeddings)
        self.num_predicates = len(embeddings)
        self.head[-1].set_names(embeddings)

    def keep_precise(self) -> None:
        """Keep gate and head in float32: in bfloat16 a quarter of all scores would be ties."""
        self.gate.float()
        self.head.float()

    @torch.inference_mode()
    def make_decisive(
        self, features: torch.Tensor, inputs: PairInputs, spread: float = 2.0
    ) -> None:
        """Centre the logits, and give them the standard deviation `spread`."""
        logits = self(inputs._replace(prepared=self.prepare(features))).flatten(0, 1)
        centre = logits.mean(0)
        scale = spread / (logits - centre).std()
        last = self.head[-1]
        last.weight.mul_(scale)
        last.bias.sub_(centre).mul_(scale)
