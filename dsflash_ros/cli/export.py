"""Write a model as files that run without PyTorch, as on a robot's computer.

FOLDER gets segmenter.onnx and relations.onnx, whose metadata hold labels, thresholds and
preprocessing. Give FOLDER as weights wherever weights are asked for; ONNX Runtime, OpenVINO or
TensorRT run it. Before anything is written, the exported model runs on random scenes beside
PyTorch, and has to give the same.

examples:
  dsflash export onnx toyroom --out toyroom-onnx
  dsflash run photo.jpg --weights toyroom-onnx --out results
  dsflash run photo.jpg --weights toyroom-onnx --backend openvino --out results
"""

import argparse
from pathlib import Path

from dsflash_ros.argument_types import positive

HELP = "write a model as files that run without PyTorch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The format, weights and output."""
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True)
    onnx = formats.add_parser("onnx", help="ONNX files", allow_abbrev=False)
    onnx.add_argument(
        "weights", metavar="WEIGHTS", help="a checkpoint: a file, a hub id, or toyroom"
    )
    onnx.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    onnx.add_argument("--overwrite", action="store_true", help="replace an exported model there")
    onnx.add_argument(
        "--scenes",
        type=positive,
        default=5,
        metavar="N",
        help="random scenes to compare with PyTorch on (default: 5)",
    )


def run(args: argparse.Namespace) -> int:
    """Export the weights."""
    from dsflash_ros.errors import missing_torch

    try:
        from dsflash_ros.export.exporting import export_onnx
    except ImportError as error:
        raise missing_torch(error, args.weights) from error
    folder, closeness = export_onnx(args.weights, args.out, args.overwrite, args.scenes)
    print(f"largest difference to PyTorch on {args.scenes} random scenes, of each output's spread:")
    for name, share in closeness._asdict().items():
        print(f"  {name:<14} {share:.1e}")
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"written: {folder} ({size / 1e6:.1f} MB)")
    return 0
