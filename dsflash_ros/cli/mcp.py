"""Let language-model agents read, ask and look at scene graphs, over the Model Context Protocol.

Without SOURCE the graphs are those of a running ROS node; with it, a pipeline makes them of images,
videos, a camera or bags, one after the other as fast as it can. Serves one client over stdin and
stdout, or with --http any number on this machine. Tools: get_scene_graph, query, wait_for, look.

examples:
  dsflash mcp                                    (a client starts this and talks to it)
  dsflash mcp --topic /front/scene_graph --http
  dsflash mcp examples/drive --track --http --port 9000
"""

import argparse
import logging

from dsflash_ros.cli.arguments import refuse
from dsflash_ros.cli.frames import add_graph_arguments, graph_maker, refuse_without_source

HELP = "serve scene graphs to language-model agents (MCP)"

LOOPBACK = ("127.0.0.1", "::1", "localhost")

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where graphs come from, and how they are served."""
    parser.add_argument(
        "source",
        nargs="*",
        metavar="SOURCE",
        help="image, folder of images, video, camera index, or ROS bag (default: a running node)",
    )
    parser.add_argument(
        "--topic",
        default="scene_graph",
        help="topic of the node's graphs (default: %(default)s)",
    )
    parser.add_argument(
        "--bag-topic", metavar="TOPIC", help="image topic of a bag; needed when it has several"
    )
    group = parser.add_argument_group("HTTP")
    group.add_argument("--http", action="store_true", help="serve HTTP instead of stdin and stdout")
    group.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, this machine only); on any other, "
        "whoever reaches it can read the graphs and see the images",
    )
    group.add_argument(
        "--port", type=int, default=8765, help="0: any that is free (default: %(default)s)"
    )
    add_graph_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until the client or a signal ends it."""
    from dsflash_ros.agents.graph_tools import GraphTools
    from dsflash_ros.agents.mcp_server import make_server, serve_http
    from dsflash_ros.agents.stdio_wire import serve_stdio

    _check_usage(args)
    if args.host not in LOOPBACK:
        _log.warning("serving on %s: there is no password, whoever reaches it may read", args.host)
    world = _world(args)
    try:
        server = make_server(GraphTools(world))
        if args.http:
            serve_http(server, args.host, args.port)
        else:
            serve_stdio(server)
    finally:
        world.close()
    return 0


def _check_usage(args: argparse.Namespace) -> None:
    if not args.http:
        refuse(args, ("host", "port"), "goes with --http")
    if args.source:
        refuse(args, ("topic",), "is of a running node, and does not go with a SOURCE: --bag-topic")
    else:
        refuse(args, ("bag_topic",), "goes with a SOURCE; of a running node: --topic")


def _world(args: argparse.Namespace):
    from dsflash_ros.agents.worlds import NodeWorld, SourceWorld
    from dsflash_ros.errors import missing_ros

    if not args.source:
        refuse_without_source(args, add_graph_arguments)
        try:
            return NodeWorld(args.topic)
        except ImportError as error:
            raise missing_ros(error) from error
    from dsflash_ros.sources import open_sources

    sources = open_sources(args.source, args.bag_topic)
    return SourceWorld(sources, *graph_maker(args))
