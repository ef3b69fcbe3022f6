"""What can be read of MCAP files that have no end, no index, or broken parts."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import CompressionType, Writer

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
    """Copy the whole messages of an MCAP file, once in a process.

    `size` and `mtime_ns` are those of the file: another one under its name is copied anew. Raises
    `SourceError` when there is no whole message.
    """
    folder = tempfile.TemporaryDirectory(prefix="dsflash_bag_")
    _FOLDERS.append(folder)
    path = Path(folder.name) / file.name
    try:
        copier, problem = _copied(file, size, path)
    except OSError as error:
        raise SourceError(
            f"what is whole in {file.name} cannot be copied to {folder.name}: {error.strerror}; "
            "TMPDIR names another folder for temporary files"
        ) from error
    if not copier.messages:
        raise SourceError(f"there is no whole message in {file.name} ({problem or 'it is empty'})")
    found = f"{copier.messages} messages could be read"
    if copier.broken:
        found += f", {counted(copier.broken, 'part')} in between could not"
    return WholeCopy(path, f"{found}; it has no proper end" if problem else found)


def _copied(file: Path, size: int, path: Path) -> tuple["_Copier", str]:
    """What was copied to `path`, and what ended it before the file's end, or nothing."""
    with file.open("rb") as damaged, path.open("wb") as output:
        copier, problem = _Copier(Writer(output, compression=CompressionType.LZ4)), ""
        try:
            for record in StreamReader(damaged, emit_chunks=True, record_size_limit=size).records:
                copier.take(record)
        except OSError:
            raise
        except Exception as error:  # of damaged bytes the reader raises anything
            problem = str(error) or "it ends in the middle"
        copier.writer.finish()
        return copier, problem


class _Copier:
    """Copies records, and messages of whole chunks; counts messages and broken chunks."""

    def __init__(self, writer: Writer) -> None:
        self.writer, self.messages, self.broken = writer, 0, 0
        self._schemas, self._channels = {0: 0}, {}
        writer.start("ros2")

    def take(self, record: McapRecord) -> None:
        """Copy a record. What is not part of a recording's data is left out."""
        if isinstance(record, Chunk):
            try:
                records = breakup_chunk(record, validate_crc=True)
            except Exception:
                self.broken += 1
                return
            for inner in records:
                self.take(inner)
        elif isinstance(record, Schema) and record.id not in self._schemas:
            known = self.writer.register_schema(record.name, record.encoding, record.data)
            self._schemas[record.id] = known
        elif isinstance(record, Channel) and record.id not in self._channels:
            about = self._schemas[record.schema_id], record.metadata
            known = self.writer.register_channel(record.topic, record.message_encoding, *about)
            self._channels[record.id] = known
        elif isinstance(record, Message):
            times = {"log_time": record.log_time, "publish_time": record.publish_time}
            channel = self._channels[record.channel_id]
            self.writer.add_message(channel, data=record.data, sequence=record.sequence, **times)
            self.messages += 1
