"""What `dsflash run` writes: scene graphs as lines of JSON, and pictures of them."""

from pathlib import Path

from dsflash_ros.errors import OutputError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sinks.json_lines import JsonLines
from dsflash_ros.sinks.pictures import Pictures
from dsflash_ros.sinks.sink import Sink, writing_to
from dsflash_ros.sinks.videos import Videos
from dsflash_ros.sources.source import Frame, Source


class ResultFolder(Sink):
    """A folder with `scene_graph.jsonl` and, if wanted, `overlay/`.

    Frames of images get a picture each; those of videos, cameras and bags go into a video.
    """

    def __init__(
        self, folder: str | Path, overlays: bool = True, overwrite: bool = False, stride: int = 1
    ) -> None:
        """`stride`: each n-th frame of a source comes here, which videos need for their rate."""
        folder = _expanded(folder)
        self._path, self._overlays = folder / "scene_graph.jsonl", folder / "overlay"
        self._pictures = self._videos = None
        if overlays:
            self._pictures = Pictures(self._overlays)
            self._videos = Videos(self._overlays, stride)
        self._lines = JsonLines(self._path, overwrite)

    @property
    def paths(self) -> str:
        """What was written, to be shown."""
        return f"{self._path}, {self._overlays}" if self._pictures else str(self._path)

    def write(self, graph: SceneGraph, frame: Frame, source: Source) -> None:
        """Write a graph and, if wanted, its picture."""
        if self._lines.are_old:
            self._remove_pictures()
        self._lines.write(graph, frame, source)
        pictures = self._videos if source.is_sequence else self._pictures
        if pictures:
            pictures.write(graph, frame, source)

    def _remove_pictures(self) -> None:
        """Those of the run that is replaced, which would be taken for this one's."""
        with writing_to(self._overlays):
            for path in self._overlays.glob("*"):
                if path.suffix in (".jpg", ".mp4") and path.is_file():
                    path.unlink()

    def close(self) -> None:
        """Finish the video."""
        try:
            if self._videos:
                self._videos.close()
        finally:
            self._lines.close()


def _expanded(folder: str | Path) -> Path:
    if not str(folder):
        raise OutputError("--out is empty: name a folder for the results")
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise OutputError(f"--out {str(folder)!r} cannot be: {error}") from error
