"""Measure on this machine: the pipeline's stages, messages, the node's own cost, and more.

  frame        stage latencies of the pipeline, without ROS
  load         frames a second while other programs keep the cores busy
  conversions  image messages to arrays and back
  node         what the ROS node adds to the pipeline's time
  loader       images a second that training gets from a data set
  segmenter    segmenters side by side: parameters, GFLOPs, time, PQ
  relations    relation stages side by side, and DSFormer's beside them: GFLOP, time, floor
  scaling      how costs grow with segments, batch, image size, cameras and threads

examples:
  dsflash bench frame --weights random-base --size 1920x1080
  dsflash bench frame examples/drive              these images, and their segments, not noise
  dsflash bench load examples/drive               takes some minutes
  dsflash bench load --environment GOMP_SPINCOUNT=300000
                                                  the same, with PyTorch's own spinning beside
  dsflash bench node --rate 30 --duration 60      drops, latency, memory; the camera is too fast
  dsflash bench loader data/psg --workers 8
  dsflash bench segmenter --compare toyroom random-proscale-lite0 random-tiny
  dsflash bench segmenter data/toy --compare a.safetensors b.safetensors --limit 100
                                                  with the PQ on these images
  dsflash bench relations --compare toyroom toyroom-neck random-small
  dsflash bench scaling --weights toyroom --plot curves.png
  dsflash bench frame --json benchmarks/results/my_machine_frame.json
"""

import argparse

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.cli.arguments import add_model_arguments, output_files
from dsflash_ros.cli.bench_measures import AUGMENTATIONS, MEASURES
from dsflash_ros.images.letterbox import MAX_SIDE, MIN_SIDE
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS

_REPEATS = {"loader": 512, "load": 5, "relations": 20, "scaling": 20}

_WITH_MODEL = ("frame", "load", "node", "segmenter", "relations", "scaling")

_ONLY_FOR = {
    "size": ("frame", "load", "conversions", "node", "segmenter"),
    "duration": ("load", "node"),
    "environment": ("load",),
    "rate": ("node",),
    **dict.fromkeys(("workers", "image_size", "augmentation"), ("loader",)),
    "compare": ("segmenter", "relations"),
    "limit": ("segmenter",),
    "plot": ("scaling",),
    **{option.name: _WITH_MODEL for option in (*MODEL_OPTIONS, *FRAME_OPTIONS)},
}
"""Which measurements take notice of an argument; of those that are not here, all do."""

HELP = "measure latencies and rates on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure, and how."""
    parser.add_argument("what", choices=MEASURES, help="what to measure")
    parser.add_argument(
        "source",
        nargs="?",
        help="for frame and load: an image, folder, video or bag (default: noise); "
        "for loader and segmenter: a psg.json or the folder of one",
    )
    parser.add_argument("--json", metavar="FILE", help="store the table and the machine there, too")
    parser.add_argument(
        "--size",
        type=_size,
        action="append",
        metavar="WxH",
        help="of the frames, repeatable (default: 640x480, 1920x1080; for load 640x480, "
        "and one at most; of a source: its own)",
    )
    parser.add_argument(
        "--repeat",
        type=positive,
        metavar="N",
        help="frames to measure (default: 50); images for loader (512); rounds for load (5), "
        "relations (20) and scaling (20)",
    )
    parser.add_argument(
        "--duration",
        type=positive_float,
        metavar="S",
        help="seconds: of a row in each round of load (default: 3), of node with --rate (60)",
    )
    load = parser.add_argument_group("load")
    load.add_argument(
        "--environment",
        action="append",
        default=[],
        type=_assignment,
        metavar="NAME=VALUE",
        help="measure a pipeline with that in its environment, too; repeatable",
    )
    node = parser.add_argument_group("node")
    node.add_argument(
        "--rate", type=positive_float, metavar="HZ", help="let the camera send at that rate"
    )
    loader = parser.add_argument_group("loader")
    loader.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        default=0,
        help="processes (default: 0)",
    )
    loader.add_argument(
        "--image-size", type=positive, default=640, metavar="S", help="network input (default: 640)"
    )
    loader.add_argument(
        "--augmentation",
        action="append",
        choices=AUGMENTATIONS,
        help="repeatable (default: each)",
    )
    segmenter = parser.add_argument_group("segmenter and relations")
    segmenter.add_argument(
        "--compare",
        nargs="+",
        metavar="WEIGHTS",
        help="what to measure side by side (default: --weights)",
    )
    segmenter.add_argument(
        "--limit",
        type=positive,
        metavar="N",
        help="segmenter: PQ on the first N images (default: all)",
    )
    parser.add_argument("--plot", metavar="FILE", help="for scaling: draw the curves as a PNG, too")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the files of --json and --plot"
    )
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print, store."""
    from dsflash_ros.bench.results import store
    from dsflash_ros.machine import machine
    from dsflash_ros.text_tables import show

    _check(args)
    args.repeat = args.repeat or _REPEATS.get(args.what, 50)
    args.duration = args.duration or {"load": 3.0}.get(args.what, 60.0)
    json_path, plot_path = output_files(args, "json", "plot")
    on = machine()
    title, rows = MEASURES[args.what](args)
    print(", ".join(f"{key} {value}" for key, value in on.items()))
    show(title, rows)
    if json_path:  # first: what was measured is not lost where the curves cannot be drawn
        left_out = ("run", "parser", "json", "plot", "overwrite", "command")
        settings = {key: value for key, value in vars(args).items() if key not in left_out}
        store(json_path, args.what, settings, rows, on)
    if plot_path:
        from dsflash_ros.bench.scaling import draw

        draw(rows, plot_path)
        print(f"written: {plot_path}")
    return 0


def _check(args: argparse.Namespace) -> None:
    """What a measurement takes no notice of, or lacks, is wrong usage."""
    given = {name for name in _ONLY_FOR if getattr(args, name) != args.parser.get_default(name)}
    for name, measures in _ONLY_FOR.items():
        if name in given and args.what not in measures:
            *others, last = measures
            known = f"{', '.join(others)} and {last}" if others else last
            option = name.replace("_", "-")
            args.parser.error(f"--{option} is for {known}, not for {args.what}")
    if args.what == "loader" and args.source is None:
        args.parser.error("loader needs a data set, as in: dsflash bench loader data/psg")
    if args.what in ("conversions", "node", "relations", "scaling") and args.source is not None:
        args.parser.error(f"{args.what} makes its own images and takes no source")
    if "duration" in given and args.what == "node" and "rate" not in given:
        args.parser.error("--duration of node needs --rate: else --repeat says how many frames")
    if args.what == "node" and args.rate is not None and args.repeat is not None:
        args.parser.error("--repeat of node does not go with --rate: --duration says how long")
    if args.what == "segmenter" and args.source is not None and args.size is not None:
        args.parser.error("--size does not go with a data set, whose images have their own")
    if args.what == "load" and len(args.size or ()) > 1:
        args.parser.error("load measures one --size: give one")
    if "limit" in given and args.source is None:
        args.parser.error("--limit needs a data set, as in: dsflash bench segmenter data/psg")
    if {"compare", "weights"} <= given:
        args.parser.error("give the weights with --compare or with --weights, not with both")


def _assignment(text: str) -> str:
    """`NAME=VALUE`, as of an environment variable."""
    name, sign, _ = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return text


def _workers(text: str) -> int:
    """A whole number from 0 to 256."""
    if not text.isdecimal() or len(text) > 3 or int(text) > 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 256")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    """`640x480` as (width, height), as large as images may be."""
    sides = text.split("x")
    if len(sides) != 2 or not all(_is_side(side) for side in sides):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size such as 640x480, from {MIN_SIDE}x{MIN_SIDE} to "
            f"{MAX_SIDE}x{MAX_SIDE}"
        )
    return int(sides[0]), int(sides[1])


def _is_side(text: str) -> bool:
    return text.isdecimal() and len(text) < 6 and MIN_SIDE <= int(text) <= MAX_SIDE
