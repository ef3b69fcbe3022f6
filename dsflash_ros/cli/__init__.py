"""The `dsflash` command.

Each subcommand is a module here with `HELP`, `add_arguments(parser)` and `run(args) -> int`. These
modules import torch, OpenCV and ROS only when they run, so that `--help` is quick and works without
them.
"""

import argparse
import errno
import importlib
import logging
import os
import signal
import sys

import dsflash_ros
from dsflash_ros.errors import DSFlashError

COMMANDS = (
    "run",
    "node",
    "play",
    "watch",
    "view",
    "mcp",
    "replay",
    "toyroom",
    "train",
    "eval",
    "compare",
    "tables",
    "weights",
    "export",
    "bench",
)

RENAMED = {"world": "toyroom"}
"""Former names of commands, which still work, and say so."""

_EPILOG = """\
examples:
  dsflash run photo.jpg --out results            a scene graph and a picture of it
  dsflash run clip.mp4 --out results --stride 5  each fifth frame of a video
  dsflash view clip.mp4                          look at them in a browser
  dsflash replay drive/ --out replayed           a bag of graphs of a bag of images
  dsflash play clip.mp4 --loop                   a camera on the topic /image ...
  dsflash node                                   ... and the node that turns it into scene graphs
  dsflash toyroom show --seed 1 --out rooms.png  simulated rooms with their true graphs

exit codes:
  0 done   1 it failed, the reason is on stderr   2 wrong usage   130 interrupted   143 terminated
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments, by default the process's. Returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv:
        _parser().print_help()
        return 0
    if argv[0] in RENAMED:
        print(f"dsflash {argv[0]} is now called dsflash {RENAMED[argv[0]]}", file=sys.stderr)
        argv = [RENAMED[argv[0]], *argv[1:]]
    try:
        return _run(argv)
    except KeyboardInterrupt:
        # Whoever presses twice wants no traceback of what is ending anyway.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"dsflash {argv[0]}: interrupted", file=sys.stderr)
        return 130


def _run(argv: list[str]) -> int:
    # All that follows `node` is for ROS, which has its own syntax.
    is_node = argv[:1] == ["node"] and not {"-h", "--help"} & set(argv[1:2])
    parser = _parser()
    args = parser.parse_args(argv[:1] if is_node else argv)
    if is_node:
        args.ros_args = argv[1:]
    else:
        signal.signal(signal.SIGTERM, _terminate)
    _quiet_libraries()
    try:
        code = args.run(args)
        if sys.stdout is not None:  # it may be closed
            sys.stdout.flush()
        return code
    except DSFlashError as error:
        print(f"dsflash {args.command}: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision", "timm"):
            raise
        print(
            f"dsflash {args.command}: this needs {error.name}, which is not installed: install "
            "dsflash_ros without DSFLASH_WITHOUT_TORCH",
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:
        _say_no_more()  # whoever read our output, such as `head`, has left
        return 1
    except OSError as error:  # files of results are `OutputError`
        if error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        _say_no_more()
        print(f"dsflash {args.command}: cannot write the output: {error.strerror}", file=sys.stderr)
        return 1


def _say_no_more() -> None:
    """Give up stdout, which Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dsflash",
        description="Panoptic scene graphs from camera images: who and what is in view, and how "
        "each relates to each.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dsflash {dsflash_ros.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"dsflash_ros.cli.{name}")
        subparser = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run, parser=subparser)
    return parser


def _terminate(*_) -> None:
    """On SIGTERM, end through the `finally` clauses, so that what was written is whole."""
    sys.exit(128 + signal.SIGTERM)


def _quiet_libraries() -> None:
    """Silence OpenCV's and FFmpeg's lines, which would hide our errors, and show our log."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    logging.basicConfig(level=logging.WARNING, format="dsflash: %(message)s")
    logging.getLogger("dsflash_ros.progress_bar").setLevel(logging.INFO)
