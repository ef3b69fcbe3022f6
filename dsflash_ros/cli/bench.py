"""Measure on this machine: the pipeline's stages, messages, the node's own cost, the loading of
data sets.

examples:
  dsflash bench frame --weights random-base --size 1920x1080
  dsflash bench frame examples/drive              with these images in place of noise: as many
  segments as they show dsflash bench conversions
  dsflash bench node                              what the node adds to the pipeline's time
  dsflash bench node --rate 30 --duration 60      drops, latency and memory with a camera that is
  too fast dsflash bench loader data/psg --workers 8       images a second that training gets
  dsflash bench frame --json benchmarks/results/my_machine_frame.json
"""

import argparse
from pathlib import Path

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.cli.arguments import add_model_arguments, pipeline_from
from dsflash_ros.errors import missing_ros

AUGMENTATIONS = ("none", "flip", "deit3", "eomt")
"""`dsflash_ros.data.views.AUGMENTATIONS`, which cannot be imported without torch."""

HELP = "measure latencies and rates on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to measure, and how."""
    parser.add_argument(
        "what", choices=("frame", "conversions", "node", "loader"), help="what to measure"
    )
    parser.add_argument(
        "source",
        nargs="?",
        help="for frame: an image, folder, video or bag (default: noise); for loader: a psg.json or the folder of one",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="store the table and the machine there, too"
    )
    parser.add_argument(
        "--size",
        type=_size,
        action="append",
        metavar="WxH",
        help="of the frames, repeatable (default: 640x480, 1920x1080; of a source: its own)",
    )
    parser.add_argument(
        "--repeat",
        type=positive,
        metavar="N",
        help="frames to measure (default: 50), images for loader (512)",
    )
    node = parser.add_argument_group("node")
    node.add_argument(
        "--rate", type=positive_float, metavar="HZ", help="let the camera send at that rate"
    )
    node.add_argument(
        "--duration",
        type=positive_float,
        default=60.0,
        metavar="S",
        help="with --rate (default: 60)",
    )
    loader = parser.add_argument_group("loader")
    loader.add_argument(
        "--workers",
        type=int,
        choices=range(257),
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
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print, store."""
    from dsflash_ros.bench.results import store
    from dsflash_ros.machine import machine
    from dsflash_ros.text_tables import show

    if args.what == "loader" and args.source is None:
        args.parser.error("loader needs a data set, as in: dsflash bench loader data/psg")
    if args.what in ("conversions", "node") and args.source is not None:
        args.parser.error(f"{args.what} makes its own images and takes no source")
    args.repeat = args.repeat or (512 if args.what == "loader" else 50)
    sizes = args.size or [(640, 480), (1920, 1080)]
    on = machine()
    title, rows = {"frame": _frame, "conversions": _conversions, "node": _node, "loader": _loader}[
        args.what
    ](args, sizes)
    print(", ".join(f"{key} {value}" for key, value in on.items()))
    show(title, rows)
    if args.json:
        settings = {
            key: value
            for key, value in vars(args).items()
            if key not in ("run", "parser", "json", "command")
        }
        store(args.json, args.what, settings, rows, on)
    return 0


def _frame(args: argparse.Namespace, sizes: list[tuple[int, int]]) -> tuple[str, list]:
    from dsflash_ros.bench import frame

    pipeline = pipeline_from(args)
    if args.source is None:
        streams = [frame.noise(*size) for size in sizes]
    else:
        streams = [frame.frames_of(args.source, size) for size in args.size or [None]]
    rows = [row for images in streams for row in frame.measure(pipeline, images, args.repeat)]
    return f"{args.weights} on {pipeline.device} in {pipeline.precision}, ms a frame", rows


def _conversions(args: argparse.Namespace, sizes: list[tuple[int, int]]) -> tuple[str, list]:
    try:
        from dsflash_ros.bench import conversions
    except ImportError as error:
        raise missing_ros(error) from error
    return "conversions, ms a message", conversions.measure(sizes, args.repeat)


def _node(args: argparse.Namespace, sizes: list[tuple[int, int]]) -> tuple[str, list]:
    try:
        from dsflash_ros.bench import node
        from dsflash_ros.ros import parameters
    except ImportError as error:
        raise missing_ros(error) from error
    names = ("weights", "device", "precision", "compile", *parameters.OPTIONS)
    choice = {name: getattr(args, name) for name in names}
    if args.rate:
        rows = [node.measure_load(size, args.rate, args.duration, choice) for size in sizes]
        return (
            "graphs: time from the image's stamp to receipt beyond the pipeline's, ms; memory of the node",
            rows,
        )
    rows = [node.measure_cost(size, args.repeat, choice) for size in sizes]
    return (
        "the node's own cost: time from the image's stamp to the graph's receipt minus the pipeline's, ms",
        rows,
    )


def _loader(args: argparse.Namespace, _: list[tuple[int, int]]) -> tuple[str, list]:
    from dsflash_ros.bench import loader
    from dsflash_ros.data.psg import PsgDataset

    dataset = PsgDataset.open(args.source)
    print(dataset.report())
    rows = [
        loader.measure(dataset, args.image_size, augmentation, args.workers, args.repeat)
        for augmentation in args.augmentation or AUGMENTATIONS
    ]
    return f"loading of {dataset.path}, batches of {loader.BATCH}", rows


def _size(text: str) -> tuple[int, int]:
    """`640x480` as (width, height)."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 640x480")
    return int(width), int(height)
