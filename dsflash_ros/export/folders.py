"""The folder of an exported model, written whole or not at all."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from dsflash_ros.errors import OutputError
from dsflash_ros.files import expand
from dsflash_ros.weights.exported import PARTS, PHRASES_FILE, is_exported


def check_folder(folder: str | Path, overwrite: bool = False) -> Path:
    """Check that an exported model can be written there later, and return the path, expanded.

    Raises `OutputError` when it is a file, a folder with something else in it, or there already and
    not to be overwritten.
    """
    folder = expand(folder)
    if folder.is_dir() and any(folder.iterdir()):
        own = {PHRASES_FILE, *(f"{part}.onnx" for part in PARTS)}
        if {path.name for path in folder.iterdir()} - own:
            raise OutputError(f"{folder} holds other files, too: give a new folder")
        if is_exported(folder) and not overwrite:
            raise OutputError(f"{folder} is there already; give --overwrite to replace it")
    elif folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: an exported model is a folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.parent):
            return folder
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error


@contextmanager
def whole_folder(folder: Path):
    """Write a folder whole or not at all: the block gets the path of an empty one beside it.

    `folder` is one that `check_folder` gave. Raises `OutputError` when it cannot be written.
    """
    try:
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            yield partial
            partial.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
