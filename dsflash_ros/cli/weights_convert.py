"""The action `dsflash weights convert`: checkpoints of other code bases made ours."""

import argparse
from pathlib import Path

from dsflash_ros.argument_types import positive


def add_convert(actions) -> argparse.ArgumentParser:
    """Add the action's arguments."""
    convert = actions.add_parser(
        "convert", help="make a checkpoint of dsflash_ros of another", allow_abbrev=False
    )
    convert.add_argument(
        "source", metavar="SOURCE", help="a file, a folder with one, or a hub id such as a/b"
    )
    convert.add_argument(
        "--base", metavar="DINOV3", help="what the weights are differences to; file or hub id"
    )
    convert.add_argument(
        "--image-size", type=positive, metavar="N", help="side of the input (default: as trained)"
    )
    convert.add_argument(
        "--vocabulary",
        metavar="NAMES",
        help="'psg', a data set's psg.json or a JSON file (default: psg)",
    )
    convert.add_argument(
        "--into", metavar="OURS", help="SOURCE is a DSFormer; put its neck and head in this one"
    )
    return convert


def run_convert(args: argparse.Namespace, out: Path) -> int:
    """Do the action."""
    from dsflash_ros.conversion.convert import convert
    from dsflash_ros.conversion.dsformer import convert_dsformer
    from dsflash_ros.errors import WeightsError
    from dsflash_ros.graph.vocabulary import Vocabulary
    from dsflash_ros.model.checkpoints import save_checkpoint
    from dsflash_ros.weights.names import locate

    if args.into:
        if args.base or args.image_size or args.vocabulary:
            raise WeightsError(
                "--into keeps sizes and names of that checkpoint: "
                "leave --base, --image-size, --vocabulary"
            )
        conversion = convert_dsformer(locate(args.source), args.into)
    else:
        vocabulary = Vocabulary.load(args.vocabulary) if args.vocabulary else None
        base = locate(args.base) if args.base else None
        conversion = convert(locate(args.source), base, args.image_size, vocabulary)
    save_checkpoint(out, conversion.model, conversion.header)
    print("\n".join(conversion.summary))
    print(f"written: {out}")
    print("its relation stage is untrained; train it next: dsflash train relations CONFIG.yaml")
    return 0
