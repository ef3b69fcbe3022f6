"""Scene graphs as lines of JSON."""

import fcntl
import json
from contextlib import suppress
from pathlib import Path

from dsflash_ros.errors import OutputError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sinks.sink import Sink, writing_to
from dsflash_ros.sources.source import Frame, Source


class JsonLines(Sink):
    """A file with a line for each graph, `SceneGraph.to_json`, on the disk when `write` returns.

    Attributes:
        are_old: those in the file are of another run. The first line replaces them, so that they
            stay where no graph is made.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        """Make the folder and the file, and keep other runs from writing it until the process ends.

        Raises `OutputError` when the file has lines and is not to be overwritten, or another run is
        writing it.
        """
        self._path, self.are_old = path, False
        with writing_to(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            try:
                self._claim(overwrite)
            except BaseException:
                self._file.close()
                raise

    def write(self, graph: SceneGraph, frame: Frame, source: Source) -> None:
        """Append a line."""
        text = json.dumps(graph.to_json(), ensure_ascii=False)
        if self.are_old:
            with writing_to(self._path.parent):
                self._file.truncate(self._file.seek(0))
            self.are_old = False
        self._append(text.encode(errors="backslashreplace") + b"\n")

    def close(self) -> None:
        self._file.close()

    def _claim(self, overwrite: bool) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"another run is writing {self._path}: give another --out, or wait for it to end"
            ) from error
        if not self._path.stat().st_size:
            return
        if not overwrite:
            raise OutputError(
                f"{self._path} is there already: give another --out, or --overwrite to replace it"
            )
        self.are_old = True

    def _append(self, line: bytes) -> None:
        """Write the whole line, or none of it."""
        start = self._file.tell()
        with writing_to(self._path.parent):
            try:
                while line:
                    line = line[self._file.write(line) :]
            except OSError:
                with suppress(OSError):
                    self._file.truncate(start)
                raise
