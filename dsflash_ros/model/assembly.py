"""The model: a segmenter and a relation stage that share features (DSFlash section 3.1)."""

import torch
from torch import nn

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters import make_relater
from dsflash_ros.model.segmenters import make_segmenter


class DSFlash(nn.Module):
    """Both parts of a model, of the kinds that the config names, with fresh random weights.

    They run one after the other: `segmenter` finds segments and features once for each image,
    panoptic merging, which has no weights, follows, and `relations` relates each pair of segments.
    `phrases`, where there are some, are text embeddings, see `Language`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.segmenter = make_segmenter(config)
        self.relations = make_relater(config, self.segmenter)
        if config.num_phrases:
            self.register_buffer("phrases", torch.zeros(config.num_phrases, config.phrase_dim))
