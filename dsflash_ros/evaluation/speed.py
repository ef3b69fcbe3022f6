"""How fast a pipeline is, as the paper measures it (section 4.1)."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from dsflash_ros.graph.scene_graph import SceneGraph

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

FORWARD = ("segment", "merge", "relate")
"""The stages of the forward pass: from the network's input to the relations' logits. Fitting the
image into the input comes before it; ranking, and the graph and its map at the image's resolution,
come after.
"""


def measure_speed(
    pipeline, images: Sequence[np.ndarray], warm_up: int = 200, timed: int = 200, batch: int = 16
) -> dict:
    """Time the whole forward pass, segmentation and relations, on images (H, W, 3) uint8, used in
    turn.

    Returns:
        `latency_ms`: mean over `timed` passes of one image, after `warm_up` passes; `stages_ms`: of
            each stage of
        the pipeline, also those before and after the forward pass. `relations_per_second`: directed
        pairs of segments that a second of forward passes of `batch` images relates, over about as
        many images; None when there are no pairs. `segments_per_image`, `pairs_per_image`
        (directed): what the numbers depend on. `warm_up`, `timed`, `batch`.
    """
    passes = range(warm_up + timed)
    graphs = [
        pipeline(images[i % len(images)])
        for i in tqdm(passes, "latency", unit="image", disable=None)
    ][warm_up:]
    stages = {
        stage: fmean(graph.latency_ms[stage] for graph in graphs) for stage in graphs[0].latency_ms
    }
    return {
        "latency_ms": sum(stages[stage] for stage in FORWARD),
        "stages_ms": stages,
        "relations_per_second": _throughput(
            pipeline, images, -(-warm_up // batch), -(-timed // batch), batch
        ),
        "segments_per_image": fmean(len(graph.nodes) for graph in graphs),
        "pairs_per_image": fmean(_pairs(graph) for graph in graphs),
        "warm_up": warm_up,
        "timed": timed,
        "batch": batch,
    }


def _throughput(
    pipeline: "SceneGraphPipeline",
    images: Sequence[np.ndarray],
    warm_up: int,
    timed: int,
    batch: int,
) -> float | None:
    if not pipeline.relates:
        return None
    pairs, ms = 0, 0.0
    for number in tqdm(range(warm_up + timed), f"batches of {batch}", unit="batch", disable=None):
        graphs = pipeline.batch(
            [images[i % len(images)] for i in range(number * batch, (number + 1) * batch)]
        )
        if number >= warm_up:
            pairs += sum(map(_pairs, graphs))
            ms += sum(graphs[0].latency_ms[stage] for stage in FORWARD)  # that of the whole batch
    return pairs / ms * 1e3 if pairs else None


def _pairs(graph: SceneGraph) -> int:
    return len(graph.nodes) * (len(graph.nodes) - 1)
