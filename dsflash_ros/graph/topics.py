"""Names of topics that more than one room knows."""

TRUTH_TOPIC = "/ground_truth/scene_graph"
"""Where a simulator says what is really in view: dsflash_ros/SceneGraph, the image's header."""
