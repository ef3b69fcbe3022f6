"""Opening bags, damaged ones too."""

import logging
from functools import lru_cache
from pathlib import Path

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from dsflash_ros.errors import SourceError
from dsflash_ros.sources.bag_files import recorded_files
from dsflash_ros.sources.damaged_sqlite import is_unfinished
from dsflash_ros.sources.whole_copies import whole_copy

_log = logging.getLogger(__name__)


def open_bag(path: Path) -> AnyReader:
    """Open a bag of ROS 1 or ROS 2, as its folder or a file of it.

    What a recorder left behind when it was cut off is read as far as it goes, and a warning says
    what is missing: folders without metadata.yaml, MCAP files without an end or an index, and
    SQLite files that are cut off or were never closed. Of such files a whole copy is made in the
    folder for temporary files.

    Raises `SourceError` when nothing of it can be read.
    """
    problem = None
    try:
        if not any(map(is_unfinished, path.glob("*.db3") if path.is_dir() else [path])):
            return _opened([path])
    except Exception as error:  # rosbags lets errors of YAML, SQLite, struct, … through
        problem = error
    try:
        return _opened(_whole_files(path))
    except SourceError as reason:
        raise SourceError(f"the bag {path} cannot be read: {reason}") from problem
    except Exception as error:
        raise SourceError(f"the bag {path} cannot be read: {problem or error}") from error


def _opened(paths: list[Path]) -> AnyReader:
    # Bags of old distributions carry no message definitions; these have not changed since.
    reader = AnyReader(paths, default_typestore=get_typestore(Stores.LATEST))
    reader.open()
    return reader


def _whole_files(path: Path) -> list[Path]:
    """The files of a ROS 2 bag in their order, copies in place of damaged ones."""
    files = [path]
    if path.is_dir():
        files = recorded_files(path)
        if not (path / "metadata.yaml").exists():
            _warn(f"{path} has no metadata.yaml: its files are read as they are")
    if not files:
        raise SourceError("it does not hold the .mcap or .db3 files of one recording: name a file")
    whole = []
    for file in files:
        if _is_whole(file):
            whole.append(file)
            continue
        status = file.stat()
        copy = whole_copy(file, status.st_size, status.st_mtime_ns)
        _warn(f"{file} is damaged: {copy.found}")
        whole.append(copy.path)
    return whole


def _is_whole(file: Path) -> bool:
    """Whether rosbags reads the file, or nothing can be done about it: then it raises the error."""
    if is_unfinished(file):
        return False
    try:
        _opened([file]).close()
        return True
    except Exception as error:
        if file.suffix == ".bag":
            raise SourceError(
                f"{error}; `rosbag reindex` of ROS 1 mends what was cut off"
            ) from error
        return False


@lru_cache(maxsize=32)
def _warn(text: str) -> None:
    """Say it once, however often the bag is opened."""
    _log.warning("%s", text)
