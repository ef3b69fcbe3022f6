"""Scene graphs drawn over their images, as videos."""

from pathlib import Path

from dsflash_ros.drawing.overlay import draw_overlay
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sinks.sink import Sink, UniqueNames, writing_to
from dsflash_ros.sinks.video_file import VideoFile
from dsflash_ros.sources.source import Frame, Source

_DEFAULT_RATE = 10.0
"""Frames a second of a video whose source has no rate."""


class Videos(Sink):
    """A folder with a video of overlays for each source, NAME.mp4.

    Where the pictures of a source change their size, another video begins: NAME_2.mp4.
    """

    def __init__(self, folder: Path, stride: int = 1) -> None:
        """Make the folder. `stride`: each n-th frame of a source comes here."""
        self._folder, self._stride, self._names = folder, stride, UniqueNames()
        self._video: VideoFile | None = None
        self._source: Source | None = None  # of the open video
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, graph: SceneGraph, frame: Frame, source: Source) -> None:
        """Draw the graph and append the picture."""
        picture = draw_overlay(frame.rgb, graph)
        if self._video is None or (self._source, self._video.shape) != (source, picture.shape):
            self.close()
            self._video = self._open(source, picture.shape)
            self._source = source
        self._video.write(picture)

    def close(self) -> None:
        """Finish the video."""
        video, self._video = self._video, None
        if video:
            video.close()

    def _open(self, source: Source, shape: tuple[int, ...]) -> VideoFile:
        stem = Path(source.name).resolve().stem.replace(" ", "_")
        path = self._folder / self._names.unused(stem, ".mp4")
        rate = (source.rate or _DEFAULT_RATE) / self._stride
        return VideoFile(path, shape[0], shape[1], rate)
