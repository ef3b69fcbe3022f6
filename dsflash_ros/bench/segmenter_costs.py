"""Segmenters side by side: parameters, multiply-adds, time and panoptic quality."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch

from dsflash_ros.bench.floor import flops_of
from dsflash_ros.bench.frame import WARM_UP
from dsflash_ros.bench.results import spread
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.graph.scene_graph import unpack_panoptic
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.mask2former.encoder_costs import encoder_cost
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import Mask2FormerSettings
from dsflash_ros.model.segmenters.segmenter import Segmenter
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.pipeline.segments import merge_segments
from dsflash_ros.progress_bar import progress
from dsflash_ros.text_tables import Row

UNKNOWN = "-"


def measure(
    pipelines: Sequence[SceneGraphPipeline],
    images: Iterator[np.ndarray],
    repeat: int,
    dataset: PsgDataset | None = None,
    limit: int | None = None,
) -> list[Row]:
    """A row for each pipeline's segmenter; `SceneGraphPipeline.segment` is what is timed.

    All segment an image before the next one, so that whatever else keeps the machine busy hits them
    alike. PQ is that on the first `limit` images of `dataset`, for segmenters that are trained and
    know its classes.
    """
    times: list[list[float]] = [[] for _ in pipelines]
    for number, rgb in enumerate(islice(images, WARM_UP + repeat)):
        for own, pipeline in zip(times, pipelines, strict=True):
            ms = _timed(pipeline, rgb)
            if number >= WARM_UP:
                own.append(ms)
    rows = []
    for own, pipeline in zip(times, pipelines, strict=True):
        config, segmenter = pipeline.config, pipeline.model.segmenter
        quality = panoptic_quality(pipeline, dataset, limit) if dataset else None
        rows.append(
            {
                "weights": pipeline.weights,
                "segmenter": _words(config),
                "pixels": config.image_size,
                "M parameters": sum(p.numel() for p in segmenter.parameters()) / 1e6,
                "encoder GFLOPs": _text(encoder_gflops(segmenter, config)),
                "GFLOPs": gflops(segmenter, config.image_size),
                **spread(own),
                "PQ": _text(None if quality is None else 100 * quality),
            }
        )
    return rows


def gflops(segmenter: Segmenter, side: int) -> float:
    """Billions of multiply-adds of an image, as papers on segmenters count: products and
    convolutions, without sampling, normalisation and other work on single elements.
    """
    image = torch.zeros(1, 3, side, side, device=next(segmenter.parameters()).device)
    return flops_of(segmenter, image) / 2e9


def encoder_gflops(segmenter: Segmenter, config: ModelConfig) -> float | None:
    """Of the pixel decoder, as PRO-SCALE counts; None for segmenters that have none."""
    if config.segmenter != "mask2former":
        return None
    settings = Mask2FormerSettings.from_dict(config.segmenter_settings)
    side = config.image_size
    return encoder_cost(settings, segmenter.backbone.channels, side, side) / 1e9


@torch.inference_mode()
def panoptic_quality(
    pipeline: SceneGraphPipeline, dataset: PsgDataset, limit: int | None
) -> float | None:
    """PQ, 0..1; None for a segmenter that is untrained or knows other classes."""
    if not pipeline.is_trained or pipeline.vocabulary.classes != dataset.vocabulary.classes:
        return None
    quality = PanopticQuality(dataset.vocabulary)
    count = min(limit or len(dataset), len(dataset))
    records: Iterable = islice(dataset, count)
    for record in progress(records, f"PQ of {pipeline.weights}", count, "image"):
        seen, box = pipeline.segment(record.image())
        found = merge_segments(seen, 0, pipeline.config.num_things, box, pipeline.options)
        _, labels = unpack_panoptic(found.panoptic())
        classes = found.segments.class_ids.cpu().numpy()
        quality.add(record.labels(), record.class_ids, record.crowd, labels, classes)
    return quality.results()["PQ"] or 0.0


def _timed(pipeline: SceneGraphPipeline, rgb: np.ndarray) -> float:
    """Milliseconds in which an image is segmented."""
    start = time.perf_counter()
    pipeline.segment(rgb)
    if pipeline.device.type == "cuda":
        torch.cuda.synchronize(pipeline.device)
    return 1e3 * (time.perf_counter() - start)


def _words(config: ModelConfig) -> str:
    """`mask2former (3, 3, 3) lite0`, `eomt tiny`."""
    if config.segmenter == "mask2former":
        settings = Mask2FormerSettings.from_dict(config.segmenter_settings)
        return f"mask2former {settings.layers} {config.backbone}"
    return f"{config.segmenter} {config.size}".strip()


def _text(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}"
