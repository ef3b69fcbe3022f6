"""What the folders of two runs are called, and with which settings they were made."""

import json
from pathlib import Path

from dsflash_ros.evaluation.phrases import NO_VALUE


def short_names(folders: tuple[Path, Path]) -> list[str]:
    """The last parts of both paths, as many as tell them apart."""
    first, second = (folder.parts for folder in folders)
    for count in range(1, max(len(first), len(second)) + 1):
        if first[-count:] != second[-count:]:
            return [str(Path(*parts[-count:])) for parts in (first, second)]
    return [folder.name for folder in folders]


def setting_differences(first: Path, second: Path) -> list[tuple[str, str, str]]:
    """Name and both values of each setting in which two replays differ; none of other runs."""
    first, second = _settings(first), _settings(second)
    if not (first and second):
        return []
    names = dict.fromkeys([*first, *second])
    return [
        (name, str(first.get(name, NO_VALUE)), str(second.get(name, NO_VALUE)))
        for name in names
        if first.get(name) != second.get(name)
    ]


def _settings(folder: Path) -> dict:
    """The settings of a replay, flat; empty of other runs."""
    try:
        known = json.loads((folder / "replay.json").read_text())["settings"]
        return {**known.pop("options"), **known.pop("written"), **known}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
