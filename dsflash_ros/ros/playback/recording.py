"""ROS 2 bags of messages, written by `rosbags`.

The definitions of the messages are inside, so that `ros2 bag play` takes the bags.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rclpy.serialization import serialize_message
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys.store import Typestore

from dsflash_ros.errors import OutputError
from dsflash_ros.ros.messages.definitions import message_store, type_name


class Recording:
    """A bag that is being written.

    A context manager: the bag is there when the block ends without an error, else nothing is.

    Raises:
        OutputError: the bag is there already or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise OutputError(f"{path} is there already: remove it, or give the bag another name")
        self._path = path
        self._store = message_store()
        self._connections = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # a bag's files are named after its folder
            self._partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            self._writer = Writer(
                self._partial / path.name, version=9, storage_plugin=StoragePlugin.MCAP
            )
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            self._writer.open()
        except OSError as error:
            raise OutputError(
                f"cannot write the bag {path}: {error.strerror}; choose another place"
            ) from error

    def write(self, topic: str, message, nanoseconds: int) -> None:
        """Add a message of rclpy's, sent at that time."""
        name = type_name(type(message))
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, name, typestore=self._store
            )
        # rosbags fills the gaps between fields with zeros, rclpy with whatever lies in memory; the
        # same arguments are to give the same bag.
        read = self._store.deserialize_cdr(serialize_message(message), name)
        data = self._store.serialize_cdr(read, name)
        with self._reporting():
            self._writer.write(self._connections[topic], nanoseconds, data)

    def copy(self, connection, store: Typestore, data: bytes, nanoseconds: int) -> None:
        """Add a message of another bag, serialised as in ROS 2.

        `connection` is rosbags', `store` knows its type.
        """
        topic = connection.topic, connection.msgtype
        if topic not in self._connections:
            qos = getattr(connection.ext, "offered_qos_profiles", ())
            self._connections[topic] = self._writer.add_connection(
                *topic, typestore=store, offered_qos_profiles=qos
            )
        with self._reporting():
            self._writer.write(self._connections[topic], nanoseconds, data)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(f"cannot write the bag {self._path}: {error.strerror}") from error

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            with self._reporting():
                self._writer.close()
                if kind is None:
                    (self._partial / self._path.name).rename(self._path)
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)
