"""Copies of damaged files of bags, of all that is whole in them."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from dsflash_ros.errors import SourceError
from dsflash_ros.text_tables import counted

_FOLDERS: list[tempfile.TemporaryDirectory] = []
"""Of the copies; they are removed when the process ends."""


class WholeCopy(NamedTuple):
    """A copy of all whole messages of a file.

    Attributes:
        path: of the copy, which is there as long as this process.
        found: what is in it and what is not, for the log.
    """

    path: Path
    found: str


@lru_cache(maxsize=8)
def whole_copy(file: Path, size: int, mtime_ns: int) -> WholeCopy:
    """Copy the whole messages of an .mcap or .db3 file, once in a process.

    `size` and `mtime_ns` are those of the file: another one under its name is copied anew. Raises
    `SourceError` when there is no whole message, or no space for the copy.
    """
    folder = tempfile.TemporaryDirectory(prefix="dsflash_bag_")
    _FOLDERS.append(folder)
    path = Path(folder.name) / file.name
    try:
        messages, broken, problem = _copy(file, path)
    except OSError as error:
        raise SourceError(
            f"what is whole in {file.name} cannot be copied to {folder.name}: {error.strerror}; "
            "TMPDIR names another folder for temporary files"
        ) from error
    if not messages:
        raise SourceError(f"there is no whole message in {file.name} ({problem or 'it is empty'})")
    found = f"{messages} messages could be read"
    if broken:
        found += f", {counted(broken, 'part')} in between could not"
    return WholeCopy(path, f"{found}; it has no proper end" if problem else found)


def _copy(file: Path, path: Path) -> tuple[int, int, str]:
    """Messages copied, broken parts left out, and what ended the copy before the file's end."""
    if file.suffix == ".db3":
        from dsflash_ros.sources.damaged_sqlite import copy_sqlite

        return copy_sqlite(file, path)
    try:
        from dsflash_ros.sources.damaged_mcap import copy_mcap
    except ImportError as error:
        raise SourceError("it is damaged; `pip install mcap` lets what is whole be read") from error
    return copy_mcap(file, path)
