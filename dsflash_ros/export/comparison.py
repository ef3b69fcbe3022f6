"""How close an exported model computes to PyTorch."""

from typing import NamedTuple

import numpy as np
import torch

from dsflash_ros.export.scenes import Scene, random_scene
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.pipeline.arrays.array_pairs import pair_found_arrays
from dsflash_ros.pipeline.arrays.array_panoptic import LabelledSegments
from dsflash_ros.pipeline.arrays.array_segments import ArraySegments
from dsflash_ros.pipeline.backends.exported_backend import ExportedBackend
from dsflash_ros.pipeline.backends.torch import TorchBackend
from dsflash_ros.pipeline.options import Options

TOLERANCE = 1e-4
"""Of the spread of the logits. Of masks and classes a segmenter has its own, see `Segmenter`."""


class Closeness(NamedTuple):
    """The largest difference of each output over some scenes, as a share of its spread.

    The spread is the standard deviation of PyTorch's numbers over all these scenes.
    """

    mask_logits: float
    class_logits: float
    features: float
    logits: float
    pruned_logits: float

    def is_close(self, rounding: float) -> bool:
        """Whether all are within `TOLERANCE`, masks and classes within `rounding`.

        False for NaN.
        """
        limits = (rounding, rounding, TOLERANCE, TOLERANCE, TOLERANCE)
        return all(share <= limit for share, limit in zip(self, limits, strict=True))


def compare_with_torch(
    model: DSFlash, backend: ExportedBackend, scenes: int = 5, first: int = 0
) -> Closeness:
    """Run the model and the backend that has it exported on the same random scenes.

    `first` is the seed of the first scene.
    """
    plain = TorchBackend(model, torch.device("cpu"), torch.float32)
    config = model.config
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in Closeness._fields}
    for seed in range(first, first + scenes):
        scene = random_scene(seed, config.image_size, config.num_classes)
        for name, ours, theirs in _outputs(scene, plain, backend):
            pairs[name].append((ours.ravel(), theirs.ravel()))
    return Closeness(*(_share(found) for found in pairs.values()))


def _outputs(scene: Scene, plain: TorchBackend, backend: ExportedBackend):
    """(name, PyTorch's, the backend's) of each output for a scene."""
    with torch.inference_mode():
        pixels = torch.from_numpy(scene.image).permute(2, 0, 1)[None].float() / 255
        seen = plain.segment(pixels, Options())
        found = backend.segment(scene.image[None], Options())
        for name, ours, theirs in zip(seen._fields, seen, found, strict=True):
            yield name, ours, theirs
        inputs = _pair_inputs(scene, seen.features, backend)
        prepared = inputs._replace(prepared=plain.prepare(seen.features))
        for name, options in (("logits", Options()), ("pruned_logits", Options(pruning=True))):
            yield name, plain.relate(prepared, options), backend.relate(inputs, options)


def _pair_inputs(scene: Scene, features: np.ndarray, backend: ExportedBackend) -> PairInputs:
    side = len(scene.image)
    scores = scene.class_probabilities.max(1, initial=0)
    segments = LabelledSegments(scene.labels, scene.class_ids, scores, scene.class_probabilities)
    found = ArraySegments.measure(segments, Letterbox(side, side, side), 1)
    return pair_found_arrays([found], features, backend)[0]


def _share(found: list[tuple[np.ndarray, np.ndarray]]) -> float:
    ours, theirs = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    if not len(ours):
        return 0.0
    return float(np.abs(ours - theirs).max() / max(ours.std(), 1e-12))
