"""Names of topics that more than one room knows."""

TRUTH_TOPIC = "/ground_truth/scene_graph"
"""Where a simulator says what is really in view: dsflash_ros/SceneGraph, the image's header."""

TRUTH_MAP_TOPIC = "/ground_truth/panoptic"
"""Beside it the panoptic map: sensor_msgs/Image, 32SC1, as `~/panoptic`."""
