"""The loss of a relation stage, and its gradient in bounded memory."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from dsflash_ros.model.relaters.relater import PairInputs, RelationStage


class PairLosses(NamedTuple):
    """Mean losses of a batch.

    Training minimises `cross_entropy + consistency_weight * consistency + pair_loss * relatedness`;
    `pair_loss` is the stage's.
    """

    cross_entropy: torch.Tensor
    consistency: torch.Tensor
    relatedness: torch.Tensor


def pair_losses(
    stage: RelationStage,
    inputs: PairInputs,
    targets: torch.Tensor,
    positive_weights: torch.Tensor | None = None,
    **options,
) -> PairLosses:
    """The losses of all pairs, each in both orders (DSFlash section 3.3).

    Both orders pass the stage as one batch; what does not depend on the order was computed once.
    The cross entropy is the mean over both directions of both orders; consistency is Eq. 7;
    relatedness is SPADE's Eq. 14, a mean over the pairs, and 0 where the stage has no `pair_loss`.

    Args:
        inputs: of n pairs.
        targets: (n, 2, 1 + predicates) float32, see `pair_targets`.
        positive_weights: (1 + predicates,), of the cross entropy's positive terms.
        options: of `stage.relate`.
    """
    pairs = torch.cat((inputs.pairs, inputs.pairs.flip(1)))
    found = stage.relate(inputs._replace(pairs=pairs), **options)
    dtype = inputs.coverage.dtype  # float32, also under autocast
    with torch.autocast(targets.device.type, enabled=False):
        both = torch.cat((targets, targets.flip(1)))
        cross_entropy = F.binary_cross_entropy_with_logits(
            found.logits.to(dtype), both, pos_weight=positive_weights
        )
        forward, backward = found.directions.to(dtype).unbind(1)
        (t_ab, t_ba_swapped), (t_ba, t_ab_swapped) = forward.chunk(2), backward.chunk(2)
        squares = (t_ab - t_ab_swapped).square() + (t_ba - t_ba_swapped).square()
        relatedness = cross_entropy.new_zeros(())
        if stage.pair_loss:
            related = (both[..., 1:] > 0).any(-1).any(-1)
            relatedness = (found.relatedness.to(dtype) - related.to(dtype)).square().mean()
    return PairLosses(cross_entropy, squares.mean(), relatedness)


def batch_losses(
    stage: RelationStage,
    inputs: PairInputs,
    targets: torch.Tensor,
    consistency_weight: float = 1.0,
    pairs_at_once: int = 32,
    positive_weights: torch.Tensor | None = None,
    **options,
) -> tuple[torch.Tensor, PairLosses]:
    """The loss of a batch, to be differentiated as usual, and its parts; see `pair_losses`.

    Memory is that of `pairs_at_once` pairs: each group's gradient is taken before the next one is
    computed, and the loss hands the sums out when it is differentiated.
    """
    prepared = inputs.prepared.detach().requires_grad_()
    parameters = [parameter for parameter in stage.parameters() if parameter.requires_grad]
    gradients = [torch.zeros_like(tensor) for tensor in (prepared, *parameters)]
    sums = inputs.coverage.new_zeros(len(PairLosses._fields))
    weights = sums.new_tensor((1.0, consistency_weight, stage.pair_loss))
    for group in stage.chunks(inputs, pairs_at_once, **options):
        chosen = inputs._replace(prepared=prepared, pairs=inputs.pairs[group])
        with torch.enable_grad():
            parts = pair_losses(stage, chosen, targets[group], positive_weights, **options)
            share = len(group) / len(targets)
            loss = share * (weights * torch.stack(parts)).sum()
        _add_gradients(gradients, loss, (prepared, *parameters))
        sums += share * torch.stack(parts).detach()
    value = (weights * sums).sum()
    parts = PairLosses(*sums)
    return _GivenGradients.apply(value, gradients, inputs.prepared, *parameters), parts


def _add_gradients(
    totals: list[torch.Tensor], loss: torch.Tensor, tensors: tuple[torch.Tensor, ...]
) -> None:
    """Add the loss's gradient with respect to each tensor to its total.

    Parameters that only `RelationStage.prepare` uses have none here: theirs goes through
    `prepared`.
    """
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    for total, gradient in zip(totals, found, strict=True):
        if gradient is not None:
            total += gradient


class _GivenGradients(torch.autograd.Function):
    """A value whose gradient with respect to some tensors is known already."""

    @staticmethod
    def forward(ctx, value, gradients, *tensors):
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx, outer):
        return None, None, *(outer * gradient for gradient in ctx.gradients)
