"""Video files and cameras, by OpenCV."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from dsflash_ros.errors import SourceError
from dsflash_ros.sources.source import Frame, Source


class VideoSource(Source):
    """A video file; stamps are the container's."""

    def __init__(self, path: Path):
        self._path = path
        with _Capture(str(path)) as capture:
            if not capture.opened:
                raise SourceError(
                    f"{path} cannot be opened: it is no image, bag or video that OpenCV reads, or "
                    "it is damaged"
                )
            length = capture.get(cv2.CAP_PROP_FRAME_COUNT)
            super().__init__(str(path), capture.rate, int(length) if length > 0 else None)

    def _frames(self) -> Iterator[Frame]:
        number = 0
        with _Capture(str(self._path)) as capture:
            while (rgb := capture.read()) is not None:
                yield Frame(rgb, capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3, self.name)
                number += 1
        if not number:
            raise SourceError(
                f"the video {self.name} has no frame that can be read: it is empty or damaged"
            )
        # Some containers only estimate their length.
        if self._length and number < 0.95 * self._length:
            self.skip(
                f"the video {self.name} ends after {number} of {self._length} frames: it is damaged"
            )


class CameraSource(Source):
    """A camera at this machine; stamps are the times of reading."""

    def __init__(self, index: int):
        self._capture = _Capture(index)
        super().__init__(f"camera {index}", self._capture.rate)
        if not self._capture.opened:
            raise SourceError(
                f"{self.name} cannot be opened: is it plugged in, unused, and may you read "
                f"/dev/video{index}?"
            )

    def _frames(self) -> Iterator[Frame]:
        while (rgb := self._capture.read()) is not None:
            yield Frame(rgb, time.time(), self.name)
        raise SourceError(f"{self.name} sends no more frames: is it still plugged in?")

    def close(self) -> None:
        self._capture.close()


class _Capture:
    """`cv2.VideoCapture`, giving RGB or None."""

    def __init__(self, what: str | int):
        self._capture = cv2.VideoCapture(what)
        self.opened = self._capture.isOpened()
        self.get = self._capture.get
        rate = self.get(cv2.CAP_PROP_FPS)
        self.rate = rate if math.isfinite(rate) and rate > 0 else None

    def read(self) -> np.ndarray | None:
        ok, bgr = self._capture.read()
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB) if ok else None

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> "_Capture":
        return self

    def __exit__(self, *_) -> None:
        self.close()
