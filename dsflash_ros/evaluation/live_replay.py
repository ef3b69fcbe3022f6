"""How old the graphs of a live replay were, how many were dropped, and at which rate they came."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

_SLACK_S = 0.05
"""So much later than its graph an image may be noticed that came before it."""

_FARTHEST = 100
"""A step of the clock that is so many times as long as the typical one is a jump."""

_PACE_S = 1.0
"""The speed of the last so many seconds is that of the time after the last message on /clock."""

Heard = tuple[float, int]
"""When a message was received, seconds of wall time, and its time in the bag, nanoseconds."""


@dataclass
class LiveRecord:
    """What was heard while a bag was played against the node, in the order of receipt.

    Attributes:
        clock: messages on /clock.
        images: by the stamps of their headers.
        graphs: by the stamps of their headers, which are those of their images.
    """

    clock: list[Heard] = field(default_factory=list)
    images: list[Heard] = field(default_factory=list)
    graphs: list[Heard] = field(default_factory=list)


@dataclass(frozen=True)
class Ages:
    """From an image's stamp to the receipt of its graph, or between the receipts of both."""

    median_ms: float
    p95_ms: float
    max_ms: float


@dataclass(frozen=True)
class LiveScores:
    """What a live replay was like.

    Attributes:
        images: how many were played.
        graphs: how many were received.
        dropped: images without a graph.
        dropped_share: of the images, 0 to 1.
        out_of_order: graphs of an image before that of the last graph.
        repeated: graphs of an image that had one already.
        unknown: graphs whose image was not heard.
        bag_seconds, wall_seconds: from the first image to the end of the clock. They differ by the
            speed, and by pauses.
        graphs_per_bag_second, graphs_per_second: in that time; None where there was none.
        bag_age: simulated time when a graph was received, minus the stamp of its image. For graphs
            that came later than the last message on /clock it goes on as before.
        wall_age: wall time from the receipt of an image to that of its graph.
    """

    images: int
    graphs: int
    dropped: int
    dropped_share: float
    out_of_order: int
    repeated: int
    unknown: int
    bag_seconds: float
    wall_seconds: float
    graphs_per_bag_second: float | None
    graphs_per_second: float | None
    bag_age: Ages | None
    wall_age: Ages | None


def score_live(record: LiveRecord) -> LiveScores:
    """The scores of a record with at least one image and one message on /clock.

    The clock may go at any speed, stand still, and jump, as when a bag begins again.
    """
    clock, images = _SimulatedTime(record.clock), record.images
    owners = _owners(images, record.graphs)
    known = [owner for owner in owners if owner is not None]
    answered = set(known)
    bag_ages, wall_ages = [], []
    for (wall, _), owner in zip(record.graphs, owners, strict=True):
        if owner is None:
            continue
        seen, stamp = images[owner]
        wall_ages.append(max(wall - seen, 0.0))
        bag_ages.append(clock.age(seen, stamp) + clock.passed(seen, wall))
    bag_seconds = clock.passed(images[0][0], clock.end)
    wall_seconds = max(clock.end - images[0][0], 0.0)
    graphs, dropped = len(record.graphs), len(images) - len(answered)
    return LiveScores(
        images=len(images),
        graphs=graphs,
        dropped=dropped,
        dropped_share=dropped / len(images),
        out_of_order=sum(after < before for before, after in pairwise(known)),
        repeated=len(known) - len(answered),
        unknown=graphs - len(known),
        bag_seconds=bag_seconds,
        wall_seconds=wall_seconds,
        graphs_per_bag_second=graphs / bag_seconds if bag_seconds else None,
        graphs_per_second=graphs / wall_seconds if wall_seconds else None,
        bag_age=_ages(bag_ages),
        wall_age=_ages(wall_ages),
    )


def _owners(images: list[Heard], graphs: list[Heard]) -> list[int | None]:
    """The image of each graph: the last one of its stamp that came before it, as bags loop."""
    latest: dict[int, int] = {}
    owners, heard = [], 0
    for wall, stamp in graphs:
        while heard < len(images) and images[heard][0] <= wall + _SLACK_S:
            latest[images[heard][1]] = heard
            heard += 1
        owners.append(latest.get(stamp))
    return owners


def _ages(seconds: list[float]) -> Ages | None:
    if not seconds:
        return None
    return Ages(*(float(1000 * value) for value in np.percentile(seconds, [50, 95, 100])))


class _SimulatedTime:
    """What /clock said, between its messages and across its jumps.

    Attributes:
        end: wall time of the last message.
    """

    def __init__(self, clock: list[Heard]) -> None:
        self._wall = np.array([wall for wall, _ in clock])
        first = clock[0][1]  # taken off, as floats do not hold the nanoseconds of a year
        self._first, self._bag = first, np.array([ns - first for _, ns in clock]) / 1e9
        steps = np.diff(self._bag)
        typical = np.median(steps[steps > 0]) if (steps > 0).any() else 0.0
        steps[(steps < 0) | (steps > _FARTHEST * typical)] = 0.0
        self._passed = np.concatenate([[0.0], np.cumsum(steps)])
        self.end = float(self._wall[-1])
        before = int(np.searchsorted(self._wall, self.end - _PACE_S))
        seconds = self.end - self._wall[before]
        self._pace = (self._passed[-1] - self._passed[before]) / seconds if seconds else 0.0

    def passed(self, start: float, stop: float) -> float:
        """Seconds of the bag between two wall times; jumps take none."""
        between = np.diff(np.interp([start, stop], self._wall, self._passed))[0]
        return float(between + self._pace * max(stop - max(start, self.end), 0.0))

    def age(self, wall: float, stamp_ns: int) -> float:
        """How long ago, in seconds of the bag, that stamp was at that wall time."""
        stamp = (stamp_ns - self._first) / 1e9
        after = int(np.searchsorted(self._wall, wall, side="right"))
        # an image may overtake the message that tells of a jump
        near = [index for index in (after - 1, after) if 0 <= index < len(self._bag)]
        nearest = min(near, key=lambda index: abs(self._bag[index] - stamp))
        return self._bag[nearest] + self.passed(self._wall[nearest], wall) - stamp
