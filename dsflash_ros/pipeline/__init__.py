"""From image arrays to scene graphs, without ROS.

Importing this package imports no torch: the ROS node and the command read `Options` without it.
"""

from typing import TYPE_CHECKING

from dsflash_ros.pipeline.options import Options

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

__all__ = ["Options", "SceneGraphPipeline"]


def __getattr__(name: str):
    if name != "SceneGraphPipeline":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

    return SceneGraphPipeline
