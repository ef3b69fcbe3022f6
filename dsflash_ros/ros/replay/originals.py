"""The messages of the bag that is replayed, for the bag with the graphs."""

from collections.abc import Collection, Iterator
from pathlib import Path

from rosbags.convert.converter import migrate_bytes
from rosbags.typesys import Stores, get_typestore

from dsflash_ros.ros.playback.recording import Recording
from dsflash_ros.sources.bag_reader import open_bag

_HEADER = "std_msgs/msg/Header"
"""The one type that differs: that of ROS 1 has a number, too."""


class Originals:
    """Copies the messages of a bag in their order. A context manager.

    Messages of ROS 1 are converted. Of a damaged bag that is copied which can be read.

    Args:
        path: of the bag.
        start_ns: what was recorded before is left out.
        left_out: topics whose messages are left out, because the replay writes there.
    """

    def __init__(self, path: Path, start_ns: int, left_out: Collection[str]) -> None:
        self._path = path
        self._start_ns, self._left_out = start_ns, left_out
        self._waiting = None
        self._cache: dict[str, object] = {}

    def copy(self, recording: Recording, stop_ns: int) -> None:
        """Copy on, all that was recorded before `stop_ns`."""
        while self._waiting is not None:
            connection, recorded, data = self._waiting
            if recorded >= stop_ns:
                return
            recording.copy(connection, self._store, self._as_ros2(connection, data), recorded)
            self._waiting = next(self._messages, None)

    def _as_ros2(self, connection, data: bytes) -> bytes:
        if self._reader.is2:
            return data
        kind, stores = connection.msgtype, (self._reader.typestore, self._store)
        return migrate_bytes(*stores, kind, kind, self._cache, data, src_is2=False, dst_is2=True)

    def _read(self) -> Iterator[tuple]:
        connections = [c for c in self._reader.connections if c.topic not in self._left_out]
        try:
            yield from self._reader.messages(connections, self._start_ns)
        except Exception:  # the source of the images says where the bag is damaged
            return

    def __enter__(self) -> "Originals":
        self._reader = open_bag(self._path)
        self._store = self._reader.typestore
        if not self._reader.is2:
            self._store = get_typestore(Stores.EMPTY)
            of_ros2 = get_typestore(Stores.LATEST).fielddefs[_HEADER]
            self._store.register({**self._reader.typestore.fielddefs, _HEADER: of_ros2})
        self._messages = self._read()
        self._waiting = next(self._messages, None)
        return self

    def __exit__(self, *_) -> None:
        self._messages.close()
        self._reader.close()
