"""Bags played in their own time, with their own stamps, as `ros2 bag play --clock` does."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain, islice, repeat

from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header

from dsflash_ros.ahead import ahead
from dsflash_ros.errors import SourceError
from dsflash_ros.ros.messages.image_messages import origin_to_header
from dsflash_ros.ros.playback.bag_clock import BagClock
from dsflash_ros.ros.playback.companions import Companions
from dsflash_ros.ros.playback.player import Player
from dsflash_ros.sources.bag import BagSource
from dsflash_ros.sources.source import Frame

_DEFAULT_PERIOD_S = 0.1

_END_OF_TIME_NS = 2**31 * 1_000_000_000
"""Seconds of ROS have 31 bits."""


class BagPlayer:
    """Plays bags against simulated time: /clock is the time of recording.

    Args:
        player: publishes the images.
        sources: one after the other; the clock jumps from each to the next.
        clock_hz: messages on /clock a second of wall time.
        speed: seconds of a bag in a second of wall time.

    Attributes:
        late_s: how much later than its time the latest image was published, seconds of wall time.
    """

    def __init__(
        self, player: Player, sources: Sequence[BagSource], clock_hz: float, speed: float = 1.0
    ) -> None:
        self.late_s = 0.0
        self._player, self._sources = player, sources
        self._companions = Companions(player, any(source.has_truth for source in sources))
        self._bag_clock = BagClock(player.advertise(Clock, "/clock"), clock_hz, speed)

    def play(self, wait: int | None = None, count: int | None = None, loop: bool = False) -> None:
        """Play them all.

        Args:
            wait: for so many subscribers of the images; the clock stands still meanwhile.
            count: stop after so many images; None: at the end.
            loop: begin again at the end, where the clock jumps back, until interrupted.
        """
        frames = islice(self._frames(repeat(None) if loop else (None,)), count)
        with closing(ahead(frames)) as frames, self._bag_clock:
            first = next(frames, None)
            if first is None:
                raise SourceError("there is no image to be played")
            if wait:
                self._bag_clock.stand_at(first[0].origin.recorded_ns)
                self._player.wait_for_subscribers(wait)
            self._play(chain([first], frames))

    def _frames(self, laps) -> Iterator[tuple[Frame, bool, int]]:
        """Frames, whether the time jumps to each, and how long it lasts, ns."""
        for _ in laps:
            for source in self._sources:
                period_ns = round(1e9 * (1 / source.rate if source.rate else _DEFAULT_PERIOD_S))
                for number, frame in enumerate(source):
                    yield frame, number == 0, period_ns

    def _play(self, frames: Iterator[tuple[Frame, bool, int]]) -> None:
        end_ns = None
        for frame, jumps, period_ns in frames:
            due_ns = frame.origin.recorded_ns
            header = _header(frame)
            message = self._player.message(frame.rgb, header)
            if jumps:
                if end_ns is not None:
                    self._bag_clock.wait_until(end_ns)
                self._bag_clock.go_from(due_ns)
            self.late_s = max(self.late_s, self._bag_clock.wait_until(due_ns))
            self._player.send(message)
            self._companions.publish(frame, header)
            end_ns = due_ns + period_ns
        self._bag_clock.wait_until(end_ns)


def _header(frame: Frame) -> Header:
    """That of the image in the bag.

    Raises `SourceError` for times that ROS cannot have.
    """
    for ns in (frame.origin.stamp_ns, frame.origin.recorded_ns):
        if not 0 <= ns < _END_OF_TIME_NS:
            raise SourceError(
                f"an image on {frame.name} has the time {ns / 1e9:g} s; --clock needs times from 0 "
                f"to {_END_OF_TIME_NS / 1e9:g} s"
            )
    return origin_to_header(frame.origin)
