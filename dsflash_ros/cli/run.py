"""Make scene graphs of images, folders, videos, a camera or ROS bags.

Writes DIR/scene_graph.jsonl, one graph a line in the order of the frames, and pictures of the
graphs: DIR/overlay/NAME.jpg for images, DIR/overlay/NAME.mp4 for videos, cameras and bags. What was
written before an interrupt stays whole. Frames that cannot be read are left out, counted and
reported.

examples:
  dsflash run photo.jpg folder/ --out results
  dsflash run clip.mp4 --out results --stride 5 --limit 100
  dsflash run bag/ --topic /camera/image_raw --out results --no-overlay
  dsflash run 0 --out results                     (the first camera, until Ctrl-C)
"""

import argparse
import logging
import statistics
import time
from collections.abc import Iterator
from itertools import islice

from dsflash_ros.argument_types import positive
from dsflash_ros.cli.arguments import add_model_arguments, pipeline_from

HELP = "make scene graphs of images, videos, a camera or bags"

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sources, output, model and options."""
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="image, folder of images, video, camera index, or ROS bag",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for the results; made where it is not there",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace results that are in DIR already"
    )
    parser.add_argument(
        "--no-overlay", action="store_true", help="make no pictures, only scene_graph.jsonl"
    )
    parser.add_argument("--topic", help="image topic of a bag; needed when it has several")
    parser.add_argument(
        "--stride", type=positive, default=1, metavar="N", help="use each N-th frame (default: 1)"
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="at most N frames of each source"
    )
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Make the graphs."""
    from dsflash_ros.sinks.folder import Output
    from dsflash_ros.sources import open_sources

    sources = open_sources(args.source, args.topic)
    with Output(args.out, not args.no_overlay, args.overwrite, args.stride) as output:
        pipeline = pipeline_from(args)
        start, latencies = time.perf_counter(), []
        try:
            for source in sources:
                with source:
                    for graph in _graphs(source, pipeline, output, args.stride, args.limit):
                        if not (latencies or graph.is_trained):
                            _log.warning(
                                "the weights %r are untrained: these scene graphs mean nothing",
                                graph.weights,
                            )
                        latencies.append(graph.latency_ms["total"])
        finally:
            _summarize(latencies, time.perf_counter() - start, sources, output)
    return 0


def _graphs(source, pipeline, output, stride: int, limit: int | None) -> Iterator:
    """The scene graphs of a source, each written already."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    from dsflash_ros.errors import ImageError, SourceError

    count = 0
    frames = islice(source, 0, limit and limit * stride, stride)
    with (
        logging_redirect_tqdm(),
        tqdm(frames, source.name, _count(source, stride, limit), unit="frame", disable=None) as bar,
    ):
        for frame in bar:
            try:
                graph = pipeline(frame.rgb, frame.stamp, frame.name)
            except ImageError as error:
                source.skip(f"{frame.name}: {error}")
                continue
            output.write(graph, frame, source)
            count += 1
            yield graph
    if not count:
        raise SourceError(f"no frame of {source.name} could be used")


def _count(source, stride: int, limit: int | None) -> int | None:
    try:
        count = -(-len(source) // stride)
    except TypeError:
        return limit
    return min(count, limit or count)


def _summarize(latencies: list[float], seconds: float, sources: list, output) -> None:
    skipped, bad_stamps = sum(s.skipped for s in sources), sum(s.bad_stamps for s in sources)
    if latencies:
        rate, median = len(latencies) / seconds, statistics.median(latencies)
        print(
            f"{len(latencies)} frames in {seconds:.1f} s ({rate:.1f} a second), median latency {median:.1f} ms"
        )
        print(f"written: {output.paths}")
    if skipped or bad_stamps:
        _log.warning(
            "%d frames skipped, %d stamps that go back or are no number", skipped, bad_stamps
        )
