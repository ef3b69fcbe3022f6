"""Where things are in space, from masks, depth and poses; and relations that follow from that.

Needs neither torch nor ROS.
"""
