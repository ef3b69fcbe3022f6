"""Start one dsflash node for each of several cameras, each in the camera's namespace."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.substitutions import LaunchConfiguration

ONE_CAMERA = str(Path(get_package_share_directory("dsflash_ros"), "launch", "dsflash.launch.py"))


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "cameras",
                description="Namespaces of the cameras, separated by commas: front,left,right. "
                "Each has its images on <camera>/image. All other arguments are those of "
                "dsflash.launch.py and hold for every camera.",
            ),
            OpaqueFunction(function=start_nodes),
        ]
    )


def start_nodes(context):
    cameras = [name.strip() for name in LaunchConfiguration("cameras").perform(context).split(",")]
    if not all(cameras) or len(set(cameras)) < len(cameras):
        raise ValueError(
            "cameras must be different names separated by commas, as in front,left,right; "
            f"got {cameras}"
        )
    return [
        GroupAction(
            [IncludeLaunchDescription(ONE_CAMERA, launch_arguments={"namespace": camera}.items())]
        )
        for camera in cameras
    ]
