"""Where tracks should be in the present image."""

from collections.abc import Collection, Sequence

import cv2
import numpy as np


class TrackMasks:
    """Masks of tracks in the small image, which move as the image does.

    Those of one image do not overlap: they are one map and move as one. A track that is not seen
    any more gets a mask of its own.

    Attributes:
        areas: pixels by track id; a track without a pixel is not there.
    """

    def __init__(self) -> None:
        self._labels = np.full((0, 0), -1, np.int16)
        self._shown: list[int | None] = []  # None: it was dropped
        self._others: dict[int, np.ndarray] = {}
        self.areas: dict[int, int] = {}

    def move(self, origin: np.ndarray) -> None:
        """Move as `ImageMotion` says: `origin` is (h, w, 2) float32."""
        self._labels = _moved(self._labels, origin, -1)
        self._others = {track: _moved(mask, origin, 0) for track, mask in self._others.items()}
        self._count()

    def drop(self, tracks: Collection[int]) -> None:
        """Forget the masks of these tracks."""
        for track in tracks:
            self.areas.pop(track, None)
            self._others.pop(track, None)
        self._shown = [None if track in tracks else track for track in self._shown]

    def show(self, labels: np.ndarray, tracks: Sequence[int]) -> None:
        """Take in what the present image shows.

        `labels` is (h, w) int, the place in `tracks` of each pixel's track, or -1.
        """
        for place, track in enumerate(self._shown):
            if track in self.areas:
                self._others[track] = (self._labels == place).astype(np.uint8)
        self.drop(tracks)
        self._labels, self._shown = labels.astype(np.int16), list(tracks)
        self._count()

    def mask(self, track: int) -> np.ndarray:
        """(h, w) uint8, of a track in `areas`."""
        if track in self._others:
            return self._others[track]
        return (self._labels == self._shown.index(track)).astype(np.uint8)

    def overlaps(
        self, tracks: Sequence[int], labels: np.ndarray, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """How masks and the segments of an image overlap: (T, S) each, 0 to 1.

        These are intersection over union, and intersection over the smaller of both.

        Args:
            tracks: T ids; one without a mask overlaps with nothing.
            labels: (h, w) int, the segment of each pixel, or -1.
            count: S, of segments.
        """
        shared = np.zeros((len(tracks), count))
        of_shown = self._shared_by_shown(labels, count)
        place = {track: index for index, track in enumerate(self._shown)}
        for row, track in enumerate(tracks):
            if track in self._others:
                inside = labels[self._others[track] > 0]
                shared[row] = np.bincount(inside[inside >= 0], minlength=count)
            elif track in self.areas:
                shared[row] = of_shown[place[track]]
        own = np.array([[self.areas.get(track, 0)] for track in tracks]).reshape(-1, 1)
        areas = np.bincount((labels + 1).ravel(), minlength=count + 1)[1:]
        union, smaller = own + areas - shared, np.minimum(own, areas)
        return shared / np.maximum(union, 1), shared / np.maximum(smaller, 1)

    def _shared_by_shown(self, labels: np.ndarray, count: int) -> np.ndarray:
        """(tracks of the map, S) int: pixels that both have."""
        if not self._shown:
            return np.zeros((0, count), int)
        wide, high = count + 1, len(self._shown) + 1
        both = (self._labels.astype(np.int32) + 1) * wide + (labels + 1)
        return np.bincount(both.ravel(), minlength=high * wide).reshape(high, wide)[1:, 1:]

    def _count(self) -> None:
        of_shown = np.bincount((self._labels + 1).ravel(), minlength=len(self._shown) + 1)[1:]
        counted = dict(zip(self._shown, of_shown.tolist(), strict=True))
        counted.pop(None, None)
        counted |= {track: np.count_nonzero(mask) for track, mask in self._others.items()}
        self.areas = {track: area for track, area in counted.items() if area}
        self._others = {track: mask for track, mask in self._others.items() if track in self.areas}


def _moved(pixels: np.ndarray, origin: np.ndarray, outside: int) -> np.ndarray:
    if not pixels.size:
        return pixels
    return cv2.remap(pixels, origin, None, cv2.INTER_NEAREST, None, cv2.BORDER_CONSTANT, outside)
