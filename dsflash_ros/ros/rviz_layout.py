"""rviz's layout for one or several cameras: pictures, objects in space, frames.

`python -m dsflash_ros.ros.rviz_layout [CAMERA ...]` prints it: config/dsflash.rviz, and, for front
and left, config/dsflash_cameras.rviz. Imports no ROS.
"""

import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import yaml

FIXED_FRAME = "camera_optical_frame"
"""Frame of the images of `dsflash play`, in which positions are unless target_frame is set."""

_PICTURES = {"Overlay": "overlay", "Panoptic": "panoptic_color"}
"""Names of displays, and topics below the node's name. (rviz cannot draw the 32SC1 of panoptic.)"""


def rviz_layout(
    cameras: Sequence[str] = ("",), namespace: str = "", fixed_frame: str = FIXED_FRAME
) -> str:
    """The layout as YAML.

    Args:
        cameras: names as in the parameter `cameras`; one empty name is a single camera.
        namespace: of the node.
        fixed_frame: in which space is shown: the `target_frame`, or one that /tf connects with it.
    """
    node = "/".join(["", *filter(None, namespace.split("/")), "dsflash"])
    displays, windows = [], {}
    for camera in cameras:
        below = f"{node}/{camera}/" if camera else f"{node}/"
        suffix = f" {camera}" if camera else ""
        for name, topic in _PICTURES.items():
            displays.append(_picture(name + suffix, below + topic))
            windows[name + suffix] = {"collapsed": False}
        displays.append(_markers(f"Objects in space{suffix}", f"{below}markers"))
    frames = {"Enabled": True, "Value": True, "Show Names": False, "Marker Scale": 0.5}
    displays.append(_display("TF", "Frames") | frames)
    layout = {
        "Panels": [{"Class": "rviz_common/Displays", "Name": "Displays"}],
        "Visualization Manager": _manager(displays, fixed_frame),
        "Window Geometry": windows | {"Width": 1400, "Height": 900},
    }
    return yaml.safe_dump(layout, sort_keys=False)


def write_rviz_layout(cameras: str, namespace: str, target_frame: str) -> str:
    """Write the layout to a new temporary file, and return its path.

    `cameras` and `target_frame` are the node's parameters, `namespace` is the node's.
    """
    names = [name.strip().strip("/") for name in cameras.split(",")]
    with tempfile.NamedTemporaryFile("w", prefix="dsflash_", suffix=".rviz", delete=False) as file:
        file.write(rviz_layout(names, namespace, target_frame or FIXED_FRAME))
    return file.name


def _manager(displays: list[dict], fixed_frame: str) -> dict[str, Any]:
    is_optical = fixed_frame.endswith("optical_frame")
    view = {
        "Class": "rviz_default_plugins/Orbit",
        "Name": "Current View",
        "Value": "Orbit (rviz)",
        "Target Frame": "<Fixed Frame>",
        "Distance": 8,
        # seen from behind the camera, z forward; or from above at an angle, z up
        "Pitch": -1.2 if is_optical else 0.6,
        "Yaw": 4.71 if is_optical else 3.9,
    }
    return {
        "Class": "",
        "Name": "root",
        "Enabled": True,
        "Value": True,
        "Displays": displays,
        "Global Options": {
            "Background Color": "48; 48; 48",
            "Fixed Frame": fixed_frame,
            "Frame Rate": 30,
        },
        "Tools": [
            {"Class": f"rviz_default_plugins/{name}"}
            for name in ("MoveCamera", "Select", "Measure")
        ],
        "Views": {"Current": view, "Saved": None},
    }


def _display(kind: str, name: str) -> dict[str, Any]:
    return {"Class": f"rviz_default_plugins/{kind}", "Name": name, "Enabled": True, "Value": True}


def _picture(name: str, topic: str) -> dict[str, Any]:
    values = {"Normalize Range": True, "Min Value": 0, "Max Value": 1, "Median window": 5}
    return _display("Image", name) | {"Topic": _topic(topic)} | values


def _markers(name: str, topic: str) -> dict[str, Any]:
    return _display("MarkerArray", name) | {"Topic": _topic(topic), "Namespaces": {}}


def _topic(name: str) -> dict[str, Any]:
    return {
        "Value": name,
        "Depth": 1,
        "History Policy": "Keep Last",
        "Reliability Policy": "Reliable",
        "Durability Policy": "Volatile",
    }


if __name__ == "__main__":
    print(rviz_layout(sys.argv[1:] or [""]), end="")
