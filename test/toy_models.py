"""Models of the segmenter and the relation stage of `toy_plugs`, and images to train them on."""

import numpy as np
import toy_registration  # noqa: F401
from media_files import picture

from dsflash_ros.data.psg import PsgWriter
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model

STRIPES = {"segmenter": "stripes", "segmenter_settings": {"stripes": 5}}
TOY = ModelConfig.for_vocabulary(VOCABULARY, image_size=72, relater="boxes", **STRIPES)
"""72 pixels: EoMT could not take it."""

NECK = {"neck_dim": 16, "neck_depth": 1, "neck_heads": 2}


def saved(path, config=TOY, **fields):
    """The path, at which random weights are written."""
    header = Header(config, VOCABULARY, **fields)
    save_checkpoint(path, random_model(header), header)
    return path


def write_stripes(folder):
    """Images of the very stripes that the segmenter sees; each relates to its right neighbour."""
    labels = np.tile(np.repeat(np.arange(18) * 5 // 18, 4), (72, 1))
    with PsgWriter(folder, VOCABULARY) as writer:
        for number in range(8):
            relations = [(stripe, stripe + 1, stripe % 3) for stripe in range(4)]
            split = "train" if number < 4 else "test"
            writer.add(f"{number}", picture(72, 72, number), labels, range(5), relations, split)
