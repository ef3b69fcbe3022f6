"""ROS's own parameters `qos_overrides.<topic>.…`, with which users change QoS policies."""

from collections.abc import Iterator
from contextlib import contextmanager

from rcl_interfaces.msg import SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, QoSProfile
from rclpy.qos_overriding_options import InvalidQosOverridesError, QoSOverridingOptions

from dsflash_ros.ros.parameter_table import ParameterError
from dsflash_ros.ros.process.rclpy_gaps import given_parameters

PREFIX = "qos_overrides."

POLICIES = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)
"""Those that can be changed."""

MAX_DEPTH = 10_000


@contextmanager
def qos_overriding_options(topic: str) -> Iterator[QoSOverridingOptions]:
    """Options for a publisher or subscription that is made in this context.

    Wrong overrides of its policies raise `ParameterError`.
    """

    def check(qos: QoSProfile) -> SetParametersResult:
        return SetParametersResult(
            successful=1 <= qos.depth <= MAX_DEPTH, reason=f"depth must be from 1 to {MAX_DEPTH}"
        )

    try:
        yield QoSOverridingOptions(POLICIES, callback=check)
    except (ParameterException, InvalidQosOverridesError, RuntimeError) as error:
        raise ParameterError(
            f"cannot use the topic {topic} with the given qos_overrides: {error}"
        ) from error


def unused_qos_overrides(node: Node) -> list[str]:
    """A sentence for each override that no publisher or subscription has asked for."""
    policies = ", ".join(kind.name.lower() for kind in POLICIES)
    return [
        f"the parameter '{name}' has no effect: it must name a topic of this node in full, "
        f"publisher or subscription, and one of {policies}"
        for name in given_parameters(node)
        if name.startswith(PREFIX) and not node.has_parameter(name)
    ]
