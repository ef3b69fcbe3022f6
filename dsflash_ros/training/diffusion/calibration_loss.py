"""How far a student's attention is from its teacher's (SPADE Eq. 6)."""

import torch


def calibration_loss(
    student: torch.Tensor, teacher: torch.Tensor, weight: float = 1.0
) -> torch.Tensor:
    """weight * |A - A'|, summed over the tokens, averaged over places and images: 0 to 2 * weight.

    Both are (B, length, side, side) and sum to 1 over the tokens. Token k of one is compared with
    token k of the other: they must have the same length, order and padding.
    """
    if student.shape != teacher.shape:
        raise ValueError(f"maps of shapes {tuple(student.shape)} and {tuple(teacher.shape)}")
    return weight * (student - teacher).abs().sum(1).mean()
