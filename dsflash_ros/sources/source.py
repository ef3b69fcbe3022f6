"""What all sources have in common."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dsflash_ros.geometry.space import Space
from dsflash_ros.graph.scene_graph import SceneGraph

_log = logging.getLogger(__name__)

_MOST_REPORTS = 5
"""Frames of a source that are reported to the log; further ones are only counted."""


@dataclass(frozen=True)
class Origin:
    """Where in a bag an image is.

    Attributes:
        frame_id: of its header.
        stamp_ns: of its header, or when it was recorded where the header has none.
        recorded_ns: when it was recorded.
    """

    frame_id: str
    stamp_ns: int
    recorded_ns: int


@dataclass(frozen=True, eq=False)
class Frame:
    """An image of a source.

    Attributes:
        rgb: (H, W, 3) uint8 RGB.
        stamp: seconds; when it was taken, for videos from their beginning. Image files have no such
            time: theirs is their number in the source.
        name: the file, or the topic of a bag.
        truth: the true scene graph, where a bag has one of the same stamp. Nothing is anywhere on
            its panoptic map where the bag does not have that.
        space: depth and poses of that time, where a bag has them.
        origin: of images of a bag.
    """

    rgb: np.ndarray
    stamp: float
    name: str
    truth: SceneGraph | None = None
    space: Space | None = None
    origin: Origin | None = None


class Source:
    """Frames, one after the other. Iterate as often as you like; a context manager closes it.

    Frames that cannot be read are left out, counted and reported to the log; a source of which none
    can be read raises `SourceError`. Stamps that go back are kept, stamps that are no number take
    the last one's place; both are counted.

    Attributes:
        name: what was opened.
        rate: frames a second; None where it has none.
        is_sequence: frames follow each other in time, as those of a video do and image files do
            not.
        has_truth: some frames have their true scene graphs.
        skipped: how many frames were left out.
        bad_stamps: how many stamps went back or were no number.
    """

    is_sequence = True
    has_truth = False

    def __init__(self, name: str, rate: float | None = None, length: int | None = None):
        self.name = name
        self.rate = rate
        self.skipped = 0
        self.bad_stamps = 0
        self._length = length

    def __len__(self) -> int:
        """How many frames there should be; broken ones count.

        Raises `TypeError` where that is unknown.
        """
        if self._length is None:
            raise TypeError(f"it is not known how many frames {self.name} has")
        return self._length

    def __iter__(self) -> Iterator[Frame]:
        last = 0.0
        for number, frame in enumerate(self._frames()):
            if not math.isfinite(frame.stamp):
                self._count_stamp(
                    f"{frame.name}: a frame's stamp is {frame.stamp}; the last one, {last}, is used"
                )
                frame = replace(frame, stamp=last)
            elif number and frame.stamp < last:
                self._count_stamp(
                    f"{frame.name}: stamps go back, from {last} to {frame.stamp}; they are kept"
                )
            last = frame.stamp
            yield frame

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the file or device."""

    def skip(self, reason: object) -> None:
        """Count and report a frame that cannot be used."""
        self.skipped += 1
        self._report(self.skipped, f"skipped a frame: {reason}")

    def _frames(self) -> Iterator[Frame]:
        raise NotImplementedError

    def _count_stamp(self, sentence: str) -> None:
        self.bad_stamps += 1
        self._report(self.bad_stamps, sentence)

    def _report(self, count: int, sentence: str) -> None:
        if count == _MOST_REPORTS:
            sentence += " (more of these are only counted)"
        if count <= _MOST_REPORTS:
            _log.warning("%s", sentence)
