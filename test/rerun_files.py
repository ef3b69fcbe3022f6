"""What a .rrd file holds, read by rerun's own reader, and ports for rerun's server."""

import socket
from collections import defaultdict

_TIMES = {"rerun.controls.RowId", "log_time", "log_tick"}


def recorded(path):
    """By entity, as "graph", the rows in the order of their number, each a dict of its columns.

    Columns are as rerun calls them, such as "Boxes2D:labels" and "number"; static rows have no
    number and come first.
    """
    from rerun.chunk import RrdReader

    rows = defaultdict(list)
    for chunk in RrdReader(str(path)).stream():
        batch = chunk.to_record_batch()
        names = [name for name in batch.schema.names if name not in _TIMES]
        columns = {name: _values(batch.column(name)) for name in names}
        for place in range(batch.num_rows):
            row = {name: values[place] for name, values in columns.items()}
            rows[chunk.entity_path.strip("/")].append(row)
    for found in rows.values():
        found.sort(key=lambda row: row.get("number", 0))
    return dict(rows)


def free_port():
    """A port that is free, as is the next one."""
    for _ in range(100):
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise AssertionError("no two ports are free")


def _values(column):
    if str(column.type).startswith(("timestamp", "duration")):
        return [value.value for value in column]  # nanoseconds
    return column.to_pylist()
