"""Which files make a bag."""

import re
from pathlib import Path

from dsflash_ros.sources.images import IMAGE_SUFFIXES

_ROS2 = (".db3", ".mcap")
_SUFFIXES = (".bag", *_ROS2)


def is_bag(path: Path) -> bool:
    """Whether a path is that of a bag, going by its name, or what is in a folder.

    A folder without metadata.yaml is the bag of a recorder that was cut off when it holds the files
    of one recording of ROS 2, and no images.
    """
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        if (path / "metadata.yaml").exists():
            return True
        has_images = any(one.suffix.lower() in IMAGE_SUFFIXES for one in path.iterdir())
        return not has_images and bool(recorded_files(path))
    except OSError:  # no folder, or one that cannot be read
        return False


def recorded_files(folder: Path) -> list[Path]:
    """The files of the one recording of ROS 2 in a folder, in their order; none if not just one.

    A recorder calls them after the folder, as in `drive_0.mcap` and `drive_1.mcap`. Raises
    `OSError` when the folder cannot be read.
    """
    files = [path for path in folder.iterdir() if path.suffix in _ROS2]
    if len({(re.sub(r"_\d+$", "", path.stem), path.suffix) for path in files}) != 1:
        return []
    return sorted(files, key=lambda path: int((re.findall(r"_(\d+)$", path.stem) or ["-1"])[0]))
