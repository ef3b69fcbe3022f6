"""The process of the ROS node: from its arguments to its exit code."""

import os
import signal
import sys
import threading
from itertools import pairwise

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from dsflash_ros.option import QUOTES
from dsflash_ros.ros import node, parameters
from dsflash_ros.ros.process.lifecycle import run
from dsflash_ros.ros.process.transport import prepare_transport

_BEFORE_RULES = ("-p", "--param", "-r", "--remap")


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, then end the process.

    The process's exit code is 0 after a signal, 1 when the node could not start itself. This
    returns only after `--help`, with 0, and for wrong arguments or parameters, with 2.
    """
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    prepare_transport()
    try:
        _check_assignments(sys.argv[1:] if args is None else args)
        extra = remove_ros_args(sys.argv if args is None else ["dsflash_node", *args])[1:]
        if "--help" in extra or "-h" in extra:
            print(node.__doc__ + parameters.help_text())
            return 0
        if extra:
            raise parameters.ParameterError(f"unknown arguments: {' '.join(extra)}; see --help")
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        dsflash = node.DSFlashNode(interrupted)
    except parameters.ParameterError as error:
        return _refuse(str(error))
    except (ParameterException, RuntimeError) as error:
        hint = f"; {QUOTES}" if "Sequence should be of same type" in str(error) else ""
        return _refuse(f"wrong ROS arguments: {error}{hint}")
    code = run(dsflash, dsflash.get_parameter("autostart").value, interrupted)
    dsflash.close()
    rclpy.try_shutdown()
    # Python's own end cannot come while the model is in the midst of something, and takes seconds
    # to unload torch.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _check_assignments(args: list[str]) -> None:
    """Raise `ParameterError` for NAME:=VALUE as launch files take it, which ROS takes for a topic's
    new name here.
    """
    for before, text in pairwise(["", *args]):
        name, sign, _ = text.partition(":=")
        if sign and name in parameters.BY_NAME and before not in _BEFORE_RULES:
            raise parameters.ParameterError(
                f"{text} sets nothing here: for a parameter give --ros-args -p {text}"
            )


def _refuse(problem: str) -> int:
    print(f"dsflash_node: {problem}", file=sys.stderr)
    rclpy.try_shutdown()
    return 2


if __name__ == "__main__":
    sys.exit(main())
