"""How long nothing has come."""

import time

from rclpy.node import Node


class Silence:
    """How long nothing has come, in seconds of wall time and of simulated time, if there is any.

    A bag that is paused, or played slowly, is no silence: its time stands still, too.

    Args:
        node: whose clock tells the simulated time, while its parameter use_sim_time is true.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._wall_s, self._simulated_ns = 0.0, 0

    def end(self) -> None:
        """Something has come."""
        self._wall_s = time.monotonic()
        self._simulated_ns = self._node.get_clock().now().nanoseconds

    def seconds(self) -> float:
        """Seconds since then, by the clock by which fewer have passed.

        Where nothing publishes a simulated time, only the wall's counts.
        """
        wall_s = time.monotonic() - self._wall_s
        clock = self._node.get_clock()
        if not clock.ros_time_is_active or self.lacks_clock():
            return wall_s
        now_ns = clock.now().nanoseconds
        # it begins with its first message, and may jump back
        if self._simulated_ns == 0 or now_ns < self._simulated_ns:
            self._simulated_ns = now_ns
        return min(wall_s, (now_ns - self._simulated_ns) / 1e9)

    def lacks_clock(self) -> bool:
        """Whether the node follows a simulated time that nothing publishes."""
        is_simulated = self._node.get_clock().ros_time_is_active
        return is_simulated and not self._node.count_publishers("/clock")
