"""Scene graphs over time: which nodes are the same object, and what holds steadily.

Graphs in, graphs out; needs neither torch nor ROS.
"""
