"""The loss of the relation stage, and its gradient in bounded memory."""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from dsflash_ros.model.relaters.dsflash import RelationStage
from dsflash_ros.model.relaters.relater import PairInputs


class PairLosses(NamedTuple):
    """Mean losses of a batch; what is minimised is `cross_entropy + consistency_weight *
    consistency`.
    """

    cross_entropy: torch.Tensor
    consistency: torch.Tensor


def pair_losses(
    stage: RelationStage,
    inputs: PairInputs,
    pairs: torch.Tensor,
    targets: torch.Tensor,
    pruning: bool = False,
    positive_weights: torch.Tensor | None = None,
) -> PairLosses:
    """PairLosses of pairs (n, 2) with targets (n, 2, 1 + predicates), each pair in both orders
    (DSFlash section 3.3).

    The two orders pass the neck as one batch; what does not depend on the order (patches, coverage)
    was computed once. The cross entropy is the mean over both directions of both orders;
    consistency is Eq. 7.
    """
    x = stage.encode(*inputs, torch.cat((pairs, pairs.flip(1))), pruning).to(
        stage.head[0].weight.dtype
    )
    with torch.autocast(
        x.device.type, enabled=False
    ):  # as at inference, gate and head stay float32
        forward, backward = stage.disentangle(x)
        logits = stage.head(torch.stack((forward, backward), dim=1))
        both = torch.cat((targets, targets.flip(1)))
        cross_entropy = F.binary_cross_entropy_with_logits(
            logits, both, pos_weight=positive_weights
        )
        (t_ab, t_ba_swapped), (t_ba, t_ab_swapped) = forward.chunk(2), backward.chunk(2)
        squares = (t_ab - t_ab_swapped).square() + (t_ba - t_ba_swapped).square()
    return PairLosses(cross_entropy, squares.mean())


def batch_losses(
    stage: RelationStage,
    inputs: PairInputs,
    pairs: torch.Tensor,
    targets: torch.Tensor,
    consistency_weight: float = 1.0,
    pairs_at_once: int = 32,
    **options,
) -> tuple[torch.Tensor, PairLosses]:
    """The loss of a batch, to be differentiated as usual, and its parts; `options` are those of
    `pair_losses`.

    Memory is that of `pairs_at_once` pairs: each group's gradient is taken before the next one is
    computed, and the loss hands the sums out when it is differentiated.
    """
    parameters = [
        p
        for name, p in stage.named_parameters()
        if p.requires_grad and not name.startswith("patch_embed.")
    ]
    leaf = inputs.patches.detach().requires_grad_()
    gradients = [torch.zeros_like(tensor) for tensor in (leaf, *parameters)]
    sums = leaf.new_zeros(2)
    with torch.enable_grad():
        for group in stage.chunks(
            inputs.coverage, pairs, options.get("pruning", False), pairs_at_once
        ):
            parts = pair_losses(
                stage, inputs._replace(patches=leaf), pairs[group], targets[group], **options
            )
            share = len(group) / len(pairs)
            loss = share * (parts.cross_entropy + consistency_weight * parts.consistency)
            for total, gradient in zip(
                gradients, torch.autograd.grad(loss, (leaf, *parameters)), strict=True
            ):
                total += gradient
            sums += share * torch.stack(parts).detach()
    parts = PairLosses(*sums)
    value = parts.cross_entropy + consistency_weight * parts.consistency
    return _GivenGradients.apply(value, gradients, inputs.patches, *parameters), parts


class _GivenGradients(torch.autograd.Function):
    """A value whose gradient with respect to some tensors is known already."""

    @staticmethod
    def forward(ctx, value, gradients, *tensors):
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx, outer):
        return None, None, *(outer * gradient for gradient in ctx.gradients)
