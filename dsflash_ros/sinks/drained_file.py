"""A file that another library writes, which never hears of a full disk."""

import os
import tempfile
from pathlib import Path
from threading import Thread

_BLOCK = 1 << 16


class DrainedFile:
    """Passes on to a file what is written into a pipe, and takes the rest in when that fails.

    For libraries that hang when their file cannot be written.

    Attributes:
        pipe: what to write to, once; closing it ends the file.
        error: what went wrong with the file, or None.
    """

    def __init__(self, path: Path) -> None:
        """Begin the file at `path`."""
        self.error: OSError | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="dsflash_pipe_")
        self.pipe = Path(self._folder.name) / "pipe"
        os.mkfifo(self.pipe)
        self._thread = Thread(target=self._copy, args=(path,), name="drain", daemon=True)
        self._thread.start()

    def _copy(self, path: Path) -> None:
        with self.pipe.open("rb") as pipe:
            try:
                with path.open("wb", buffering=0) as file:
                    while block := memoryview(pipe.read1(_BLOCK)):
                        while block:
                            block = block[file.write(block) :]
            except OSError as error:
                self.error = error
                while pipe.read1(_BLOCK):
                    pass

    def close(self, timeout_s: float) -> None:
        """Wait until all is in the file; the pipe has been closed."""
        self._thread.join(timeout_s)
        self._folder.cleanup()
