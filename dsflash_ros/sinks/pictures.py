"""Scene graphs drawn over their images, a JPEG file each."""

from pathlib import Path

import cv2

from dsflash_ros.drawing.overlay import draw_overlay
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sinks.sink import Sink, UniqueNames, writing_to
from dsflash_ros.sources.source import Frame, Source


class Pictures(Sink):
    """A folder of overlays, NAME.jpg for the frame NAME; the second of a name is NAME_2.jpg."""

    def __init__(self, folder: Path) -> None:
        """Make the folder."""
        self._folder, self._names = folder, UniqueNames()
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, graph: SceneGraph, frame: Frame, source: Source) -> None:
        """Draw the graph and write the picture."""
        picture = draw_overlay(frame.rgb, graph)
        jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        path = self._folder / self._names.unused(Path(frame.name).stem, ".jpg")
        with writing_to(self._folder):
            try:
                path.write_bytes(jpeg.tobytes())
            except OSError:
                path.unlink(missing_ok=True)  # half a picture
                raise
