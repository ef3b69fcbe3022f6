"""What all sinks have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dsflash_ros.errors import OutputError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.sources.source import Frame, Source


class Sink:
    """Takes scene graphs, one after the other; a context manager that closes it.

    All methods raise `OutputError` when something cannot be written.
    """

    def write(self, graph: SceneGraph, frame: Frame, source: Source) -> None:
        """Take the graph of a source's frame."""
        raise NotImplementedError

    def close(self) -> None:
        """Finish what was written. Lets go of files also when it raises."""

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            self.close()
        except OutputError:
            if kind is None:  # else the error under way says more
                raise


class UniqueNames:
    """Names of files that one run has not used yet."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def unused(self, stem: str, suffix: str) -> str:
        """`cup.jpg`, then `cup_2.jpg`."""
        name, number = stem + suffix, 1
        while name in self._used:
            number += 1
            name = f"{stem}_{number}{suffix}"
        self._used.add(name)
        return name


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn an `OSError` into an `OutputError` that names the folder and says what to do."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror}; free or choose another place with --out"
        ) from error
