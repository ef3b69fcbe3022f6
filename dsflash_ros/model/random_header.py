"""What untrained models are, by name. Imports no torch."""

from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.header import Header
from dsflash_ros.model.segmenters.eomt_sizes import ARCHITECTURES

_SMALL_NECK = {"neck_dim": 192, "neck_depth": 3, "neck_heads": 4}
_TINY = {"size": "tiny", "image_size": 320, **_SMALL_NECK}
"""Small enough for any machine."""

_SWIN_T = {"segmenter": "mask2former", "backbone": "swin_tiny", "num_queries": 100}
_LITE0 = {
    "segmenter": "mask2former",
    "backbone": "lite0",
    "image_size": 384,
    "num_queries": 48,
    **_SMALL_NECK,
    "segmenter_settings": {
        "dim": 128,
        "encoder_ffn": 512,
        "decoder_ffn": 512,
        "decoder_layers": 6,
    },
}
_ORIGINAL = {"p1": 0, "p2": 0, "p3": 6, "pixel_embedding": "conv", "recalibration": "none"}

RANDOM = {
    "random": _TINY,
    **{f"random-{size}": {"size": size} for size in ARCHITECTURES},
    "random-tiny": _TINY,
    "random-proscale-swin-t": _SWIN_T,
    "random-proscale-lite0": _LITE0,
    "random-mask2former-swin-t": {**_SWIN_T, "segmenter_settings": _ORIGINAL},
}
"""By the names of untrained weights: what of `ModelConfig` is not its default."""


def random_header(name: str) -> Header:
    """What an untrained model is, by its name in `RANDOM`; it has PSG's vocabulary."""
    return Header(ModelConfig(**RANDOM[name]), Vocabulary.psg(), trained=())
