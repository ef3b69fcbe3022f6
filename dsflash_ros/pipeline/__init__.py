"""From image arrays to scene graphs, without ROS.

Importing this package imports no torch: the ROS node and the command read `Options` without it. It
bounds how long OpenMP's threads wait busily, which works only where torch is imported later.
"""

from typing import TYPE_CHECKING

from dsflash_ros.pipeline.options import Options
from dsflash_ros.threads import bound_spinning

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

bound_spinning()

__all__ = ["Options", "SceneGraphPipeline"]


def __getattr__(name: str):
    if name != "SceneGraphPipeline":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

    return SceneGraphPipeline
