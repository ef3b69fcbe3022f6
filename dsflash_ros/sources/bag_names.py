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
    """The names, each different; those that come again have numbers, as `drive_2`."""
    found: dict[str, None] = {}
    counts: dict[str, int] = {}
    for name in names:
        free = name
        while free in found:
            counts[name] = counts.get(name, 1) + 1
            free = f"{name}_{counts[name]}"
        found[free] = None
    return list(found)


def named_bags(bags: Iterable[Path]) -> list[tuple[str, Path]]:
    """Bags with the names of their results. A bag that is given by several paths comes once."""
    once: dict[Path, Path] = {}
    for bag in bags:
        once.setdefault(bag.resolve(), bag)
    names = numbered(without_suffix(path.name) for path in once)
    return list(zip(names, once.values(), strict=True))
