"""The ROS node's parameters: the pipeline's options, and those that only the node has.

`python -m dsflash_ros.ros.parameter_table yaml` prints config/dsflash.yaml, `markdown` the table of
docs/node.md. Imports neither torch nor ROS.
"""

import json
import sys
import textwrap

from dsflash_ros.errors import DSFlashError
from dsflash_ros.option import QUOTES, Option, Value
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS
from dsflash_ros.tracking.tracking_options import TRACKING_OPTIONS

NODE_OPTIONS = (
    Option(
        "image_transport",
        "raw",
        "raw subscribes sensor_msgs/Image on the topic image, compressed subscribes "
        "sensor_msgs/CompressedImage on image/compressed.",
        choices=("raw", "compressed"),
    ),
    Option(
        "cameras",
        "",
        "Names of several cameras, separated by commas, as in front,left: their topics begin with "
        "these names, as front/image, front/scene_graph and ~/front/overlay, and all share one "
        "model. Empty: one camera, without such names.",
        read_only=True,
    ),
    Option(
        "autostart",
        True,
        "Configure and activate at start, without a lifecycle manager.",
        read_only=True,
    ),
    Option(
        "target_frame",
        "",
        "Frame of the nodes' positions, z up, such as map, odom or base_link; /tf has to connect "
        "it with the camera's. Empty: the camera's optical frame. Positions need the topics depth "
        "and camera_info. In map, odom, world and earth, which do not move with the robot, they "
        "also tell objects apart.",
    ),
    Option(
        "depth_tolerance_s",
        0.05,
        "How far the stamps of a depth image and of a colour image may be apart, seconds.",
        limits=(0.0, 10.0),
        live=True,
    ),
    Option(
        "geometric_relations",
        False,
        "Add relations that need no learning, such as left of, near and on top of; their source is "
        "geometric.",
        live=True,
    ),
    Option(
        "tracking",
        True,
        "Give nodes a track_id and steady their classes and relations over time; false: each graph "
        "is that of its image alone.",
        live=True,
    ),
    Option(
        "overlay_relations",
        10,
        "Relations drawn as arrows on ~/overlay, the best first.",
        limits=(0, 1000),
        live=True,
    ),
    Option(
        "no_frame_warning_s",
        5.0,
        "Warn in the log and on /diagnostics when no frame has come for so many seconds.",
        limits=(0.5, 3600.0),
        live=True,
    ),
)

PARAMETERS = tuple(
    sorted(
        (*MODEL_OPTIONS, *NODE_OPTIONS, *FRAME_OPTIONS, *TRACKING_OPTIONS),
        key=lambda option: option.live,
    )
)
"""All of them: first those that count at start or when the model is loaded, then the live ones."""

BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}

OPTIONS = tuple(option.name for option in FRAME_OPTIONS)
"""Those that are fields of `dsflash_ros.Options`."""

TRACKING = tuple(option.name for option in TRACKING_OPTIONS)
"""Those that are fields of `TrackingOptions`."""


class ParameterError(DSFlashError):
    """A parameter has a wrong type or a value out of its range."""


def allowed(parameter: Option) -> str:
    """The values that ROS takes for it, in words. Unlike Python's, its numbers have one type."""
    if parameter.choices:
        return f"one of {', '.join(parameter.choices)}"
    words = {
        bool: "true or false",
        int: "an integer",
        float: "a number with a decimal point",
        str: "a string",
        tuple: "a list of strings",
    }
    if parameter.limits is None:
        return words[parameter.kind]
    low, high = parameter.limits
    return f"{words[parameter.kind]} from {low} to {high}"


def problem(parameter: Option, value: object) -> str:
    """What is wrong with that value, as a sentence; empty when it will do."""
    if type(value) is parameter.kind and parameter.accepts(value):
        return ""
    hint = ""
    if parameter.kind is tuple and isinstance(value, (list, tuple)):
        hint = f"; {QUOTES}"
    return f"parameter '{parameter.name}' must be {allowed(parameter)}, not {value!r}{hint}"


def help_text() -> str:
    """The table for `--help`."""
    lines = []
    for parameter in PARAMETERS:
        lines.append(f"    {parameter.name} ({allowed(parameter)}; default {parameter.default!r})")
        lines += [f"        {line}" for line in _wrapped(parameter.description, 88)]
    return "\n".join(lines)


def yaml_text() -> str:
    """The table as config/dsflash.yaml: every parameter at its default, with its description."""
    lines = [
        "# Parameters of the dsflash node, at their defaults. After a change of the table:",
        "# python -m dsflash_ros.ros.parameter_table yaml > config/dsflash.yaml",
        "/**:  # in any namespace",
        "  ros__parameters:",
    ]
    is_live = False
    for parameter in PARAMETERS:
        if parameter.live and not is_live:
            is_live = True
            how = "ros2 param set /dsflash NAME VALUE"
            lines += [f"    # The rest can change while the node is active: {how}", ""]
        lines += [f"    # {line}" for line in _wrapped(_meaning(parameter), 90)]
        lines += [f"    {parameter.name}: {yaml_value(parameter.default)}", ""]
    return "\n".join(lines[:-1]) + "\n"


def markdown() -> str:
    """The table of docs/node.md."""
    lines = ["| parameter | default | live | meaning |", "|---|---|---|---|"]
    for parameter in PARAMETERS:
        default = yaml_value(parameter.default)
        if parameter.kind in (bool, str, tuple):
            default = f"`{default}`"
        live = " yes " if parameter.live else " "
        lines.append(f"| `{parameter.name}` | {default} |{live}| {_meaning(parameter)} |")
    return "\n".join(lines) + "\n"


def yaml_value(value: Value) -> str:
    """The value as YAML has it: `true`, `""`, `0.8`.

    An empty list is one empty text: ROS takes no list whose type it cannot see.
    """
    if isinstance(value, tuple):
        return json.dumps(value or [""])
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) or '""'


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _meaning(parameter: Option) -> str:
    """The description, and the bounds where there are any."""
    if parameter.limits is None:
        return parameter.description
    return f"{parameter.description} From {parameter.bounds}."


if __name__ == "__main__":
    print({"yaml": yaml_text, "markdown": markdown}[sys.argv[1]](), end="")
