"""How costs grow: with segments, batch, size of the image, cameras and threads."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from dsflash_ros.bench.floor import Floor, flops_of, measure_floor, weight_bytes
from dsflash_ros.bench.frame import noise
from dsflash_ros.bench.results import spread
from dsflash_ros.bench.turns import in_turn
from dsflash_ros.errors import DeviceError, missing_extra
from dsflash_ros.files import replacing
from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.model.relaters.relater import RelationStage
from dsflash_ros.model.segmenters.segmenter import Segmenter
from dsflash_ros.pipeline.backends.torch import PAIRS_AT_ONCE
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.pipeline.tracked import GraphFollower
from dsflash_ros.text_tables import Row
from dsflash_ros.threads import usable_cores

SEGMENTS = (2, 5, 10, 20, 50, 100)
BATCHES = (1, 2, 4, 8)
SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
CAMERAS = (1, 2, 4)

UNKNOWN = "-"


def measure(pipeline: SceneGraphPipeline, repeat: int) -> list[Row]:
    """Rows of all sweeps, the values of each measured in turn.

    `segments` is the relation stage alone, for all pairs of so many rectangles at random places.
    `batch` is the segmenter, an image's share of the time. The others are whole frames: of several
    sizes; of several cameras in turn, with a tracker each; with so many threads of PyTorch.
    `floor ms` is what products of large matrices would take for the same operations, and `of floor`
    how many times as long the median is.

    Raises `DeviceError` for exported models.
    """
    if pipeline.backend.name != "torch":
        raise DeviceError(
            f"scaling looks into the model, which the backend {pipeline.backend.name} hides: give "
            "a checkpoint"
        )
    dtype = getattr(torch, pipeline.precision)
    floor = measure_floor(pipeline.device, dtype)
    rows = [*_of_segments(pipeline, floor, repeat), *_of_batches(pipeline, floor, repeat)]
    rows += [*_of_sizes(pipeline, repeat), *_of_cameras(pipeline, repeat)]
    if pipeline.device.type == "cpu":
        rows += _of_threads(pipeline, repeat)
    return rows


def random_pairs(
    stage: RelationStage, segmenter: Segmenter, num_classes: int, segments: int
) -> PairInputs:
    """What a relation stage is given of rectangles at random places, all pairs of them.

    `prepared` is what it is still to be made of: features, (1, channels, h, w).
    """
    random = torch.Generator().manual_seed(segments)
    coverage = torch.zeros(segments, stage.grid, stage.grid)
    for mask in coverage:
        y, x = torch.randint(1 + stage.grid // 2, (2,), generator=random).tolist()
        height, width = torch.randint(1, 2 + stage.grid // 3, (2,), generator=random).tolist()
        mask[y : y + height, x : x + width] = 1
    side = stage.grid * stage.cell // segmenter.feature_stride
    features = torch.randn(1, segmenter.feature_channels, side, side, generator=random)
    corners = torch.rand(segments, 2, 2, generator=random).sort(1).values.flatten(1)
    return PairInputs(
        features,
        coverage.flatten(1),
        2 * corners - 1,
        torch.zeros(segments, dtype=torch.long),
        torch.rand(segments, num_classes, generator=random).softmax(1),
        torch.zeros(segments, dtype=torch.long),
        torch.combinations(torch.arange(segments)),
    )


def _of_segments(pipeline: SceneGraphPipeline, floor: Floor, repeat: int) -> Iterator[Row]:
    backend, model, options = pipeline.backend, pipeline.model, pipeline.options
    works, flops = {}, {}
    for count in SEGMENTS:
        classes = pipeline.config.num_classes
        found = random_pairs(model.relations, model.segmenter, classes, count)
        inputs = PairInputs(*(one.to(backend.device) for one in found))
        with backend.running():
            inputs = inputs._replace(prepared=backend.prepare(inputs.prepared))
        works[count] = lambda inputs=inputs: backend.relate(inputs, options)
        chosen = {name: getattr(options, name) for name in backend.relater_options}
        at_once = PAIRS_AT_ONCE[backend.device.type]
        flops[count] = flops_of(model.relations, inputs, at_once, **chosen)
    size = weight_bytes(model.relations)
    for count, times in in_turn(pipeline.backend, works, repeat).items():
        what = f"{count * (count - 1) // 2} pairs"
        yield _row("segments", count, what, times, floor.ms(flops[count], size))


def _of_batches(pipeline: SceneGraphPipeline, floor: Floor, repeat: int) -> Iterator[Row]:
    backend, side = pipeline.backend, pipeline.config.image_size
    segmenter = pipeline.model.segmenter
    dtype = getattr(torch, pipeline.precision)
    works = {}
    for count in BATCHES:
        images = torch.rand(count, 3, side, side, device=backend.device)
        works[count] = lambda images=images: backend.segment(images, pipeline.options)
    image = torch.rand(1, 3, side, side, device=backend.device, dtype=dtype)
    flops, size = flops_of(segmenter, image), weight_bytes(segmenter)
    for count, times in in_turn(pipeline.backend, works, repeat).items():
        own = [ms / count for ms in times]
        yield _row("batch", count, "segmenter, an image", own, floor.ms(flops, size / count))


def _of_sizes(pipeline: SceneGraphPipeline, repeat: int) -> Iterator[Row]:
    streams = {f"{width}x{height}": noise(width, height) for width, height in SIZES}
    works = {name: lambda images=images: pipeline(next(images)) for name, images in streams.items()}
    for name, times in in_turn(pipeline.backend, works, repeat).items():
        yield _row("size", name, "frame", times)


def _of_cameras(pipeline: SceneGraphPipeline, repeat: int) -> Iterator[Row]:
    def round_of(count: int) -> Callable[[], None]:
        cameras = [(noise(640, 480), GraphFollower()) for _ in range(count)]

        def work() -> None:
            for images, follower in cameras:
                rgb = next(images)
                follower.follow(pipeline(rgb), rgb, None, pipeline.options)

        return work

    before, pipeline.for_trackers = pipeline.for_trackers, True
    try:
        found = in_turn(pipeline.backend, {count: round_of(count) for count in CAMERAS}, repeat)
    finally:
        pipeline.for_trackers = before
    for count, times in found.items():
        yield _row("cameras", count, "tracked frame", [ms / count for ms in times])


def _of_threads(pipeline: SceneGraphPipeline, repeat: int) -> Iterator[Row]:
    rgb, before = next(noise(640, 480)), torch.get_num_threads()
    counts = [2**power for power in range(8) if 2**power < usable_cores()] + [usable_cores()]

    def with_threads(count: int) -> Callable[[], object]:
        def work() -> object:
            torch.set_num_threads(count)
            return pipeline(rgb)

        return work

    try:
        found = in_turn(pipeline.backend, {count: with_threads(count) for count in counts}, repeat)
    finally:
        torch.set_num_threads(before)
    for count, times in found.items():
        yield _row("threads", count, "frame", times)


def _row(
    sweep: str, value: int | str, what: str, times: Sequence[float], floor_ms: float | None = None
) -> Row:
    row: Row = {"sweep": sweep, "value": value, "of": what, **spread(times)}
    ratio = UNKNOWN if floor_ms is None else f"{np.median(times) / floor_ms:.2f}"
    floor = UNKNOWN if floor_ms is None else f"{floor_ms:.3f}"
    return row | {"floor ms": floor, "of floor": ratio}


def draw(rows: Sequence[Row], path: Path) -> None:
    """The sweeps as curves, a PNG.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("benchmarks", error) from error
    sweeps = list(dict.fromkeys(row["sweep"] for row in rows))
    figure = Figure(figsize=(3.2 * len(sweeps), 3), layout="constrained")
    for axis, sweep in zip(figure.subplots(1, len(sweeps), squeeze=False)[0], sweeps, strict=True):
        own = [row for row in rows if row["sweep"] == sweep]
        places = [row["value"] for row in own] if sweep == "segments" else range(len(own))
        axis.plot(places, [row["median ms"] for row in own], "o-", label="median")
        if own[0]["floor ms"] != UNKNOWN:
            axis.plot(places, [float(row["floor ms"]) for row in own], ".--", label="floor")
            axis.legend(fontsize=8)
        if sweep != "segments":
            axis.set_xticks(list(places), [str(row["value"]) for row in own], fontsize=7)
        axis.set_ylim(0, 1.15 * max(row["median ms"] for row in own))
        axis.set_xlabel(sweep)
        axis.set_title(f"{own[-1]['of'] if sweep != 'segments' else 'relation stage'}, ms", size=9)
        axis.spines[["top", "right"]].set_visible(False)
    with replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
