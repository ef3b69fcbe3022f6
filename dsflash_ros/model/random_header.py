"""What untrained models are, by name. Imports no torch."""

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.config import ARCHITECTURES, ModelConfig
from dsflash_ros.model.header import Header

RANDOM_SIZES = {"random": "tiny", **{f"random-{size}": size for size in ARCHITECTURES}}
"""The size of the model that each name of untrained weights stands for."""

_TINY = {"image_size": 320, "neck_dim": 192, "neck_depth": 3, "neck_heads": 4}
"""The tiny model is small enough for any machine."""


def random_header(name: str) -> Header:
    """What an untrained model is, by its name in `RANDOM_SIZES`; it has PSG's vocabulary."""
    size = RANDOM_SIZES[name]
    config = ModelConfig(size, **_TINY) if size == "tiny" else ModelConfig(size)
    return Header(config, Vocabulary.psg(), trained=())
