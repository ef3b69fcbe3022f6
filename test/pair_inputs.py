"""`PairInputs` for tests of relation stages that look at no classes."""

import torch

from dsflash_ros.model.relaters.relater import PairInputs


def pair_inputs(prepared, coverage, boxes, images, pairs):
    """The inputs, with every segment of class 0 of one class."""
    count = len(coverage)
    return PairInputs(
        prepared,
        coverage,
        boxes,
        torch.zeros(count, dtype=torch.long),
        torch.ones(count, 1),
        images,
        pairs,
    )
