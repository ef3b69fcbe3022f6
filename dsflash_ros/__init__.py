"""Panoptic scene graphs from camera images, in real time, with and without ROS 2.

from dsflash_ros import Options, SceneGraphPipeline

pipeline = SceneGraphPipeline.from_weights("toyroom", options=Options(relation_threshold=0.5))
graph = pipeline(rgb)  # (H, W, 3) uint8 to a `SceneGraph`

Importing this package bounds how long the threads of OpenMP and OpenBLAS wait busily, which works
where torch and NumPy are imported later; see `dsflash_ros.threads`.
"""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING

from dsflash_ros.threads import bound_spinning

if TYPE_CHECKING:
    from dsflash_ros.graph import SceneGraph
    from dsflash_ros.pipeline import Options, SceneGraphPipeline
    from dsflash_ros.ros.client import SceneGraphClient

# The generated dsflash_ros.msg may lie in another directory (a colcon install space) than these
# sources.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
bound_spinning()
__all__ = ["Options", "SceneGraph", "SceneGraphClient", "SceneGraphPipeline"]

_HOMES = {
    "Options": "dsflash_ros.pipeline",
    "SceneGraph": "dsflash_ros.graph",
    "SceneGraphClient": "dsflash_ros.ros.client",
    "SceneGraphPipeline": "dsflash_ros.pipeline",
}


def __getattr__(name: str):
    """Import on first use: the graph type needs no torch, which takes seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
