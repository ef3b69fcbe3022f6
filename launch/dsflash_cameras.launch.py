"""Start one dsflash node for several cameras, which share its model."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription

ONE_NODE = str(Path(get_package_share_directory("dsflash_ros"), "launch", "dsflash.launch.py"))


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "cameras",
                description="Names of the cameras, separated by commas: front,left,right. "
                "Each has its images on <camera>/image, and its graphs go to "
                "<camera>/scene_graph. All other arguments are those of dsflash.launch.py.",
            ),
            IncludeLaunchDescription(ONE_NODE),
        ]
    )
