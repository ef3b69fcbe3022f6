"""Writing files whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dsflash_ros.errors import OutputError

if TYPE_CHECKING:
    import torch


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give the path of a temporary file beside `path`, which takes its place when the block ends without an error.

    Until then, and if anything fails, what was there stays. Raises `OutputError` when it cannot be written: disk
    full, no permission, no such folder.
    """
    path, partial = Path(path), None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
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


def save_tensors(path: str | Path, tensors: dict[str, "torch.Tensor"], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, as `replacing` does. The tensors may lie anywhere, on any device."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with replacing(path) as partial:
        try:
            save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, partial, metadata)
        except SafetensorError as error:  # how it reports a full disk
            raise OSError(str(error)) from error
