"""From segments to what a relation stage is given of their pairs, as `segment_pairs` does."""

import numpy as np

from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.pipeline.arrays.array_segments import ArraySegments
from dsflash_ros.pipeline.arrays.label_runs import LabelRuns
from dsflash_ros.pipeline.backends.base import Backend


def pair_found_arrays(
    found: list[ArraySegments],
    features: np.ndarray,
    backend: Backend,
    asked: np.ndarray | None = None,
) -> tuple[PairInputs, list[np.ndarray]]:
    """All unordered pairs of the segments found in each image; see `pairs_of_found`."""
    counts = [len(image) for image in found]
    chosen = [np.arange(count) for count in counts]
    if asked is not None:
        chosen = [np.flatnonzero(asked[image.segments.class_ids]) for image in found]
    pairs = [segments[all_pairs(len(segments))] for segments in chosen]
    starts = np.cumsum([0, *counts[:-1]])
    inputs = PairInputs(
        prepared=backend.prepare(features),
        coverage=np.concatenate(
            [image.runs.coverage(backend.cell // image.stride, backend.grid) for image in found]
        ),
        boxes=np.concatenate([image.locations() for image in found]),
        class_ids=np.concatenate([image.segments.class_ids for image in found]),
        class_probabilities=np.concatenate([image.segments.class_probabilities for image in found]),
        images=np.repeat(np.arange(len(found)), counts),
        pairs=np.concatenate([own + start for own, start in zip(pairs, starts, strict=True)]),
    )
    return inputs, pairs


def pair_labelled_arrays(
    labels: np.ndarray,
    class_ids: np.ndarray,
    letterbox: Letterbox,
    features: np.ndarray,
    num_classes: int,
    backend: Backend,
) -> PairInputs:
    """All unordered pairs of given segments of one image; see `pairs_of_labels`."""
    count, class_ids = len(class_ids), np.asarray(class_ids, np.int64)
    boxes = letterbox.scale_boxes(label_boxes(labels, count)) * (2 / letterbox.image_size) - 1
    runs = LabelRuns.of(letterbox.sample_labels(labels), count)
    known = class_ids[:, None] == np.arange(num_classes)
    return PairInputs(
        prepared=backend.prepare(features),
        coverage=runs.coverage(backend.cell, backend.grid),
        boxes=boxes.astype(np.float32),
        class_ids=class_ids,
        class_probabilities=known.astype(np.float32),
        images=np.zeros(count, np.int64),
        pairs=all_pairs(count),
    )


def all_pairs(count: int) -> np.ndarray:
    """Each unordered pair of so many segments once, (n, 2) int64."""
    return np.stack(np.triu_indices(count, 1), axis=1).astype(np.int64)
