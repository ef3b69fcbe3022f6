"""What `dsflash run` writes: scene graphs as lines of JSON, and pictures of them."""

import fcntl
import json
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np

from dsflash_ros.drawing.overlay import draw_overlay
from dsflash_ros.errors import OutputError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sources import Frame, Source

_DEFAULT_RATE = 10.0
"""Frames a second of a video whose source has no rate."""


class Output:
    """A folder with `scene_graph.jsonl` and, if wanted, `overlay/`. A context manager.

    Each line is on the disk when `write` returns. Raises `OutputError` when something cannot be
    written.
    """

    def __init__(
        self, folder: str, overlays: bool = True, overwrite: bool = False, stride: int = 1
    ):
        """`stride`: which share of a source's frames comes here, for the rate of videos."""
        if not folder:
            raise OutputError("--out is empty: name a folder for the results")
        self._folder = _expanded(folder)
        self._overlays = self._folder / "overlay" if overlays else None
        self._names: set[str] = set()
        self._video: _Video | None = None
        path = self._folder / "scene_graph.jsonl"
        self._stride = stride
        with _explained(self._folder):
            (self._overlays or self._folder).mkdir(parents=True, exist_ok=True)
            self._lines = path.open("ab", buffering=0)
            self._claim(path, overwrite)

    @property
    def paths(self) -> str:
        """What was written, to be shown."""
        return ", ".join(str(p) for p in (self._folder / "scene_graph.jsonl", self._overlays) if p)

    def write(self, graph: SceneGraph, frame: Frame, source: Source) -> None:
        """Write a graph and, if wanted, its picture."""
        self._write_line(
            json.dumps(graph.to_json(), ensure_ascii=False).encode(errors="backslashreplace")
            + b"\n"
        )
        if self._overlays is None:
            return
        picture = draw_overlay(frame.rgb, graph)
        if source.is_sequence:
            self._write_video(picture, source)
        else:
            path = self._unused(Path(frame.name).stem, ".jpg")
            jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
            with _explained(self._folder):
                path.write_bytes(jpeg.tobytes())

    def _claim(self, path: Path, overwrite: bool) -> None:
        """Keep other runs from writing there, too; the lock ends with the process."""
        try:
            fcntl.flock(self._lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"another run is writing {path}: give another --out, or wait for it to end"
            ) from error
        if path.stat().st_size:
            if not overwrite:
                raise OutputError(
                    f"{path} is there already: give another --out, or --overwrite to replace it"
                )
            self._lines.truncate(0)

    def _write_line(self, line: bytes) -> None:
        start = self._lines.tell()
        with _explained(self._folder):
            try:
                while line:
                    line = line[self._lines.write(line) :]
            except OSError:
                with suppress(OSError):  # half a line would spoil the file
                    self._lines.truncate(start)
                raise

    def _write_video(self, picture: np.ndarray, source: Source) -> None:
        if self._video is None or not self._video.fits(picture, source):
            self._close_video()
            path = self._unused(Path(source.name).resolve().stem.replace(" ", "_"), ".mp4")
            rate = (source.rate or _DEFAULT_RATE) / self._stride
            self._video = _Video(path, picture, source, rate)
        self._video.write(picture)

    def _close_video(self) -> None:
        video, self._video = self._video, None
        if video:
            video.close()

    def _unused(self, stem: str, suffix: str) -> Path:
        """A path that this run has not used: `cup.jpg`, then `cup_2.jpg`."""
        name, number = stem + suffix, 1
        while name in self._names:
            number += 1
            name = f"{stem}_{number}{suffix}"
        self._names.add(name)
        return self._overlays / name

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            self._close_video()
        except OutputError:
            if kind is None:  # else the error under way says more
                raise
        finally:
            self._lines.close()


class _Video:
    """A video of overlays of one source; pictures of another size need another one."""

    def __init__(self, path: Path, picture: np.ndarray, source: Source, rate: float):
        self._path, self._shape, self._source = path, picture.shape, source
        height, width = picture.shape[:2]
        fourcc = cv2.VideoWriter_fourcc(*"mp4v")
        rate = min(max(round(rate, 2), 0.1), 240)  # MPEG-4 knows few fractions
        self._is_empty = True
        self._writer = cv2.VideoWriter(str(path), fourcc, rate, (width, height))
        if not self._writer.isOpened():
            raise OutputError(
                f"cannot write the video {path}: check the folder's permissions, or give --no-overlay"
            )

    def fits(self, picture: np.ndarray, source: Source) -> bool:
        return picture.shape == self._shape and source is self._source

    def write(self, picture: np.ndarray) -> None:
        self._is_empty = False
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()
        if self._is_empty:  # interrupted before the first picture
            self._path.unlink(missing_ok=True)
            return
        # OpenCV does not say when writing fails, but then the index at the end is missing.
        if not cv2.VideoCapture(str(self._path)).isOpened():
            raise OutputError(f"the video {self._path} is incomplete: is the disk full?")


def _expanded(folder: str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise OutputError(f"--out {folder!r} cannot be: {error}") from error


@contextmanager
def _explained(folder: Path):
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror}; free or choose another place with --out"
        ) from error
