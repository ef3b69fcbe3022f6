"""Scene graphs to look at in rerun, in a browser or from a file."""

from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
import rerun as rr

from dsflash_ros.errors import OutputError, first_line
from dsflash_ros.files import replacing
from dsflash_ros.geometry.viewpoint import Viewpoint
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sinks.drained_file import DrainedFile
from dsflash_ros.sinks.rerun_layout import NUMBER, STAMP
from dsflash_ros.sinks.rerun_scene import RerunScene
from dsflash_ros.sinks.rerun_server import RerunServer
from dsflash_ros.sinks.sink import Sink
from dsflash_ros.sources.source import Frame, Source

_FLUSH_S = 10.0


class RerunSink(Sink):
    """Sends graphs to a server, or writes them to a file; each is there when `show` returns.

    Attributes:
        count: how many graphs it has taken.
    """

    def __init__(
        self, target: RerunServer | Path, name: str = "scene graphs", by_stamp: bool = True
    ) -> None:
        """Begin a recording.

        Args:
            target: a server, which the caller closes later; or the path of a .rrd file, which
                replaces what is there when the sink is closed.
            name: of the recording, to be shown.
            by_stamp: whether the viewer goes by the images' stamps, else by their number.

        Raises `OutputError` when the file cannot be made.
        """
        self.count = 0
        self._target, self._is_whole = target, True
        self._stream = rr.RecordingStream("dsflash")
        self._closing, self._file = ExitStack(), None
        if isinstance(target, RerunServer):
            self._stream.connect_grpc(target.target)
        else:
            self._file = DrainedFile(self._closing.enter_context(replacing(target)))
            self._stream.save(self._file.pipe)
        self._stream.send_recording_name(name)
        self._scene = RerunScene(self._stream, STAMP if by_stamp else NUMBER)

    def write(self, graph: SceneGraph, frame: Frame, source: Source) -> None:
        """Take the graph of a source's frame."""
        space = frame.space
        viewpoint = space and Viewpoint.of(graph, space.depth.camera, space.frame, space.transforms)
        self.show(graph, frame.rgb, viewpoint)

    def show(
        self, graph: SceneGraph, rgb: np.ndarray | None, viewpoint: Viewpoint | None = None
    ) -> None:
        """Take a graph and its image, (H, W, 3) uint8; where the camera stood, if that is known.

        Raises `OutputError` when they could not be sent or written.
        """
        if isinstance(self._target, RerunServer) and not self._target.is_running:
            raise OutputError("rerun's server has ended; start anew")
        try:
            self._scene.show(graph, rgb, viewpoint)
            self._stream.flush(timeout_sec=_FLUSH_S)
        except RuntimeError as error:
            self._is_whole = False
            raise OutputError(f"cannot write to rerun: {first_line(error)}") from error
        self._check_file()
        self.count += 1

    @property
    def is_kept(self) -> bool:
        """Whether `close` keeps what was taken: there are graphs, and none was lost."""
        return bool(self.count and self._is_whole)

    def _check_file(self) -> None:
        if self._file is not None and self._file.error is not None:
            self._is_whole, error = False, self._file.error
            raise OutputError(f"cannot write to {self._target}: {error.strerror}") from error

    def close(self) -> None:
        """Finish the recording. A file without graphs, or one that is not whole, is not kept."""
        with suppress(RuntimeError):
            self._stream.disconnect()
        if self._file is not None:
            self._file.close(_FLUSH_S)
        try:
            if self._is_whole:
                self._check_file()
        finally:
            if self.is_kept:
                self._closing.close()
            else:
                nothing = OutputError("nothing is kept")
                with suppress(OutputError):
                    self._closing.__exit__(OutputError, nothing, None)
