"""A video file that browsers play: H.264 in MP4, written by PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.error import FFmpegError

from dsflash_ros.errors import OutputError

_ENCODER = "libx264"

_SETTINGS = {
    # Of the presets, "ultrafast" takes half the time for files twice as large.
    "preset": "superfast",
    "crf": "23",
    # How OpenCV makes YUV of RGB; players would guess another matrix for large pictures.
    "colorspace": "smpte170m",
    "color_range": "tv",
}

_THREADS = 2
"""Encoding goes on beside the pipeline without taking many cores from it."""

_KEYFRAME_EVERY = 50
"""Frames. Jumping to any place of the video decodes at most so many."""

_RATES = 0.1, 240.0
"""Frames a second, least and most."""


class VideoFile:
    """An MP4 file of pictures of one size, H.264 with 4:2:0 colours, its index at the beginning.

    Such videos have even sides: a picture of odd height or width gets its last row or column twice.

    Attributes:
        shape: of the pictures, (height, width, 3).
    """

    def __init__(self, path: str | Path, height: int, width: int, rate: float) -> None:
        """Make the file. `rate`: frames a second, brought into 0.1 to 240.

        Raises `OutputError` when it cannot be made, or PyAV comes without H.264.
        """
        self.shape = height, width, 3
        self._path, self._count = Path(path), 0
        if _ENCODER not in av.codec.codecs_available:
            raise OutputError(
                f"cannot write {path}: PyAV here has no {_ENCODER}: install that of the package "
                "index (pip install av), or give --no-overlay"
            )
        self._rate = Fraction(min(max(rate, _RATES[0]), _RATES[1])).limit_denominator(10_000)
        with self._explained("check the folder's permissions, or give --no-overlay"):
            self._file = av.open(str(path), "w", options={"movflags": "faststart"})
            self._stream = self._file.add_stream(_ENCODER, rate=self._rate, options=dict(_SETTINGS))
            self._stream.height, self._stream.width = height + height % 2, width + width % 2
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.gop_size = _KEYFRAME_EVERY
            self._stream.codec_context.thread_count = _THREADS
            self._file.start_encoding()

    def write(self, rgb: np.ndarray) -> None:
        """Append a picture, (height, width, 3) uint8 RGB.

        Raises `OutputError` when the disk is full.
        """
        if rgb.shape != self.shape or rgb.dtype != np.uint8:
            raise ValueError(f"pictures must be {self.shape} uint8, got {rgb.shape} {rgb.dtype}")
        height, width = rgb.shape[:2]
        if height % 2 or width % 2:
            rgb = cv2.copyMakeBorder(rgb, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
        frame = av.VideoFrame.from_ndarray(yuv, "yuv420p")
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._count += 1
        with self._explained():
            self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file. One without pictures is removed.

        Raises `OutputError` when the video is incomplete.
        """
        if not self._count:
            self._file.close()
            self._path.unlink(missing_ok=True)
            return
        with self._explained():
            try:
                self._file.mux(self._stream.encode())
            finally:
                self._file.close()

    @contextmanager
    def _explained(self, remedy: str = "is the disk full?") -> Iterator[None]:
        try:
            yield
        except FFmpegError as error:
            raise OutputError(
                f"cannot write the video {self._path}: {error.strerror}; {remedy}"
            ) from error
