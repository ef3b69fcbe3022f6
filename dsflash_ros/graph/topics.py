"""Names of topics that more than one room knows."""

TRUTH_TOPIC = "/ground_truth/scene_graph"
"""Where a simulator says what is really in view: dsflash_ros/SceneGraph, the image's header."""

TRUTH_MAP_TOPIC = "/ground_truth/panoptic"
"""Beside it the panoptic map: sensor_msgs/Image, 32SC1, as `~/panoptic`."""


def camera_prefixes(topics: list[str]) -> list[str]:
    """What the names of a camera's results begin with, for each of the image topics of a replay.

    Empty for a single one; else as `front/` for /front/image.
    """
    if len(topics) == 1:
        return [""]
    names = [topic.strip("/").removesuffix("/compressed") for topic in topics]
    parents = [name.rpartition("/")[0] for name in names]
    is_clear = len(set(parents)) == len(parents)
    return [f"{name}/" if name else "" for name in (parents if is_clear else names)]


def overlay_topic(prefix: str) -> str:
    """Where a replay writes the pictures of the camera with that prefix."""
    return f"/dsflash/{prefix}overlay/compressed"
