"""What can be read of rosbag2's SQLite files that were cut off, broken, or never closed."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_ONE_BY_ONE, _LOST = 1000, 2**40
"""So many messages are skipped singly after a broken one, and so many before the rest is lost."""


_ROWS_AFTER = "SELECT * FROM messages WHERE id > ? ORDER BY id"


def is_unfinished(file: Path) -> bool:
    """Whether messages are still in the file's write-ahead log, which rosbags does not read."""
    log = file.with_name(f"{file.name}-wal")
    return file.suffix == ".db3" and log.exists() and log.stat().st_size > 0


def copy_sqlite(file: Path, path: Path) -> tuple[int, int, str]:
    """Copy what is whole in a .db3 file, and in its write-ahead log, to a new one at `path`.

    Returns how many messages were copied, how many broken parts were left out, and what ended the
    copy before the file's end, or nothing. Raises `OSError` where the copy cannot be written.
    """
    how = "mode=ro" if is_unfinished(file) else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?{how}", uri=True)) as damaged:
            # SQLite otherwise refuses a file that is shorter than its header says
            damaged.execute("PRAGMA writable_schema=ON")
            schema = damaged.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            tables = [name for kind, name, _ in schema if kind == "table" and name != "messages"]
            if ("table", "messages") not in [one[:2] for one in schema]:
                return 0, 0, "it has no table of messages"
            rows = {name: damaged.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}
            messages = _Messages(damaged)
            _write(path, [sql for *_, sql in schema if sql], {**rows, "messages": messages})
    except sqlite3.DatabaseError as error:
        return 0, 0, str(error)
    return messages.count, messages.gaps, messages.problem


class _Messages:
    """The rows of the messages that can be read; counts them, and the gaps between them."""

    def __init__(self, damaged: sqlite3.Connection) -> None:
        self._damaged = damaged
        self.count, self.gaps, self.problem = 0, 0, ""

    def __iter__(self) -> Iterator[tuple]:
        last, skipped = -1, 0
        while skipped < _LOST:
            try:
                for row in self._damaged.execute(_ROWS_AFTER, (last + skipped,)):
                    self.gaps += skipped > 0
                    self.count += 1
                    last, skipped = row[0], 0
                    yield row
                return
            except sqlite3.DatabaseError as error:
                skipped += 1 if skipped < _ONE_BY_ONE else skipped
                self.problem = str(error) if skipped >= _LOST else ""


def _write(path: Path, schema: list[str], tables: dict) -> None:
    try:
        with closing(sqlite3.connect(path)) as copy, copy:
            for sql in schema:
                copy.execute(sql)
            for name, rows in tables.items():
                for row in rows:
                    marks = ", ".join("?" * len(row))
                    copy.execute(f'INSERT INTO "{name}" VALUES ({marks})', row)
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error)) from error
