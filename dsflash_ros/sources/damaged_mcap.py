"""What can be read of MCAP files that have no end, no index, or broken parts."""

from pathlib import Path

from mcap.records import Channel, Chunk, McapRecord, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import CompressionType, Writer


def copy_mcap(file: Path, path: Path) -> tuple[int, int, str]:
    """Copy the messages of whole chunks of an MCAP file to a new one at `path`.

    Returns how many messages were copied, how many broken chunks were left out, and what ended the
    copy before the file's end, or nothing. Raises `OSError` where reading or writing fails.
    """
    with file.open("rb") as damaged, path.open("wb") as output:
        copier, problem = _Copier(Writer(output, compression=CompressionType.LZ4)), ""
        most = file.stat().st_size
        try:
            for record in StreamReader(damaged, emit_chunks=True, record_size_limit=most).records:
                copier.take(record)
        except OSError:
            raise
        except Exception as error:  # of damaged bytes the reader raises anything
            problem = str(error) or "it ends in the middle"
        copier.writer.finish()
    return copier.messages, copier.broken, problem


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
