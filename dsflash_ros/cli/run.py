"""Make scene graphs of images, folders, videos, a camera or ROS bags.

Writes DIR/scene_graph.jsonl, one graph a line in the order of the frames, and pictures of the
graphs: DIR/overlay/NAME.jpg for images, DIR/overlay/NAME.mp4 for videos, cameras and bags (H.264,
which browsers play). What was written before an interrupt stays whole. Frames that cannot be read
are left out, counted and reported. A source of which none can be used does not keep the others; the
exit code is 1 then.

examples:
  dsflash run photo.jpg folder/ --out results
  dsflash run clip.mp4 --out results --stride 5 --limit 100
  dsflash run bag/ --topic /camera/image_raw --out results --no-overlay
  dsflash run bag/ --track --out results          (objects keep their numbers over time)
  dsflash run 0 --out results                     (the first camera, until Ctrl-C)
"""

import argparse

from dsflash_ros.cli.frames import add_frame_arguments, graph_maker, tell

HELP = "make scene graphs of images, videos, a camera or bags"


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
    add_frame_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Make the graphs."""
    from dsflash_ros.loop import Loop
    from dsflash_ros.sinks.folder import ResultFolder
    from dsflash_ros.sources import open_sources

    sources = open_sources(args.source, args.topic)
    with ResultFolder(args.out, not args.no_overlay, args.overwrite, args.stride) as results:
        make_graph, _ = graph_maker(args)
        loop = Loop(make_graph, [results], args.stride, args.limit)
        try:
            loop.run(sources)
        finally:  # also after an interrupt
            tell(loop.tally, f"written: {results.paths}")
    return 0
