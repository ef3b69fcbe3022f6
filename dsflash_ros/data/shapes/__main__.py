"""The command that writes the synthetic data set."""

import argparse
import sys

from dsflash_ros.argument_types import natural, positive, share
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.errors import DSFlashError, OutputError
from dsflash_ros.files import expand


def main(argv: list[str] | None = None) -> int:
    """Write a data set. Returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        if (args.directory / "psg.json").exists() and not args.overwrite:
            raise OutputError(
                f"{args.directory} holds a data set already; give --overwrite to replace it"
            )
        write_shapes(
            args.directory, args.count, args.seed, args.height, args.width, args.test_share
        )
        print(PsgDataset.open(args.directory).report())
    except DSFlashError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dsflash_ros.data.shapes", description="Write a small data set."
    )
    parser.add_argument("directory", type=expand)
    parser.add_argument("--count", type=positive, default=100, help="images (default: 100)")
    parser.add_argument(
        "--seed", type=natural, default=0, help="the same seed gives the same images (default: 0)"
    )
    parser.add_argument(
        "--height", type=positive, default=240, help="of the images, pixels (default: 240)"
    )
    parser.add_argument(
        "--width", type=positive, default=320, help="of the images, pixels (default: 320)"
    )
    parser.add_argument(
        "--test-share", type=share, default=0.2, help="of the images, 0 to 1 (default: 0.2)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a data set that is there already"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
