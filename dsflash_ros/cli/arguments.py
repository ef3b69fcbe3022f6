"""Arguments that several subcommands have: the model and its options, the data set; and their
types.
"""

import argparse
from pathlib import Path

from dsflash_ros.argument_types import positive
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `pipeline_from` reads."""
    model = parser.add_argument_group("model")
    model.add_argument(
        "--weights",
        default=DEFAULT_WEIGHTS,
        help="a .safetensors file or its id on the hub; toyroom comes with the package and knows its simulated rooms "
        "only; random, random-tiny, -small, -base and -large are untrained (default: %(default)s)",
    )
    model.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    precisions = ("auto", "float32", "bfloat16", "float16")
    model.add_argument(
        "--precision", default="auto", choices=precisions, help="number format (default: auto)"
    )
    model.add_argument(
        "--compile", action="store_true", help="torch.compile: slow to start, faster after"
    )
    model.add_argument(
        "--pruning",
        action="store_true",
        help="leave out patches that neither of a pair's masks touches (weights trained so, as toyroom, always do)",
    )
    model.add_argument(
        "--low-resolution-masks", action="store_true", help="segment at a quarter of the resolution"
    )
    for name, kind, default, text in (
        ("tome-ratio", float, 0.0, "share of patch tokens to merge, 0 to 0.7"),
        ("mask-threshold", float, 0.8, "least class score of a segment, 0 to 1"),
        (
            "overlap-threshold",
            float,
            0.8,
            "least share of its mask that a segment must keep, 0 to 1",
        ),
        ("relation-threshold", float, 0.3, "least score of a relation, 0 to 1"),
        ("max-relations", int, 100, "how many relations to keep, the best first"),
        ("max-segments", int, 50, "how many segments to keep, the best first"),
    ):
        model.add_argument(
            f"--{name}",
            type=kind,
            default=default,
            metavar="X",
            help=f"{text} (default: %(default)s)",
        )


def pipeline_from(args: argparse.Namespace):
    """The `SceneGraphPipeline` that the arguments ask for. Values out of range are wrong usage."""
    from dataclasses import fields

    from dsflash_ros.pipeline.options import Options
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

    try:
        options = Options(**{field.name: getattr(args, field.name) for field in fields(Options)})
    except ValueError as error:
        args.parser.error(str(error))
    return SceneGraphPipeline.from_weights(
        args.weights,
        device=args.device,
        precision=args.precision,
        compile=args.compile,
        options=options,
    )


def add_dataset_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `dataset_from` reads, and `--limit`."""
    parser.add_argument(
        "dataset", metavar="DATASET", help="psg.json, another file in its format, or its folder"
    )
    parser.add_argument("--split", default="test", help="train, val, test or all (default: test)")
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of the images (default: beside the JSON)"
    )
    parser.add_argument(
        "--masks", type=Path, metavar="DIR", help="folder of the panoptic PNGs (default: beside it)"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N images")


def dataset_from(args: argparse.Namespace):
    """The `PsgDataset` that the arguments name."""
    from dsflash_ros.data.psg import PsgDataset

    return PsgDataset.open(
        args.dataset, None if args.split == "all" else args.split, args.images, args.masks
    )
