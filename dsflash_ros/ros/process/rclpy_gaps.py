"""What rclpy lacks, and what it is reached into for instead: every use of its private members.

Written against rclpy 7.1 (ROS 2 Jazzy); lifecycle nodes are in rclpy since 3.3 (Humble).
"""

from collections.abc import Iterable

from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions, _declare_qos_parameters
from rclpy.subscription import Subscription


def state_label(node: LifecycleNode) -> str:
    """The node's lifecycle state in a word, as `active`.

    rclpy tells it to callers of the service get_state only.
    """
    return node._state_machine.current_state[1]


def release_state_machine(node: LifecycleNode) -> None:
    """Let go of the state machine of a node that has been destroyed.

    It holds on to the DDS participant, and with it to shared memory, which `destroy_node` of
    lifecycle nodes leaves as it is.
    """
    node._state_machine = None


def answer_impossible_transitions(node: LifecycleNode) -> None:
    """Answer requests for a transition, by id, that the state does not have.

    rclpy raises a RuntimeError from its callback instead, and leaves the caller waiting:
    https://github.com/ros2/rclpy/issues/1209, mended after Jazzy.
    """
    service = node._service_change_state
    change_state = service.callback

    def callback(request, response):
        try:
            return change_state(request, response)
        except RuntimeError as error:
            reason = str(error).split(",")[0]
            node.get_logger().warning(
                f"no transition {request.transition.id} from {state_label(node)}: {reason}"
            )
            response.success = False
            return response

    service.callback = callback


def given_parameters(node: Node) -> Iterable[str]:
    """Names of the parameters that the command line and parameter files give, declared or not.

    rclpy tells of those that are declared only, so that a misspelt one would go unnoticed.
    """
    return node._parameter_overrides.keys()


def declare_qos_overrides(
    node: Node, topic: str, qos: QoSProfile, options: QoSOverridingOptions
) -> None:
    """Declare and check the QoS overrides of a subscription that is made later.

    rclpy does that while it makes the subscription, which here is after the model is loaded.
    """
    _declare_qos_parameters(Subscription, node, node.resolve_topic_name(topic), qos, options)
