"""Paths as people write them, and writing files whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dsflash_ros.errors import OutputError

if TYPE_CHECKING:
    import torch


def expand(path: str | Path) -> Path:
    """Resolve a path's `~`.

    Where that names no home directory the path stays as it is, and will not be found.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def check_output(path: str | Path, overwrite: bool = False) -> Path:
    """Check that a result can be written later, and return its path, expanded.

    Raises `OutputError` when it is a folder, is there already and not to be overwritten, or its
    folder cannot be written.
    """
    path = expand(path)
    try:
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give a file name")
        if path.exists() and not path.is_file():
            raise OutputError(f"{path} is no regular file; give another name")
        if path.exists() and not overwrite:
            raise OutputError(f"{path} is there already; give --overwrite to replace it")
        if not path.parent.is_dir():
            raise OutputError(
                f"the folder {path.parent} for {path.name} does not exist; make it first"
            )
        with tempfile.TemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            return path
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    The block gets the path of a temporary file beside `path`, which takes the place of `path` when
    the block ends without an error; else what was there stays. Raises `OutputError` when it cannot
    be written: disk full, no permission, no such folder.
    """
    path, partial = Path(path), None
    try:
        descriptor, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=".partial"
        )
        partial = Path(name)
        os.close(descriptor)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())  # else a power cut could leave the new name with nothing in it
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def save_tensors(
    path: str | Path, tensors: dict[str, "torch.Tensor"], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, whole or not at all, from tensors on any device.

    Raises `OutputError` as `replacing` does.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with replacing(path) as partial:
        try:
            save_file(
                {name: tensor.contiguous().cpu() for name, tensor in tensors.items()},
                partial,
                metadata,
            )
        except SafetensorError as error:  # how it reports a full disk
            raise OSError(str(error)) from error


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all, and make the folders that it is in.

    Raises `OutputError` when that is not possible.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    with replacing(path) as partial:
        partial.write_text(text)
