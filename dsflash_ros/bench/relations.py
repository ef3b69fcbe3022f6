"""Relation stages side by side, and DSFormer's beside them: operations, time, floor."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import torch
from torch import nn

from dsflash_ros.bench.dsformer import CHANNELS, SIDE, STRIDE, DSFormerStage
from dsflash_ros.bench.floor import Floor, flops_of, measure_floor, weight_bytes
from dsflash_ros.bench.results import spread
from dsflash_ros.bench.turns import in_turn
from dsflash_ros.errors import DeviceError
from dsflash_ros.model.relaters.coverage import mask_coverage
from dsflash_ros.model.relaters.neck import touched_patches
from dsflash_ros.model.relaters.relater import PairInputs, RelationStage, known_classes
from dsflash_ros.pipeline.backends.torch import PAIRS_AT_ONCE
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.text_tables import Row

SEGMENTS = 10

SHARES = (0.05, 0.25)
"""Least and largest part of the image that a segment covers."""

BASELINE = "DSFormer"


class PairScene(NamedTuple):
    """Rectangles at random places in a square image, the same at each size.

    Attributes:
        features: (1, channels, h, w).
        masks: (S, side, side) bool.
        boxes: (S, 4) float32, scaled to -1..1.
        class_ids: (S,) int64.
    """

    features: torch.Tensor
    masks: torch.Tensor
    boxes: torch.Tensor
    class_ids: torch.Tensor


def make_scene(channels: int, stride: int, side: int, segments: int = SEGMENTS) -> PairScene:
    """A scene with features of a segmenter, one for `stride` pixels."""
    random = torch.Generator().manual_seed(0)
    low, high = SHARES
    area = low + (high - low) * torch.rand(segments, generator=random)
    width = (area * (0.5 + 1.5 * torch.rand(segments, generator=random))).sqrt().clamp(max=1)
    size = torch.stack((width, area / width), dim=1)
    start = torch.rand(segments, 2, generator=random) * (1 - size)
    middles = (torch.arange(side) + 0.5) / side
    across, down = (
        (middles >= start[:, axis, None]) & (middles < (start + size)[:, axis, None])
        for axis in (0, 1)
    )
    masks = down[:, :, None] & across[:, None, :]
    boxes = 2 * torch.cat((start, start + size), dim=1) - 1
    features = torch.randn(1, channels, side // stride, side // stride, generator=random)
    return PairScene(features, masks, boxes, torch.zeros(segments, dtype=torch.long))


class WholeStage(nn.Module):
    """A relation stage with what comes before it: pooled masks and prepared features."""

    def __init__(self, stage: RelationStage, num_classes: int, **options: bool) -> None:
        super().__init__()
        self.stage, self.num_classes, self.options = stage, num_classes, options

    def inputs(self, scene: PairScene) -> PairInputs:
        """Of all unordered pairs."""
        stage, count = self.stage, len(scene.masks)
        return PairInputs(
            stage.prepare(scene.features),
            mask_coverage(scene.masks, stage.cell, stage.grid),
            scene.boxes,
            scene.class_ids,
            known_classes(scene.class_ids, self.num_classes),
            torch.zeros_like(scene.class_ids),
            torch.combinations(torch.arange(count, device=scene.masks.device)),
        )

    def forward(self, *scene: torch.Tensor, pairs_at_once: int) -> torch.Tensor:
        """Logits of all pairs, (n, 2, 1 + predicates), of the fields of a `PairScene`."""
        return self.stage(self.inputs(PairScene(*scene)), pairs_at_once, **self.options)


def measure(pipelines: Sequence[SceneGraphPipeline], repeat: int) -> list[Row]:
    """A row for each relation stage, with and without pruning where it has that, and for DSFormer.

    All relate all pairs of `SEGMENTS` segments, in turn: from features and full-resolution masks to
    logits. `touched %` is the mean share of patches that a pair's masks touch, which is what
    pruning keeps; the other columns are as in `dsflash bench scaling`, and `DSFormer / it` the
    median of DSFormer's time over this one's.

    Raises `DeviceError` for exported models.
    """
    for pipeline in pipelines:
        if pipeline.backend.name != "torch":
            raise DeviceError(
                f"relation stages are measured in PyTorch, not with {pipeline.backend.name}: give "
                "a checkpoint"
            )
    backend, dtype = pipelines[0].backend, getattr(torch, pipelines[0].precision)
    at_once = PAIRS_AT_ONCE[backend.device.type]
    floor = measure_floor(backend.device, dtype)
    works, rows = {}, {}
    for name, row, module, scene in _variants(pipelines, dtype):
        features = scene.features.to(backend.device, dtype)
        given = (features, *(one.to(backend.device) for one in scene[1:]))
        works[name] = lambda module=module, given=given: module(*given, pairs_at_once=at_once)
        rows[name] = row | _costs(module, given, at_once, floor)
    times = in_turn(backend, works, repeat)
    return [_timed(rows[name], times[name], times[BASELINE]) for name in works]


def _variants(pipelines: Sequence[SceneGraphPipeline], dtype: torch.dtype):
    """Name, first columns, module and scene of all that is measured."""
    device = pipelines[0].device
    theirs = DSFormerStage().to(device, dtype).eval()
    row: Row = {"weights": "random", "stage": BASELINE, "pixels": SIDE, "touched %": "-"}
    yield BASELINE, row, theirs, make_scene(CHANNELS, STRIDE, SIDE)
    for number, pipeline in enumerate(pipelines):
        config, stage = pipeline.config, pipeline.model.relations
        segmenter = pipeline.model.segmenter
        scene = make_scene(segmenter.feature_channels, segmenter.feature_stride, config.image_size)
        for pruning in (False, True) if "pruning" in stage.options else (None,):
            options = {} if pruning is None else {"pruning": pruning}
            whole = WholeStage(stage, config.num_classes, **options)
            row = {
                "weights": pipeline.weights,
                "stage": config.relater + (", pruned" if pruning else ""),
                "pixels": config.image_size,
                "touched %": _touched(stage, scene),
            }
            yield f"{number} {row['stage']}", row, whole, scene


def _touched(stage: RelationStage, scene: PairScene) -> str:
    coverage = mask_coverage(scene.masks, stage.cell, stage.grid)
    pairs = torch.combinations(torch.arange(len(coverage)))
    return f"{100 * float(touched_patches(coverage, pairs).float().mean()):.0f}"


def _costs(module: nn.Module, given: tuple, at_once: int, floor: Floor) -> Row:
    flops = flops_of(module, *given, pairs_at_once=at_once)
    floor_ms = floor.ms(flops, weight_bytes(module))
    return {"GFLOP": round(flops / 1e9, 3), "floor ms": round(floor_ms, 3)}


def _timed(row: Row, own: list[float], theirs: list[float]) -> Row:
    ratio = median(a / b for a, b in zip(theirs, own, strict=True))
    of_floor = median(own) / float(row["floor ms"])
    return row | spread(own) | {"of floor": round(of_floor, 2), "DSFormer / it": round(ratio, 1)}
