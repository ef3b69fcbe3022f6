"""Look at scene graphs in a browser: image, masks, graph, space, latencies, all over time.

Shows what is made of images, folders, videos, a camera or ROS bags, with the options of
`dsflash run`; or, without SOURCE, what a running node publishes. The viewer is rerun's. Its page is
on --port of this machine, the data on the next port, and nothing outside this machine is listened
to unless --listen says so. Ctrl-C ends it.

examples:
  dsflash view clip.mp4 --track
  dsflash view bag/ --track --target-frame map         (with objects in space)
  dsflash view photo.jpg --save photo.rrd              (a file for later: rerun photo.rrd)
  dsflash view --topic /camera/image_raw               (of the running node)
  dsflash view --topic /front/image --graphs /front/scene_graph --listen 0.0.0.0
"""

import argparse
import os
import statistics
import sys
import time
import webbrowser
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from dsflash_ros.argument_types import positive, positive_float
from dsflash_ros.cli.arguments import refuse
from dsflash_ros.cli.frames import (
    add_frame_arguments,
    graph_maker,
    refuse_without_source,
    tell,
)
from dsflash_ros.errors import SourceError, missing_extra, missing_ros

HELP = "look at scene graphs in a browser"

_POLL_S = 0.2

_RATE_HZ = 10.0

_MOST_DELAYS = 10_000

_NICENESS = 19


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sources or topics, where it is shown, model and options."""
    parser.add_argument(
        "source",
        nargs="*",
        metavar="SOURCE",
        help="image, folder of images, video, camera index, or ROS bag; without it a running node",
    )
    parser.add_argument(
        "--topic",
        help="with SOURCE: image topic of a bag, needed when it has several; without: image topic "
        "of the camera whose graphs are shown, without /compressed (default: image)",
    )
    live = parser.add_argument_group("of a running node")
    live.add_argument(
        "--graphs", metavar="TOPIC", help="topic of the graphs (default: scene_graph)"
    )
    live.add_argument(
        "--panoptic",
        metavar="TOPIC",
        help="topic of the panoptic maps (default: that of the node that publishes the graphs)",
    )
    live.add_argument(
        "--rate",
        type=positive_float,
        metavar="HZ",
        help="graphs a second at most; all that looking costs grows with it (default: 10)",
    )
    shown = parser.add_argument_group("where it is shown")
    shown.add_argument(
        "--save", metavar="FILE", help="write a .rrd file, which rerun opens, and show no page"
    )
    shown.add_argument("--overwrite", action="store_true", help="replace the file of --save")
    shown.add_argument(
        "--port",
        type=positive,
        default=9090,
        help="of the page; the next one is of the data (default: %(default)s)",
    )
    shown.add_argument(
        "--listen",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="of the interface that page and data are on; 0.0.0.0: all, so that everybody in the "
        "network can look (default: %(default)s, this machine alone)",
    )
    shown.add_argument(
        "--memory",
        type=positive,
        default=512,
        metavar="MIB",
        help="of the frames that are kept to be looked at again (default: %(default)s)",
    )
    shown.add_argument(
        "--no-browser", action="store_true", help="print the page's address, and open no browser"
    )
    add_frame_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show graphs until the sources end and the user has seen enough."""
    _check_usage(args)
    try:
        import rerun  # noqa: F401
    except ImportError as error:
        raise missing_extra("view", error) from error
    return _view_sources(args) if args.source else _view_node(args)


def _check_usage(args: argparse.Namespace) -> None:
    if args.save is not None:
        refuse(args, ("port", "listen", "memory", "no_browser"), "is of a page, which --save omits")
    if args.source:
        names = ("graphs", "panoptic", "rate")
        refuse(args, names, "is of a running node, and does not go with a SOURCE")
        return
    refuse_without_source(args, add_frame_arguments, "limit")


def _view_sources(args: argparse.Namespace) -> int:
    from dsflash_ros.loop import Loop
    from dsflash_ros.sources import open_sources

    sources = open_sources(args.source, args.topic)
    is_one = len(sources) == 1
    name = sources[0].name if is_one else f"{len(sources)} sources"
    make_graph, _ = graph_maker(args)
    with _open_sink(args, name, is_one and sources[0].is_sequence) as sink:
        loop = Loop(make_graph, [sink], args.stride, args.limit)
        failure = None
        try:
            loop.run(sources)
        except SourceError as error:
            failure = error  # the page stays, for what the other sources gave
        finally:  # also after an interrupt
            if args.save is None:
                tell(loop.tally, "all is shown")
            else:
                sink.close()  # before it is said that the file is there
                tell(loop.tally, f"written: {args.save}" if sink.is_kept else "nothing is kept")
        if args.save is None and loop.tally.graphs:
            _wait_for_interrupt()
        if failure:
            raise failure
    return 0


def _view_node(args: argparse.Namespace) -> int:
    try:
        import dsflash_ros.msg
        import dsflash_ros.ros.view.live_view  # noqa: F401
        from dsflash_ros.ros.process.interrupts import interrupt_sets
    except ImportError as error:
        raise missing_ros(error) from error
    delays_s: deque[float] = deque(maxlen=_MOST_DELAYS)
    with _open_live(args) as live, _open_sink(args, f"graphs of {live.topic}") as sink:
        # The node goes first where cores are few. On Linux this is of the calling thread: those
        # that receive, which began before, lose no image by it.
        os.nice(_NICENESS)
        with interrupt_sets(live.ended):
            for frame in live.frames(args.rate or _RATE_HZ):
                sink.show(frame.graph, frame.rgb, frame.viewpoint)
                delays_s.append(time.monotonic() - frame.arrived)
                if sink.count == args.limit:
                    break
    if delays_s:
        delays_ms = sorted(1000 * delay for delay in delays_s)
        median, most = statistics.median(delays_ms), delays_ms[int(0.95 * len(delays_ms))]
        sent = f"each sent {median:.1f} ms (median; 95 %: {most:.1f}) after it came"
        print(f"{sink.count} graphs, {sent}")
    if args.save and delays_s:
        print(f"written: {args.save}")
    return 0


@contextmanager
def _open_live(args: argparse.Namespace) -> Iterator:
    """The `LiveView` for these options, in a ROS context of its own."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from dsflash_ros.ros.process.transport import prepare_transport
    from dsflash_ros.ros.view.live_view import LiveView

    prepare_transport()
    # Ctrl-C is left to the command
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        image = "image" if args.topic is None else args.topic
        graphs = "scene_graph" if args.graphs is None else args.graphs
        live = LiveView(image, graphs, args.panoptic or "")
        try:
            yield live
        finally:
            live.close()
    finally:
        rclpy.try_shutdown()


@contextmanager
def _open_sink(args: argparse.Namespace, name: str, by_stamp: bool = True) -> Iterator:
    """The `RerunSink` for these options, and what it needs."""
    from dsflash_ros.files import check_output
    from dsflash_ros.sinks.rerun_server import RerunServer
    from dsflash_ros.sinks.rerun_sink import RerunSink

    if args.save is not None:
        with RerunSink(check_output(args.save, args.overwrite), name, by_stamp) as sink:
            yield sink
        return
    server = RerunServer(args.listen, args.port, args.memory)
    try:
        with RerunSink(server, name, by_stamp) as sink:
            _show_page(server.page, args.no_browser)
            yield sink
    finally:
        server.close()


def _show_page(page: str, only_tell: bool) -> None:
    """Print the address, and open it where there is a screen."""
    print(f"look at {page}", flush=True)
    if only_tell:
        return
    has_screen = sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ)
    if not has_screen or not webbrowser.open(page):
        print("no browser can be opened here: open that page in one", flush=True)


def _wait_for_interrupt() -> None:
    print("Ctrl-C ends it", flush=True)
    try:
        while True:
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        pass
