"""Render toyroom: simulated rooms with exact panoptic scene graphs.

render writes a data set in PSG's format for `dsflash train` and `dsflash eval`: psg.json, images/,
panoptic/; beside them depth/ID.png (16 bit, millimetres along the optical axis, 0 where nothing is)
and cameras.jsonl, a line an image with its size, intrinsics K and 4x4 camera_to_world (metres;
camera x right, y down, z forward; world z up). The same seed gives the same bytes on the same
machine. After an interrupt the same command goes on where it ended; more --scenes add to what is
there, which keeps its split. Scenes are numbered from --first, so that machines can share the work:
copy their folders together, and render once more with all --scenes.

show draws samples, of a data set or freshly rendered, with their segments and relations.

camera publishes over ROS what a robot sees that drives through a room, and what is really there.

examples:
  dsflash toyroom render --scenes 4000 --seed 1 --out data/train --size 384x288 --test-share 0.05
  dsflash toyroom render --scenes 500 --seed 2 --out data/held_out --size 384x288 --split test
  dsflash toyroom show --seed 7 --out sheet.png
  dsflash toyroom show data/train --scenes 12 --out sheet.png
  dsflash toyroom camera --help                   what it publishes
"""

import argparse
import os

from dsflash_ros.argument_types import folder, natural, positive, share, size
from dsflash_ros.cli import toyroom_camera
from dsflash_ros.cli.arguments import refuse

HELP = "render simulated rooms with exact scene graphs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its actions, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_render(actions)
    _add_show(actions)
    camera = actions.add_parser(
        "camera",
        help=toyroom_camera.HELP,
        description=toyroom_camera.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    toyroom_camera.add_arguments(camera)
    for action in actions.choices.values():
        action.set_defaults(parser=action)  # wrong usage shows the usage of the action


def _add_render(actions) -> None:
    render = actions.add_parser("render", help="write a data set", allow_abbrev=False)
    render.add_argument(
        "--scenes", type=positive, required=True, metavar="N", help="how many rooms"
    )
    render.add_argument(
        "--seed", type=natural, required=True, metavar="S", help="what all chance follows from"
    )
    render.add_argument(
        "--out", required=True, type=folder, metavar="DIR", help="folder of the data set"
    )
    render.add_argument(
        "--views", type=positive, default=1, metavar="V", help="images of each room (default: 1)"
    )
    render.add_argument(
        "--first",
        type=natural,
        default=0,
        metavar="I",
        help="number of the first scene (default: 0)",
    )
    splits = render.add_mutually_exclusive_group()
    splits.add_argument(
        "--split", choices=("train", "val", "test"), default="train", help="of all (default: train)"
    )
    splits.add_argument(
        "--test-share",
        type=share,
        default=0.0,
        metavar="X",
        help="share of the scenes in the split test (default: 0)",
    )
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    render.add_argument(
        "--workers",
        type=positive,
        default=cores,
        metavar="K",
        help="processes (default: as many as cores)",
    )
    _add_size(render)


def _add_show(actions) -> None:
    show = actions.add_parser("show", help="draw samples with their graphs", allow_abbrev=False)
    show.add_argument(
        "dataset", nargs="?", metavar="DATASET", help="folder or JSON of a data set in PSG's format"
    )
    show.add_argument("--seed", type=natural, metavar="S", help="render these instead")
    show.add_argument(
        "--scenes", type=positive, default=6, metavar="N", help="how many (default: 6)"
    )
    show.add_argument("--out", required=True, metavar="FILE", help="the picture, .png or .jpg")
    show.add_argument("--overwrite", action="store_true", help="replace FILE")
    _add_size(show)


def _add_size(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--size",
        type=size,
        default=(640, 480),
        metavar="WxH",
        help="pixels of an image (default: 640x480)",
    )


def run(args: argparse.Namespace) -> int:
    """Do the action."""
    return {"render": _render, "show": _show, "camera": toyroom_camera.run}[args.action](args)


def _render(args: argparse.Namespace) -> int:
    from dsflash_ros.toyroom.camera.dataset import Settings, render_dataset

    settings = Settings(args.seed, args.views, *args.size)
    rendered = render_dataset(
        args.out, settings, args.scenes, args.first, args.split, args.test_share, args.workers
    )
    print(rendered.report())
    print(f"written: {args.out}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from dsflash_ros.files import check_output
    from dsflash_ros.toyroom.camera.sheet import (
        draw_sheet,
        samples_of_dataset,
        samples_of_seed,
        write_sheet,
    )

    if (args.dataset is None) == (args.seed is None):
        args.parser.error("show draws either a DATASET or scenes of a --seed: give one of them")
    if args.dataset is not None:
        refuse(args, ("size",), "is of scenes of a --seed; those of a DATASET have theirs")
    if not args.out.lower().endswith((".png", ".jpg", ".jpeg")):
        args.parser.error(f"{args.out}: pictures are written as .png or .jpg; let the name end so")
    out = check_output(args.out, args.overwrite)
    if args.dataset is None:
        samples = samples_of_seed(args.seed, args.scenes, *args.size)
    else:
        from dsflash_ros.data.psg import PsgDataset

        samples = samples_of_dataset(PsgDataset.open(args.dataset), args.scenes)
    write_sheet(out, draw_sheet(samples))
    print(f"written: {out}")
    return 0
