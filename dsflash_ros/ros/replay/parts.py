"""The parts of a replay on the disk, so that what was done survives whatever ends the process.

A part is written beside the finished ones and takes its place by a rename: it is there whole or
not at all. Each holds the state of the trackers after it, from which the next one goes on.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from dsflash_ros.errors import OutputError
from dsflash_ros.files import replacing
from dsflash_ros.pipeline.choice import check_settings
from dsflash_ros.ros.replay.part import BAG, LINES, STATE, Part
from dsflash_ros.sinks.sink import writing_to

SETTINGS = "replay.json"
_PARTS = "parts"


class Parts:
    """What a replay has written into a folder so far.

    What ends before its first part leaves nothing, not even its settings.

    Attributes:
        folder: of the replay's results.
        is_complete: everything is there, and joined.
    """

    def __init__(self, folder: Path, settings: dict, overwrite: bool) -> None:
        """Begin, or go on where another process ended. A context manager, which lets the folder go.

        Raises `OutputError` when the folder holds a replay of other settings, or other files, or
        another process writes it.
        """
        self.folder, self._parts = folder, folder / _PARTS
        with writing_to(folder.parent):
            folder.mkdir(parents=True, exist_ok=True)
            self._refuse_other_files()
            self._lock = FileLock(folder / ".lock", timeout=0)
            self._claim()
            if overwrite:
                self._clear()
            known = self._known()
            if known is None or not (known["complete"] or self.done):
                known = {"settings": settings, "complete": False}
                self._note(known)
            self.is_complete = bool(known["complete"])
            if not self.is_complete:
                self._parts.mkdir(exist_ok=True)
        check_settings(folder, known["settings"], settings)

    def __enter__(self) -> "Parts":
        return self

    def __exit__(self, *_) -> None:
        with suppress(OSError):  # what stays is no obstacle to the next one
            if not (self.is_complete or self.done):
                self._clear()
        self._lock.release()

    def _refuse_other_files(self) -> None:
        """Nothing but what a replay has written is ever touched."""
        visible = [path for path in self.folder.iterdir() if not path.name.startswith(".")]
        if visible and not (self.folder / SETTINGS).exists():
            raise OutputError(
                f"{self.folder} is there already and is no replay: give another --out"
            )

    def _claim(self) -> None:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise OutputError(
                f"another process is writing {self.folder}: give another --out, or wait"
            ) from error

    def _clear(self) -> None:
        for folder in (self._parts, self.folder / BAG):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (SETTINGS, LINES):
            (self.folder / file).unlink(missing_ok=True)

    def _known(self) -> dict | None:
        try:
            return json.loads((self.folder / SETTINGS).read_text())
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise OutputError(
                f"{self.folder / SETTINGS} cannot be read: give another --out, or --overwrite"
            ) from error

    def _note(self, content: dict) -> None:
        with replacing(self.folder / SETTINGS) as partial:
            partial.write_text(json.dumps(content, indent=2) + "\n")

    @property
    def done(self) -> list[Path]:
        """The folders of the finished parts."""
        return finished_parts(self.folder)

    def state(self) -> bytes | None:
        """What the last finished part ended with; None before the first."""
        done = self.done
        return (done[-1] / STATE).read_bytes() if done else None

    @contextmanager
    def next_part(
        self, overlay: bool, latencies: bool
    ) -> Iterator[tuple[Part, Callable[[bytes], None]]]:
        """A part to write, and a function that takes the state after it.

        The part is finished when the block ends without an error, else nothing is left of it.
        """
        number, state = len(self.done), []
        with writing_to(self.folder):
            partial = Path(tempfile.mkdtemp(prefix=".", dir=self._parts))
        try:
            with Part(partial, overlay, latencies) as part:
                yield part, state.append
            with writing_to(self.folder):
                (partial / STATE).write_bytes(state[-1])
                partial.rename(self._parts / f"{number:06}")
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def join(self, summary: dict) -> None:
        """Make one bag and one file of lines of the finished parts, and note a summary."""
        parts = self.done
        with writing_to(self.folder):
            for leftover in self._parts.glob(".*"):
                shutil.rmtree(leftover, ignore_errors=True)
            with replacing(self.folder / LINES) as partial, partial.open("wb") as lines:
                for part in parts:
                    with (part / LINES).open("rb") as own:
                        shutil.copyfileobj(own, lines)
            self._join_bags(parts)
            self._note({**self._known(), "complete": True, **summary})
            shutil.rmtree(self._parts)
        self.is_complete = True

    def _join_bags(self, parts: list[Path]) -> None:
        """A bag of several files; those of the parts are linked or copied into it."""
        bag = self.folder / BAG
        if bag.exists():  # of a process that ended between this and the note
            shutil.rmtree(bag)
        partial = Path(tempfile.mkdtemp(prefix=".bag.", dir=self.folder))
        names = []
        for number, part in enumerate(parts):
            names.append(f"{BAG}_{number}.mcap")
            _link(part / BAG / f"{BAG}.mcap", partial / names[-1])
        metadata = [yaml.safe_load((part / BAG / "metadata.yaml").read_text()) for part in parts]
        joined = _joined([one["rosbag2_bagfile_information"] for one in metadata], names)
        text = yaml.safe_dump({"rosbag2_bagfile_information": joined}, sort_keys=False)
        (partial / "metadata.yaml").write_text(text)
        partial.chmod(0o755)
        partial.rename(bag)


def finished_parts(folder: Path) -> list[Path]:
    """The parts of an unfinished replay in a folder that are whole, in their order."""
    return sorted((folder / _PARTS).glob("[!.]*"))


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def _joined(parts: list[dict], names: list[str]) -> dict:
    """The metadata of a bag of these files, in their order."""
    starts = [part["starting_time"]["nanoseconds_since_epoch"] for part in parts]
    ends = [
        start + part["duration"]["nanoseconds"] for start, part in zip(starts, parts, strict=True)
    ]
    topics: dict[tuple[str, str], dict] = {}
    for part in parts:
        for topic in part["topics_with_message_count"]:
            about = topic["topic_metadata"]
            known = topics.setdefault((about["name"], about["type"]), {**topic, "message_count": 0})
            known["message_count"] += topic["message_count"]
    files = [{**part["files"][0], "path": name} for part, name in zip(parts, names, strict=True)]
    return {
        **parts[0],
        "relative_file_paths": names,
        "starting_time": {"nanoseconds_since_epoch": min(starts)},
        "duration": {"nanoseconds": max(ends) - min(starts)},
        "message_count": sum(part["message_count"] for part in parts),
        "topics_with_message_count": list(topics.values()),
        "files": files,
    }
