"""Start the dsflash node, and rviz on request. --show-args lists the arguments."""

import os
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from dsflash_ros.ros.parameter_table import PARAMETERS
from dsflash_ros.ros.process.transport import profile_path
from dsflash_ros.ros.rviz_layout import write_rviz_layout

CONFIG = Path(get_package_share_directory("dsflash_ros"), "config")

ARGUMENTS = {
    "namespace": ("", "Namespace of the node and its topics: one for each camera."),
    "image": ("image", "Topic of the camera's images, without /compressed."),
    "depth": ("depth", "Topic of depth images that are registered to the camera's."),
    "camera_info": ("camera_info", "Topic of the camera's calibration; positions need it."),
    "params_file": (
        str(CONFIG / "dsflash.yaml"),
        "Parameters of the node; the arguments below override it.",
    ),
    "log_level": ("info", "debug, info, warn, error or fatal."),
    "rviz": (
        "false",
        "true: show overlay, panoptic map and objects in space in rviz (package rviz2).",
    ),
    "use_sim_time": ("", "true: take the time from /clock."),
}
# Those parameters of the node that count when it starts. The live ones belong into params_file.
OVERRIDES = {parameter.name: parameter for parameter in PARAMETERS if not parameter.live}
TYPES = {
    name: list[str] if parameter.kind is tuple else parameter.kind
    for name, parameter in OVERRIDES.items()
} | {"use_sim_time": bool}

# The node sets this up for itself. It is here for rviz, and for a camera that the same launch
# starts later, because what counts is the transport of the sender.
ENVIRONMENT = {
    "FASTRTPS_DEFAULT_PROFILES_FILE": profile_path(),
    "MALLOC_MMAP_THRESHOLD_": str(512 << 20),
    "MALLOC_TOP_PAD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
}


def generate_launch_description():
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description=parameter.description)
                for name, parameter in OVERRIDES.items()
            ),
            *(
                SetEnvironmentVariable(name, value)
                for name, value in ENVIRONMENT.items()
                if name not in os.environ
            ),
            OpaqueFunction(function=start_node),
            OpaqueFunction(function=start_rviz, condition=IfCondition(LaunchConfiguration("rviz"))),
        ]
    )


def start_node(context):
    """The node, with those parameters overridden for which an argument was given."""
    overrides = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in TYPES.items()
        if LaunchConfiguration(name).perform(context)
    }
    parameters = [LaunchConfiguration("params_file")]
    if overrides:
        parameters.append(overrides)
    image = LaunchConfiguration("image").perform(context)
    return [
        Node(
            package="dsflash_ros",
            executable="dsflash_node",
            name="dsflash",
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            emulate_tty=True,
            parameters=parameters,
            remappings=[
                ("image", image),
                ("image/compressed", f"{image}/compressed"),
                *((name, LaunchConfiguration(name)) for name in ("depth", "camera_info")),
            ],
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        )
    ]


def start_rviz(context):
    """rviz with a layout for these cameras, in the frame of the positions."""
    given = (
        LaunchConfiguration(name).perform(context)
        for name in ("cameras", "namespace", "target_frame")
    )
    arguments = ["--display-config", write_rviz_layout(*given)]
    return [Node(package="rviz2", executable="rviz2", arguments=arguments)]
