"""What bags are called in notes and results."""

from collections.abc import Iterable
from pathlib import Path

_SUFFIXES = (".mcap", ".db3", ".bag")


def local_bag(path: Path) -> dict[str, str]:
    """Which bag it is: that of this path."""
    return {"bag": str(path.resolve())}


def without_suffix(name: str) -> str:
    """A bag's name without the ending of its file."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def numbered(names: Iterable[str]) -> list[str]:
    """The names; those that come again have numbers, as `drive_2`."""
    counts: dict[str, int] = {}
    found = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        found.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return found
