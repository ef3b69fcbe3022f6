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

from dsflash_ros.ros.process.transport import profile_path

CONFIG = Path(get_package_share_directory("dsflash_ros"), "config")

ARGUMENTS = {
    "namespace": ("", "Namespace of the node and its topics: one for each camera."),
    "image": ("image", "Topic of the camera's images, without /compressed."),
    "params_file": (
        str(CONFIG / "dsflash.yaml"),
        "Parameters of the node; the arguments below override it.",
    ),
    "weights": (
        "",
        "A .safetensors file, its id on the hub, toyroom (knows simulated rooms only), or random (untrained).",
    ),
    "device": ("", "auto, cpu, cuda or cuda:N."),
    "precision": ("", "auto, float32, bfloat16 or float16."),
    "image_transport": ("", "raw, or compressed to subscribe to <image>/compressed."),
    "autostart": (
        "",
        "true: the node configures and activates itself; false: it waits for ros2 lifecycle set.",
    ),
    "use_sim_time": ("", "true: take the time from /clock."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
    "rviz": ("false", "true: show overlay and panoptic map in rviz (package rviz2)."),
}
PARAMETERS = {
    "weights": str,
    "device": str,
    "precision": str,
    "image_transport": str,
    "autostart": bool,
    "use_sim_time": bool,
}
# The node sets this up for itself. Here it is for a camera that the same launch starts later,
# because what counts is
# the sender's transport, and for rviz.
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
                DeclareLaunchArgument(name, default_value=d, description=text)
                for name, (d, text) in ARGUMENTS.items()
            ),
            *(
                SetEnvironmentVariable(name, value)
                for name, value in ENVIRONMENT.items()
                if name not in os.environ
            ),
            OpaqueFunction(function=start_node),
            Node(
                package="rviz2",
                executable="rviz2",
                namespace=LaunchConfiguration("namespace"),
                arguments=["--display-config", str(CONFIG / "dsflash.rviz")],
                # relative names follow the namespace
                remappings=[
                    (f"/dsflash/{topic}", f"dsflash/{topic}")
                    for topic in ("overlay", "panoptic_color")
                ],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )


def start_node(context):
    """The node, with those parameters overridden for which an argument was given."""
    overrides = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in PARAMETERS.items()
        if LaunchConfiguration(name).perform(context)
    }
    image = LaunchConfiguration("image").perform(context)
    return [
        Node(
            package="dsflash_ros",
            executable="dsflash_node",
            name="dsflash",
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            emulate_tty=True,
            parameters=[LaunchConfiguration("params_file"), *([overrides] if overrides else [])],
            remappings=[("image", image), ("image/compressed", f"{image}/compressed")],
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        )
    ]
