"""A lifecycle node that starts itself; its transitions tell their errors and can be cut short."""

import functools
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, wait

from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from dsflash_ros.errors import DSFlashError


class Interrupted(Exception):
    """A signal asked the process to end."""


def transition(step: Callable[[LifecycleNode, LifecycleState], None]):
    """Make a transition callback of a method that raises when it fails, and log its error.

    rclpy would swallow it.
    """
    name = step.__name__.removeprefix("on_")

    @functools.wraps(step)
    def callback(node: LifecycleNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            step(node, state)
        except Interrupted:
            return TransitionCallbackReturn.FAILURE
        except DSFlashError as error:
            node.get_logger().error(f"cannot {name}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:
            node.get_logger().error(f"cannot {name}:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    return callback


def result_unless(interrupted: threading.Event, future: Future):
    """The future's result. Raises `Interrupted` if the event is set before it is there."""
    while not wait([future], timeout=0.1).done:
        if interrupted.is_set():
            raise Interrupted
    return future.result()


def run(node: LifecycleNode, autostart: bool, interrupted: threading.Event) -> int:
    """Configure and activate the node when `autostart`, then spin until `interrupted`.

    Returns:
        0 after an interruption, 1 when the node could not be started.
    """
    if autostart:
        for step in (node.trigger_configure, node.trigger_activate):
            if step() != TransitionCallbackReturn.SUCCESS:
                return 0 if interrupted.is_set() else 1
    with SingleThreadedExecutor() as executor:
        executor.add_node(node)
        while not interrupted.is_set():
            try:
                executor.spin_once(timeout_sec=0.1)
            except Exception:
                # a request or report that went wrong is no reason to stop looking at images
                node.get_logger().error(
                    f"a callback failed, the node goes on:\n{traceback.format_exc()}"
                )
    return 0
