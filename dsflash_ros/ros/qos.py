"""The quality of service (QoS) of every topic.

Users change it for one topic with the parameters `qos_overrides.<topic>.…`, see `qos_overrides`.
Each call makes a profile of its own, because rclpy writes such a change into the one it is given.
"""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


def camera_images() -> QoSProfile:
    """Of the images that the ROS node subscribes: the newest counts, what is lost stays lost.

    A best-effort subscription also takes what a reliable publisher sends.
    """
    return QoSProfile(depth=1, reliability=BEST_EFFORT)


def watched_images() -> QoSProfile:
    """Of images that wait for their graphs, where none between two looks may be lost."""
    return QoSProfile(depth=5, reliability=BEST_EFFORT)


def results() -> QoSProfile:
    """Of graphs and pictures of them: a few are kept for a subscriber that is busy."""
    return QoSProfile(depth=5, reliability=RELIABLE)


def events() -> QoSProfile:
    """Of what changes: nothing is to be lost, even where many changes come at once."""
    return QoSProfile(depth=100, reliability=RELIABLE)


def latched() -> QoSProfile:
    """Of what seldom changes: whoever subscribes later gets the last message, too."""
    return QoSProfile(depth=1, reliability=RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def diagnostics() -> QoSProfile:
    """Of /diagnostics, as diagnostic aggregators subscribe it."""
    return QoSProfile(depth=10, reliability=RELIABLE)


def played(reliable: bool) -> QoSProfile:
    """Of what `dsflash play` and `dsflash toyroom camera` publish.

    Reliable publishers suit reliable and best-effort subscribers; best-effort ones do not.
    """
    return QoSProfile(depth=5, reliability=RELIABLE if reliable else BEST_EFFORT)
