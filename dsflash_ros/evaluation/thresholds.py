"""Checkpoints that know which thresholds suit their segmenter."""

from dataclasses import replace
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.evaluation.matching import match_segments
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.evaluation.phrases import describe_dataset
from dsflash_ros.evaluation.report import about_dataset
from dsflash_ros.evaluation.runner import check_vocabulary
from dsflash_ros.graph.scene_graph import unpack_panoptic
from dsflash_ros.model.checkpoints import save_checkpoint
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.progress_bar import progress
from dsflash_ros.weights.loading import open_weights, require_file

TRIED = (0.5, 0.6, 0.7, 0.8)
"""For each of the two."""

Thresholds = tuple[float, float]
"""mask_threshold and overlap_threshold."""


class Quality(NamedTuple):
    """How good the segments are, 0..1.

    Attributes:
        pq: panoptic quality: what is found is right.
        reachable: mR@inf, see `RecallMetrics`: what is related is found. 0 without relations.
    """

    pq: float
    reachable: float

    @property
    def mean(self) -> float:
        """What the thresholds are chosen by."""
        return (self.pq + self.reachable) / 2


def choose_thresholds(
    source: str | Path,
    dataset: PsgDataset,
    out: Path,
    limit: int | None = None,
    device: str = "auto",
) -> dict[Thresholds, Quality]:
    """Store a checkpoint with the thresholds of the best segments, see `Quality` and `Header`.

    `dataset` holds images that no training saw, `limit` uses the first ones only. Returns the
    quality of all that were tried, the best first.

    Raises:
        WeightsError: the checkpoint cannot be read.
        EvaluationError: it has another vocabulary.
        DatasetError, DeviceError, OutputError: as their names say.
    """
    opened = open_weights(source)
    require_file(opened)
    pipeline = SceneGraphPipeline.from_weights(opened, device=device, precision="float32")
    check_vocabulary(pipeline.weights, pipeline.vocabulary, dataset)
    count = min(limit or len(dataset), len(dataset))
    found = _qualities(pipeline, dataset, count)
    best = next(iter(found))
    about = describe_dataset(about_dataset(dataset, count))
    header = opened.header
    recipe = {**header.recipe, "thresholds": {"dataset": about, **found[best]._asdict()}}
    thresholds = dict(zip(header.all_thresholds, best, strict=True))
    save_checkpoint(out, opened.load(), replace(header, recipe=recipe, thresholds=thresholds))
    return found


@torch.inference_mode()
def _qualities(
    pipeline: SceneGraphPipeline, dataset: PsgDataset, count: int
) -> dict[Thresholds, Quality]:
    """The quality of each pair of thresholds, best first; each image passes the segmenter once."""
    options = {
        pair: Options(mask_threshold=pair[0], overlap_threshold=pair[1])
        for pair in product(TRIED, repeat=2)
    }
    vocabulary = dataset.vocabulary
    counts = {
        pair: (PanopticQuality(vocabulary), RecallMetrics(vocabulary.predicates))
        for pair in options
    }
    no_relations = np.empty((0, 3), np.int64)
    num_things, merge = pipeline.config.num_things, pipeline.backend.steps.merge_segments
    for record in progress(islice(dataset, count), "thresholds", count, "image"):
        truth_labels = record.labels()
        seen, box = pipeline.segment(record.image())
        for pair, (quality, recall) in counts.items():
            found = merge(seen, 0, num_things, box, options[pair])
            _, labels = unpack_panoptic(found.panoptic())
            classes = np.array(found.segments.class_ids.tolist(), np.int64)
            quality.add(truth_labels, record.class_ids, record.crowd, labels, classes)
            matching = match_segments(truth_labels, record.class_ids, labels, classes)
            recall.add(record.relations, no_relations, matching, len(record.class_ids))
    found = {
        pair: Quality(quality.results()["PQ"] or 0.0, recall.results()["mR@inf"] or 0.0)
        for pair, (quality, recall) in counts.items()
    }
    return dict(sorted(found.items(), key=lambda item: -item[1].mean))
