"""Running an exported model, with whatever can compute its graphs. Imports no torch."""

import math
from abc import abstractmethod

import numpy as np

from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.model.segmenters.segmentation import Segmentation
from dsflash_ros.pipeline.arrays import ARRAY_STEPS
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.options import Options
from dsflash_ros.weights.exported import ExportedModel

PAIRS_AT_ONCE = 32
"""Of a relation stage with patches; without, all are related at once."""


class ExportedBackend(Backend):
    """Base of all backends that run an `ExportedModel`, in float32 outside.

    A subclass has `compute`, and loads what that needs.
    """

    steps = ARRAY_STEPS
    segmenter_options = frozenset()

    def __init__(self, model: ExportedModel) -> None:
        """Take over what the model says of itself."""
        self._header = model.header
        self._cells_of_patch = model.cells_of_patch
        self.cell, self.grid = model.cell, model.grid
        self.relater_options = model.relater_options
        self.parameters = model.parameters

    @abstractmethod
    def compute(self, part: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of `segmenter` or `relations`, in their order.

        `inputs` may have names that the graph does not have.
        """

    def segment(self, images: np.ndarray, options: Options) -> Segmentation:
        # one after the other: the graph takes one image
        found = [self.compute("segmenter", {"images": image[None]}) for image in images]
        if len(found) == 1:
            return Segmentation(*found[0])
        return Segmentation(*(np.concatenate(outputs) for outputs in zip(*found, strict=True)))

    def prepare(self, features: np.ndarray) -> np.ndarray:
        return features  # the graph of the relation stage begins with them

    def relate(self, inputs: PairInputs, options: Options) -> np.ndarray:
        logits = np.zeros(
            (len(inputs.pairs), 2, 1 + self._header.config.num_predicates), np.float32
        )
        images = inputs.images[inputs.pairs[:, 0]]
        for image in np.unique(images):
            chosen = images == image
            logits[chosen] = self._relate_image(inputs, image, inputs.pairs[chosen], options)
        return logits

    def _relate_image(
        self, inputs: PairInputs, image: int, pairs: np.ndarray, options: Options
    ) -> np.ndarray:
        """The logits of pairs, (n, 2) int64, of the segments of one image of the batch."""
        own = inputs.images == image
        segments = {
            "features": inputs.prepared[image, None],
            "coverage": inputs.coverage[own],
            "boxes": inputs.boxes[own],
            "class_ids": inputs.class_ids[own],
            "class_probabilities": inputs.class_probabilities[own],
        }
        pairs = pairs - int(own.argmax())  # the segments of an image follow one another
        if not self._cells_of_patch:
            return self.compute("relations", {**segments, "pairs": pairs})[0]
        touched = touched_patches(segments["coverage"], pairs, self._cells_of_patch)
        if not options.pruning:
            touched = np.ones_like(touched)
        logits = np.empty((len(pairs), 2, 1 + self._header.config.num_predicates), np.float32)
        order = np.argsort(touched.sum(1), kind="stable")  # so that little is filled up
        for group in np.split(order, range(PAIRS_AT_ONCE, len(pairs), PAIRS_AT_ONCE)):
            given = {**segments, "pairs": pairs[group], "kept": kept_patches(touched[group])}
            logits[group] = self.compute("relations", given)[0]
        return logits


def touched_patches(coverage: np.ndarray, pairs: np.ndarray, cells: int) -> np.ndarray:
    """(n, patches) bool: which patches, of `cells` x `cells` cells, either mask of a pair touches.

    `coverage` is that of `PairInputs`.
    """
    grid = math.isqrt(coverage.shape[1])
    side = grid // cells
    maps = coverage.reshape(-1, grid, grid)[:, : side * cells, : side * cells]
    sums = maps.reshape(-1, side, cells, side, cells).sum((2, 4)).reshape(-1, side**2)
    return (sums[pairs[:, 0]] + sums[pairs[:, 1]]) > 0


def kept_patches(touched: np.ndarray) -> np.ndarray:
    """(n, longest) int64: for each pair its touched patches, then -1; at least one column."""
    counts = touched.sum(1)
    longest = max(1, counts.max())
    first = np.argsort(~touched, axis=1, kind="stable")[:, :longest]
    return np.where(np.arange(longest) < counts[:, None], first, -1)
