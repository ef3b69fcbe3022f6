"""Run the ROS 2 node, as `ros2 run dsflash_ros dsflash_node` does, on machines without `ros2 run`.

All arguments go to ROS:

  dsflash node --ros-args -r image:=/camera/image_raw -p weights:=model.safetensors
  dsflash node --ros-args --params-file dsflash.yaml -r __ns:=/front
"""

import argparse

from dsflash_ros.errors import missing_ros

HELP = "run the ROS 2 node"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: see the module's text."""
    parser.usage = "dsflash node [--ros-args ...]"


def run(args: argparse.Namespace) -> int:
    """Run the node until it is stopped."""
    try:
        from dsflash_ros.ros.main import main
    except ImportError as error:
        raise missing_ros(error) from error
    return main(args.ros_args)


def main() -> int:
    """The program `dsflash_node`. Ctrl-C during its long imports ends it quietly."""
    try:
        from dsflash_ros.ros.main import main as run_node
    except KeyboardInterrupt:
        return 130
    return run_node()
