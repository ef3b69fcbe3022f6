"""DSFlash: EoMT and the relation stage, sharing one backbone (Lorenz et al., CVPR 2026, section
3.1).
"""

from torch import nn

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters.dsflash import RelationStage
from dsflash_ros.model.segmenters.eomt import EoMT


class DSFlash(nn.Module):
    """The two stages. They run one after the other, with panoptic merging, which has no weights, in
    between.

    `segmenter` finds segments and features once for each image; `relations` relates each pair of
    segments.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.segmenter = EoMT(config)
        self.relations = RelationStage(config)
