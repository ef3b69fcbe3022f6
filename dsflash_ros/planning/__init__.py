"""Scene graphs for planners. Imports neither torch nor ROS."""
