"""Measure the ROS node while a bag is played: how old graphs are, drops, and the rate.

Listens to the images, to the graphs and to /clock, and ends with the player, which may be
`dsflash play --clock` or `ros2 bag play --clock`. The node has the parameter use_sim_time.

examples:
  dsflash watch
  dsflash watch --topic /front/image --graphs /front/scene_graph --json live.json
"""

import argparse
import json
from dataclasses import asdict

from dsflash_ros.argument_types import positive_float
from dsflash_ros.cli.arguments import output_files
from dsflash_ros.errors import DSFlashError, missing_ros
from dsflash_ros.files import replacing

HELP = "measure the node while a bag is played"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Topics, patience, and where the result goes."""
    parser.add_argument(
        "--topic", default="image", help="topic of the images, without /compressed (default: image)"
    )
    parser.add_argument(
        "--graphs",
        default="scene_graph",
        metavar="TOPIC",
        help="topic of the graphs (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=positive_float,
        default=120.0,
        metavar="S",
        help="seconds to wait for the node, and then for the player (default: 120)",
    )
    parser.add_argument("--json", metavar="FILE", help="store the numbers there, too")
    parser.add_argument("--overwrite", action="store_true", help="replace the file of --json")


def run(args: argparse.Namespace) -> int:
    """Listen until the player has gone, or until interrupted, then print."""
    try:
        import dsflash_ros.msg
        import dsflash_ros.ros.playback.meter  # noqa: F401
    except ImportError as error:
        raise missing_ros(error) from error
    from dsflash_ros.evaluation.live_replay import score_live

    (path,) = output_files(args, "json")
    record = _listen(args)
    if not record.images or not record.clock:
        raise DSFlashError("nothing was measured: no image was played while this listened")
    if not record.graphs:
        raise DSFlashError(
            f"no graph came on {args.graphs} for {len(record.images)} images: is the node active?"
        )
    scores = score_live(record)
    _show(scores)
    if path:
        with replacing(path) as partial:
            partial.write_text(json.dumps(asdict(scores), indent=2) + "\n")
        print(f"written: {path}")
    return 0


def _listen(args: argparse.Namespace):
    """The `LiveRecord`; also when interrupted."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from dsflash_ros.ros.playback.meter import Meter
    from dsflash_ros.ros.process.interrupts import interrupt_sets
    from dsflash_ros.ros.process.transport import prepare_transport

    prepare_transport()
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        meter = Meter(args.topic, args.graphs)
        try:
            with interrupt_sets(meter.interrupted):
                meter.wait_for_node(args.timeout)
                print("the node is there; play the bag", flush=True)
                meter.listen(args.timeout)
        except KeyboardInterrupt:
            pass  # what was heard so far is told
        finally:
            meter.close()
        return meter.record
    finally:
        rclpy.try_shutdown()


def _show(scores) -> None:
    from dsflash_ros.text_tables import show

    seconds = f"{scores.bag_seconds:.1f} s of the bag in {scores.wall_seconds:.1f} s"
    counts = {
        "images": scores.images,
        "graphs": scores.graphs,
        "dropped": f"{scores.dropped} ({100 * scores.dropped_share:.0f} %)",
        "out of order": scores.out_of_order,
        "repeated": scores.repeated,
        "of unknown images": scores.unknown,
    }
    show(seconds, [counts])
    times = {
        "the bag's": (scores.graphs_per_bag_second, scores.bag_age),
        "the wall's": (scores.graphs_per_second, scores.wall_age),
    }
    rows = [
        {"time": time, "graphs/s": "-" if rate is None else rate} | _columns(ages)
        for time, (rate, ages) in times.items()
    ]
    show("rate, and age of the graphs when they came", rows)


def _columns(ages) -> dict:
    names = {"median_ms": "median ms", "p95_ms": "95 % ms", "max_ms": "max ms"}
    return {
        title: "-" if ages is None else round(getattr(ages, name)) for name, title in names.items()
    }
