"""What `dsflash eval` refuses: arguments that contradict each other, or would do nothing."""

import argparse

from dsflash_ros.cli.arguments import TRACKING_NAMES, refuse
from dsflash_ros.cli.eval_arguments import SPEED_SETTINGS
from dsflash_ros.files import expand

_OF_ONE = ("annotations", "export", "report", "speed", "tracking", "true_segments")
"""Arguments that go with one data set or bag only."""


def check_usage(args: argparse.Namespace) -> None:
    """Before anything is read or written, end where an argument is out of place."""
    from dsflash_ros.sources import is_bag

    if args.ray is None:
        refuse(args, ("ray_cores",), "needs --ray")
    if are_many(args):
        _check_many(args)
    else:
        _check_one(args)
    if args.export and args.export[0] != "sgbench":
        args.parser.error(f"--export writes sgbench only, not {args.export[0]!r}")
    if not args.speed:
        refuse(args, SPEED_SETTINGS, "says how to measure speed: give --speed, too")
    if args.tracking:
        _check_tracking(args)
    else:
        refuse(args, ("true_segments",), "needs --tracking; --protocol predcls gives them, too")
    path = expand(args.dataset[0])
    if are_many(args) or args.tracking or is_bag(path):
        _check_bag(args)
    else:
        names = ("annotations", "topic", "target_frame", *TRACKING_NAMES)
        refuse(args, names, f"is of bags, and {path} is none: give a bag")


def are_many(args: argparse.Namespace) -> bool:
    """Whether each bag gets a report of its own."""
    return args.out is not None or args.ray is not None or len(args.dataset) > 1


def scores_tracks(args: argparse.Namespace) -> bool:
    """Whether the tracks of a bag are scored, alone or beside the rest."""
    return args.tracking or (args.protocol == "sgdet" and not args.annotations)


def _check_many(args: argparse.Namespace) -> None:
    if not args.out:
        args.parser.error("several bags need --out: the folder for their reports")
    refuse(args, _OF_ONE, "is of one data set or bag, without --out and --ray")
    if args.ray is not None:
        return
    for text in [*args.dataset, args.out]:
        if "://" in text:
            args.parser.error(f"{text}: a URL needs --ray")


def _check_one(args: argparse.Namespace) -> None:
    if "://" in args.dataset[0]:
        args.parser.error(f"{args.dataset[0]}: a URL needs --out and --ray")


def _check_tracking(args: argparse.Namespace) -> None:
    if args.export or args.speed or args.report:
        args.parser.error("--tracking goes with --json, not with --export, --speed or --report")
    why = "does not go with --tracking, which scores the tracks of a bag and nothing else"
    refuse(args, ("protocol", "annotations"), why)


def _check_bag(args: argparse.Namespace) -> None:
    refuse(args, ("split", "images"), "is of data sets; a bag has its own images")
    if not args.annotations:
        refuse(args, ("masks",), "is of data sets, and of a bag with --annotations")
    if args.speed:
        args.parser.error("--speed needs a data set; on a bag: dsflash bench frame BAG")
    if not scores_tracks(args):
        names = ("target_frame", *TRACKING_NAMES)
        refuse(args, names, "is of tracks, which --annotations and --protocol predcls leave out")
