"""What a conversion gives, and what all conversions of segmenters share."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ModelConfig


@dataclass(frozen=True)
class Conversion:
    """A model ready to be saved, and what a person should know of it, line by line.

    Attributes:
        notes: those lines of the summary that say where the outcome may differ from its source.
    """

    model: DSFlash
    header: Header
    summary: list[str]
    notes: tuple[str, ...] = ()


def untrained_around(config: ModelConfig, state: Mapping[str, torch.Tensor]) -> DSFlash:
    """A model whose segmenter has that state; its relation stage is untrained.

    The same file gives the same tensors every time: the relation stage is seeded.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = DSFlash(config)
    model.segmenter.load_state_dict(state)
    return model.eval()
