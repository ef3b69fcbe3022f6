"""How fast a pipeline is, as the paper measures it (section 4.1)."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from statistics import fmean
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dsflash_ros.progress_bar import progress

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

Result = TypeVar("Result")

FORWARD = ("segment", "merge", "relate")
"""The stages of the forward pass: from the network's input to the relations' logits.

Fitting the image into the input comes before it; ranking, and the graph and its map at the image's
resolution, come after.
"""


def measure_speed(
    pipeline: "SceneGraphPipeline",
    images: Sequence[np.ndarray],
    warm_up: int = 200,
    timed: int = 200,
    batch: int = 16,
    seconds: float = math.inf,
) -> dict:
    """Time the whole forward pass, segmentation and relations.

    Args:
        pipeline: with its options.
        images: (H, W, 3) uint8, used in turn.
        warm_up: passes of one image before the clock starts.
        timed: passes of one image that count.
        batch: images in a pass, for relations a second; over about as many images.
        seconds: after which no pass begins. There may be fewer passes then, yet one of each kind.

    Returns:
        `latency_ms`: mean over the timed passes of one image. `stages_ms`: the same of each stage
        of the pipeline, also those before and after the forward pass. `relations_per_second`:
        directed pairs of segments that a second of forward passes relates; None when there are no
        pairs. `segments_per_image`, `pairs_per_image` (directed): what the numbers depend on.
        `warm_up`, `timed`: how many passes of one image there were; `batch`.
    """
    stream = cycle(images)

    def run() -> tuple[dict[str, float], int]:
        graph = pipeline(next(stream))
        return graph.latency_ms, len(graph.nodes)

    warmed = len(list(_passes(run, "latency, warm-up", warm_up, seconds / 6, "image")))
    results = list(_passes(run, "latency", timed, seconds / 3, "image"))
    rate = _relation_rate(pipeline, images, warmed, timed, batch, seconds / 2)
    latencies, segments = zip(*results, strict=True)
    stages = {stage: fmean(ms[stage] for ms in latencies) for stage in latencies[0]}
    return {
        "latency_ms": sum(stages[stage] for stage in FORWARD),
        "stages_ms": stages,
        "relations_per_second": rate,
        "segments_per_image": fmean(segments),
        "pairs_per_image": fmean(map(_pairs, segments)),
        "warm_up": warmed,
        "timed": len(results),
        "batch": batch,
    }


def _relation_rate(
    pipeline: "SceneGraphPipeline",
    images: Sequence[np.ndarray],
    warm_up: int,
    timed: int,
    batch: int,
    seconds: float,
) -> float | None:
    """Directed pairs related a second; None where there are none.

    `warm_up`, `timed`: images, of which the last batch may have more.
    """
    if not pipeline.relates:
        return None
    stream = cycle(images)

    def run() -> tuple[int, float]:
        graphs = pipeline.batch(list(islice(stream, batch)))
        # each graph has the latencies of the whole batch
        ms = sum(graphs[0].latency_ms[stage] for stage in FORWARD)
        return sum(_pairs(len(graph.nodes)) for graph in graphs), ms

    name = f"batches of {batch}"
    for _ in _passes(run, f"{name}, warm-up", math.ceil(warm_up / batch), seconds / 3, "batch"):
        pass
    results = list(_passes(run, name, math.ceil(timed / batch), seconds * 2 / 3, "batch"))
    pairs, ms = sum(pairs for pairs, _ in results), sum(ms for _, ms in results)
    return pairs / ms * 1e3 if pairs else None


def _passes(
    run: Callable[[], Result], what: str, most: int, seconds: float, unit: str
) -> Iterator[Result]:
    """Results of `most` passes, or of those that begin within `seconds`; of one at least."""
    end = time.monotonic() + seconds
    for _ in progress(range(most), what, most, unit):
        yield run()
        if time.monotonic() >= end:
            return


def _pairs(segments: int) -> int:
    """Directed pairs of so many segments."""
    return segments * (segments - 1)
