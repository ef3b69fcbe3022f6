"""Backends side by side: PyTorch, torch.compile, exported models in ONNX Runtime and OpenVINO.

    python benchmarks/backends.py [--weights toyroom random-small] [--variants NAME…] [--frames 30]
        [--images examples/drive] [--device cpu] [--threads N] [--json FILE]

All variants run in one process, one frame of each in turn, so that whatever else the machine does
meets all alike; the ratio to plain PyTorch in float32 says more than the milliseconds. Variants
that are not installed are left out. The exported models are made first, in a temporary folder.
"""

import argparse
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import median

import numpy as np

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import store
from dsflash_ros.errors import DSFlashError
from dsflash_ros.export.exporting import export_onnx
from dsflash_ros.export.quantizing import export_int8
from dsflash_ros.machine import machine
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline
from dsflash_ros.sources import open_source
from dsflash_ros.text_tables import Row, show

VARIANTS = {
    "torch": {"backend": "torch", "precision": "float32"},
    "torch bfloat16": {"backend": "torch", "precision": "bfloat16"},
    "torch compile": {"backend": "torch", "compile": True, "precision": "float32"},
    "torch compile bfloat16": {"backend": "torch", "compile": True, "precision": "bfloat16"},
    "onnx": {"backend": "onnx"},
    "openvino": {"backend": "openvino", "precision": "float32"},
    "openvino bfloat16": {"backend": "openvino", "precision": "bfloat16"},
    "onnx int8": {"backend": "onnx"},
    "openvino int8": {"backend": "openvino", "precision": "float32"},
    "tensorrt": {"backend": "tensorrt"},
}
"""Arguments of `SceneGraphPipeline.from_weights`."""

WARM_UP = 3
"""Frames of each variant that do not count."""


def load(
    args: argparse.Namespace, weights: str, folder: Path, images: list[np.ndarray]
) -> dict[str, SceneGraphPipeline]:
    """A pipeline for each variant that this machine has; int8 is calibrated on the images."""
    exported, _ = export_onnx(weights, folder / weights)
    found = {}
    for name in args.variants:
        given = {"precision": "float32", "device": args.device, **VARIANTS[name]}
        source = weights if given["backend"] == "torch" else exported
        if name.endswith("int8"):
            try:
                source, _ = export_int8(exported, images, folder / "int8", overwrite=True)
            except DSFlashError as error:
                print(f"left out: {name}: {error}", file=sys.stderr)
                continue
        start = time.perf_counter()
        try:
            found[name] = SceneGraphPipeline.from_weights(
                source, threads=args.threads, options=Options(), **given
            )
        except DSFlashError as error:
            print(f"left out: {name}: {error}", file=sys.stderr)
            continue
        print(f"{weights}, {name}: loaded in {time.perf_counter() - start:.1f} s", file=sys.stderr)
    return found


def measure(
    pipelines: dict[str, SceneGraphPipeline], images: list[np.ndarray], frames: int
) -> dict[str, list[dict[str, float]]]:
    """`latency_ms` of each frame by variant, one frame of each in turn."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in pipelines}
    for number, rgb in enumerate(islice(cycle(images), frames + WARM_UP)):
        for name, pipeline in pipelines.items():
            graph = pipeline(rgb)
            if number >= WARM_UP:
                found[name].append({**graph.latency_ms, "segments": len(graph.nodes)})
    return found


def rows_of(weights: str, found: dict[str, list[dict[str, float]]]) -> list[Row]:
    """A row for each variant: medians, p99, and the median ratio to the first variant's frames."""
    rows, first = [], next(iter(found.values()))
    for name, frames in found.items():
        stages = [key for key in frames[0] if key not in ("total", "segments")]
        totals = [frame["total"] for frame in frames]
        ratios = [mine / frame["total"] for mine, frame in zip(totals, first, strict=True)]
        row = {"weights": weights, "variant": name, "total": f"{median(totals):.1f}"}
        row["p99"] = f"{np.percentile(totals, 99):.1f}"
        row["ratio"] = f"{median(ratios):.2f}"
        row |= {stage: f"{median(frame[stage] for frame in frames):.1f}" for stage in stages}
        row["segments"] = f"{median(frame['segments'] for frame in frames):.0f}"
        rows.append(row)
    return rows


def main() -> int:
    """Measure, and print a table for each of the weights. Returns the exit code."""
    args, on = parsed(), machine()
    try:
        with open_source(args.images) as source:
            images = [frame.rgb for frame in islice(source, args.frames)]
        rows = []
        for weights in args.weights:
            with tempfile.TemporaryDirectory() as folder:
                pipelines = load(args, weights, Path(folder), images)
                rows += rows_of(weights, measure(pipelines, images, args.frames))
        title = f"ms a frame, medians of {args.frames}; ratio to {args.variants[0]}"
        show(title, rows)
        if args.json:
            settings = {"frames": args.frames, "images": args.images, "device": args.device}
            store(args.json, "backends", settings, rows, on)
    except DSFlashError as error:
        print(f"backends.py: {error}", file=sys.stderr)
        return 1
    return 0


def parsed() -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", nargs="+", default=["toyroom", "random-small"])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--frames", type=positive, default=30)
    parser.add_argument("--images", default="examples/drive")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
