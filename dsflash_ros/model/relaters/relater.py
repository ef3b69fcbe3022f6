"""What a relation stage is."""

from typing import NamedTuple

import torch
from torch import nn

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.relaters.pair_inputs import PairInputs


def known_classes(class_ids: torch.Tensor, num_classes: int) -> torch.Tensor:
    """`PairInputs.class_probabilities` of given classes, (S,) int64; where it is -1, all are 0."""
    return (class_ids.unsqueeze(1) == torch.arange(num_classes, device=class_ids.device)).float()


class PairOutput(NamedTuple):
    """What a relation stage says of n unordered pairs; [:, 0] is (a, b), [:, 1] is (b, a).

    Attributes:
        logits: (n, 2, 1 + predicates); index 0 is "no relation".
        directions: (n, 2, dim), the features that the logits are read from. Training keeps those of
            a directed pair alike, whether it comes from (a, b) or from (b, a) (DSFlash Eq. 7).
        relatedness: (n,), where `RelationStage.pair_loss` is not 0: training brings it to 1 for
            pairs that are related in either direction, and to 0 for others (SPADE Eq. 14).
    """

    logits: torch.Tensor
    directions: torch.Tensor
    relatedness: torch.Tensor | None = None


class RelationStage(nn.Module):
    """Base of all relation stages.

    A subclass sets the attributes and has `prepare`, `relate` and `rescale`; the rest is optional.
    Predicates may be fixed by a head, or given as embeddings (open vocabulary).

    Attributes:
        cell: pixels of the network input along one side of the cells of `PairInputs.coverage`; a
            multiple of 4, as masks may have a quarter of the resolution.
        grid: cells along one side; pixels beyond the last whole cell are left out.
        num_predicates: how many it tells apart.
        options: names of the fields of `Options` that `relate` takes as arguments.
        pair_loss: weight of the loss of `PairOutput.relatedness`, beside the cross entropy.
    """

    cell: int
    grid: int
    num_predicates: int
    options: frozenset[str] = frozenset()
    pair_loss: float = 0.0

    def prepare(self, features: torch.Tensor) -> torch.Tensor:
        """What all pairs share, once for each batch of images: (B, ...), from the segmenter's
        features, (B, channels, h, w).
        """
        raise NotImplementedError

    def relate(self, inputs: PairInputs, **options) -> PairOutput:
        """Relate all pairs of the inputs at once; inference and the training's loss both call it.

        What is said of a pair does not depend on which other pairs there are.
        """
        raise NotImplementedError

    def rescale(self, slope: float, intercept: float) -> None:
        """Let relations score slope * x + intercept where they scored x, both in logits.

        A relation's score is 1 - P(no relation), so that -x is the logit of "no relation".
        """
        raise NotImplementedError

    def name_predicates(self, embeddings: torch.Tensor) -> None:
        """Tell these predicates apart from now on: (predicates, D) text embeddings, of length 1.

        Raises `WeightsError` for a stage with a closed head.
        """
        raise WeightsError("the predicates of this relation stage are fixed: its head is closed")

    def name_classes(self, embeddings: torch.Tensor) -> None:
        """Let `PairInputs.class_probabilities` be those of these classes, (classes, D).

        For stages that know classes by their text embeddings; others see no names.
        """

    def forward(self, inputs: PairInputs, pairs_at_once: int = 64, **options) -> torch.Tensor:
        """Logits of both directions of each pair, (n, 2, 1 + predicates).

        `pairs_at_once` bounds the memory and changes nothing else.
        """
        logits = inputs.coverage.new_zeros(len(inputs.pairs), 2, 1 + self.num_predicates)
        for chunk in self.chunks(inputs, pairs_at_once, **options):
            chosen = inputs._replace(pairs=inputs.pairs[chunk])
            logits[chunk] = self.relate(chosen, **options).logits
        return logits

    def chunks(self, inputs: PairInputs, pairs_at_once: int, **options) -> tuple[torch.Tensor, ...]:
        """Indexes of pairs, (n,) int64 in all, in groups to be related together."""
        if len(inputs.pairs) == 0:
            return ()
        return torch.arange(len(inputs.pairs), device=inputs.pairs.device).split(pairs_at_once)

    def keep_precise(self) -> None:
        """After a cast to a shorter number format: put back to float32 what would suffer."""

    def make_decisive(self, features: torch.Tensor, inputs: PairInputs) -> None:
        """Change untrained weights so that scores and predicates of pairs differ.

        For `random` weights, which try the machinery. `inputs` are those of some segments in an
        image with these features.
        """
