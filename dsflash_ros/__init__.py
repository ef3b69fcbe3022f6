"""Panoptic scene graphs from camera images, in real time, with and without ROS 2."""

from pkgutil import extend_path

# The generated dsflash_ros.msg may lie in another directory (a colcon install space) than these sources.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
