"""A stand-in for the pipeline, whose errors are those that a real one seldom makes."""

from types import SimpleNamespace

import numpy as np

from dsflash_ros.graph.scene_graph import NOTHING, SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.pipeline.asking import Asked
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.translation import Translation


class StandIn:
    """A pipeline that fails for images 13 pixels wide."""

    weights, is_trained, device, precision = "trained.safetensors", True, "cpu", "float32"
    vocabulary, backend = Vocabulary.psg(), SimpleNamespace(name="torch")
    translation, asked = Translation.without_change(vocabulary), Asked()

    def __init__(self):
        self.options = Options()
        self.stamps = []

    def __call__(self, rgb, stamp, source):
        if rgb.shape[1] == 13:
            raise RuntimeError("CUDA out of memory\nwith details")
        self.stamps.append(stamp)
        panoptic = np.full(rgb.shape[:2], NOTHING, np.int32)
        return SceneGraph((), (), panoptic, stamp, source, self.weights, {"total": 1.0})
