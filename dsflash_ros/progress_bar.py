"""How far long work is: a bar on a terminal, lines in the log elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

Item = TypeVar("Item")

FIRST_LINE_S = 15.0
"""Seconds until the first line in the log; shorter work has none."""

LONGEST_GAP_S = 60.0
"""Gaps between lines double up to this many seconds."""

_log = logging.getLogger(__name__)


def progress(
    items: Iterable[Item],
    what: str,
    total: int | None = None,
    unit: str = "frame",
    before: int = 0,
) -> Iterator[Item]:
    """Yield the items and tell how many are done, at what rate, and how long the rest will take.

    Where stderr is no terminal, that is a log line of level INFO, which the command shows.

    Args:
        items: an item counts as done when the next one is asked for.
        what: the name of the work.
        total: how many items there are; None where that is unknown.
        unit: what an item is called, in the singular.
        before: how many of the total were done already and are not among the items.
    """
    if total != 0 and sys.stderr is not None and sys.stderr.isatty():
        with logging_redirect_tqdm():
            yield from tqdm(items, what, total, unit=unit, initial=before)
    else:
        yield from _logged(items, what, total, unit, before)


def _logged(
    items: Iterable[Item], what: str, total: int | None, unit: str, before: int
) -> Iterator[Item]:
    start = time.monotonic()
    gap, next_line = FIRST_LINE_S, start + FIRST_LINE_S
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now >= next_line:
            rate = done / (now - start)
            _log.info("%s", _line(what, before + done, total, unit, rate))
            gap = min(2 * gap, LONGEST_GAP_S)
            next_line = now + gap
        yield item


def _line(what: str, done: int, total: int | None, unit: str, rate: float) -> str:
    """`clip.mp4: 120 of 500 frames, 4.2 a second, 1 min 30 s left`."""
    units = f"{unit}es" if unit.endswith("ch") else f"{unit}s"
    count = f"{done} {units}" if total is None else f"{done} of {total} {units}"
    parts = [f"{what}: {count}", f"{rate:.3g} a second"]
    if total is not None:
        parts.append(f"{_duration((total - done) / rate)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    """`45 s`, `1 min 30 s`, `2 h 05 min`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
