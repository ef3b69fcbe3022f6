"""Play a bag against the node in simulated time, and measure graph age, drops and rate.

Without the command `ros2 bag`, `dsflash play` is the player.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit, OnProcessIO
from launch.events import Shutdown

ONE_NODE = str(Path(get_package_share_directory("dsflash_ros"), "launch", "dsflash.launch.py"))

ARGUMENTS = {
    "bag": (None, "The bag that is played."),
    "speed": ("1.0", "Seconds of the bag in a second."),
    "json": ("", "File for the measured numbers; it is replaced."),
}

DSFLASH = [sys.executable, "-m", "dsflash_ros.cli"]
READY = b"the node is there"


def generate_launch_description():
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            IncludeLaunchDescription(ONE_NODE, launch_arguments={"use_sim_time": "true"}.items()),
            OpaqueFunction(function=start_meter_and_player),
        ]
    )


def start_meter_and_player(context):
    """The meter, and once it has found the node, the player; all ends when the meter ends."""
    given = {name: value for name, value in context.launch_configurations.items() if value}
    namespace = "/" + given.get("namespace", "").strip("/")
    topic = str(Path(namespace, given["image"]))
    graphs = str(Path(namespace, "scene_graph"))
    meter = ExecuteProcess(
        name="meter",
        cmd=[*DSFLASH, "watch", "--topic", topic, "--graphs", graphs, *json_file(given)],
        output="screen",
    )
    player = ExecuteProcess(name="player", cmd=player_command(given, topic), output="screen")

    def start_player(event):
        return [player] if READY in event.text else None

    def end(event, context):
        if event.action is player and event.returncode == 0:
            return None  # the meter waits for the last graphs
        return EmitEvent(event=Shutdown(reason="the replay has ended"))

    return [
        RegisterEventHandler(OnProcessIO(target_action=meter, on_stdout=start_player)),
        RegisterEventHandler(OnProcessExit(on_exit=end)),
        meter,
    ]


def json_file(given):
    """Options of the meter."""
    return ["--json", given["json"], "--overwrite"] if "json" in given else []


def player_command(given, topic):
    """`ros2 bag play` with the bag's own topics where it is installed, else `dsflash play`."""
    bag, speed = given["bag"], given["speed"]
    if shutil.which("ros2") and importlib.util.find_spec("ros2bag"):
        return ["ros2", "bag", "play", bag, "--clock", "--rate", speed, "--delay", "2"]
    command = [*DSFLASH, "play", bag, "--clock", "--speed", speed, "--topic", topic, "--wait", "2"]
    is_compressed = given.get("image_transport") == "compressed"
    if is_compressed:
        command.append("--compressed")
    if given["image"] != "image":
        command += ["--bag-topic", f"{topic}/compressed" if is_compressed else topic]
    return command
