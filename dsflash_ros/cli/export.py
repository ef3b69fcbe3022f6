"""Write a model as files that run without PyTorch, as on a robot's computer.

FOLDER gets segmenter.onnx and relations.onnx, whose metadata hold labels, thresholds and
preprocessing. Give FOLDER as weights wherever weights are asked for; ONNX Runtime, OpenVINO or
TensorRT run it. Before anything is written, the exported model runs on random scenes beside
PyTorch, and has to give the same.

int8 writes an exported model again, with the segmenter's products in 8 bits: a third faster with
OpenVINO on processors that have them (VNNI), and smaller. It looks at images of what the model will
see, a video or a bag, and compares both on images that it did not look at.

examples:
  dsflash export onnx toyroom --out toyroom-onnx
  dsflash run photo.jpg --weights toyroom-onnx --out results
  dsflash run photo.jpg --weights toyroom-onnx --backend openvino --out results
  dsflash export int8 toyroom-onnx --images drive/ --out toyroom-int8
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dsflash_ros.argument_types import positive

if TYPE_CHECKING:
    from dsflash_ros.sources.source import Frame, Source

HELP = "write a model as files that run without PyTorch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The format, what to export, and output."""
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True)
    onnx = formats.add_parser("onnx", help="ONNX files", allow_abbrev=False)
    onnx.add_argument(
        "weights", metavar="WEIGHTS", help="a checkpoint: a file, a hub id, or toyroom"
    )
    onnx.add_argument(
        "--scenes",
        type=positive,
        default=5,
        metavar="N",
        help="random scenes to compare with PyTorch on (default: 5)",
    )
    int8 = formats.add_parser(
        "int8", help="ONNX files with the segmenter in 8 bits", allow_abbrev=False
    )
    int8.add_argument("model", metavar="MODEL", help="the folder of an exported model")
    int8.add_argument(
        "--images",
        required=True,
        metavar="SOURCE",
        help="what the model will see: images in a folder, a video or a bag",
    )
    int8.add_argument(
        "--count",
        type=positive,
        default=100,
        metavar="N",
        help="images to use, spread evenly (default: 100)",
    )
    for parser in (onnx, int8):
        parser.add_argument(
            "--out", type=Path, required=True, metavar="FOLDER", help="a new folder"
        )
        parser.add_argument(
            "--overwrite", action="store_true", help="replace an exported model there"
        )


def run(args: argparse.Namespace) -> int:
    """Export."""
    folder = _run_onnx(args) if args.format == "onnx" else _run_int8(args)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"written: {folder} ({size / 1e6:.1f} MB)")
    return 0


def _run_onnx(args: argparse.Namespace) -> Path:
    from dsflash_ros.errors import missing_torch

    try:
        from dsflash_ros.export.exporting import export_onnx
    except ImportError as error:
        raise missing_torch(error, args.weights) from error
    folder, closeness = export_onnx(args.weights, args.out, args.overwrite, args.scenes)
    print(f"largest difference to PyTorch on {args.scenes} random scenes, of each output's spread:")
    for name, share in closeness._asdict().items():
        print(f"  {name:<14} {share:.1e}")
    return folder


def _run_int8(args: argparse.Namespace) -> Path:
    from dsflash_ros.export.folders import check_folder
    from dsflash_ros.export.quantizing import export_int8
    from dsflash_ros.sources import open_source

    check_folder(args.out, args.overwrite)
    with open_source(args.images) as source:
        images = [frame.rgb for frame in spread(source, args.count)]
    folder, agreement = export_int8(args.model, images, args.out, args.overwrite)
    print(
        f"pixels with the class that they had in float32: {agreement.pixels:.1%}, on "
        f"{agreement.images} images that were not used for calibration"
    )
    return folder


def spread(source: "Source", count: int) -> "Iterator[Frame]":
    """So many frames of a source, or all: spread evenly where its length is known."""
    try:
        length = len(source)
    except TypeError:
        length = count
    wanted = {index * length // count for index in range(count)}
    read = islice(source, max(wanted) + 1)
    return (frame for index, frame in enumerate(read) if index in wanted)
