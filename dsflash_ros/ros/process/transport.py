"""What Fast DDS must be told, before rclpy starts, so that images reach other processes."""

import os
import shutil
from importlib import resources
from pathlib import Path

from dsflash_ros.ros.process.memory import keep_freed_memory

PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def prepare_transport() -> None:
    """Set this process and its children up for images; to be called before `rclpy.init()`.

    By default Fast DDS cuts an image into UDP fragments, and best-effort subscribers lose most
    images. The packaged profile sends them through shared memory; it is used unless the user named
    a profile or another RMW.
    """
    middleware = os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    if middleware.startswith("rmw_fastrtps") and not any(
        os.environ.get(name) for name in PROFILE_VARIABLES
    ):
        os.environ[PROFILE_VARIABLES[0]] = profile_path()
    keep_freed_memory()


def profile_path() -> str:
    """Path of the packaged Fast DDS profile that fits this machine's shared memory."""
    # each process takes 68 MiB of it with the one, 9 MiB with the other
    shared_memory = Path("/dev/shm")
    is_small = shared_memory.is_dir() and shutil.disk_usage(shared_memory).free < 512 << 20
    name = "fastdds_small.xml" if is_small else "fastdds.xml"
    return str(resources.files("dsflash_ros").joinpath("resources", name))
