"""The files of a checkpoint: what they are called, which belong together, their checksums.

Imports no torch.
"""

import hashlib
import json
from pathlib import Path

from dsflash_ros.errors import WeightsError

FILE_NAMES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""What the weights of a folder or hub repository are called, the preferred first."""


def main_file(path: Path) -> Path:
    """The file that a path means: itself, or the first of `FILE_NAMES` that the folder holds.

    Raises `WeightsError` when there is none.
    """
    if path.is_dir():
        for name in FILE_NAMES:
            if (path / name).is_file():
                return path / name
        raise WeightsError(
            f"the folder {str(path)!r} holds none of {', '.join(FILE_NAMES)}; give the file itself"
        )
    if not path.is_file():
        raise WeightsError(
            f"no weights at {str(path)!r}; "
            "give a checkpoint file, its folder, or a hub id such as a/b"
        )
    return path


def tensor_files(path: Path) -> list[Path]:
    """The files with the tensors of a checkpoint, given its main file: that one, or its shards."""
    return shard_files(path) if path.name.endswith(".index.json") else [path]


def shard_files(index: Path) -> list[Path]:
    """The files that the index of a sharded checkpoint names, whether they are there or not.

    Raises `WeightsError` when it cannot be read, or names no files of its own folder.
    """
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise WeightsError(
            f"{index} is no index of a sharded checkpoint: it has no 'weight_map' of file names"
        )
    shards = sorted(set(names.values()))
    for name in shards:
        if Path(name).name != name or name in ("", "..") or not name.isprintable():
            raise WeightsError(
                f"{index} names the file {name!r}; it must be the name of a file beside it"
            )
    return [index.with_name(name) for name in shards]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hash_file(path, hashlib.sha256())


def hash_file(path: Path, digest) -> str:
    """Feed a file to a hash of hashlib; its hexadecimal digest."""
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read_json(path: Path) -> dict:
    """A JSON object. Raises `WeightsError` when the file holds none."""
    try:
        loaded = json.loads(path.read_text())
        if isinstance(loaded, dict):
            return loaded
        reason = "no object"
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    raise WeightsError(
        f"cannot read {str(path)!r}: {reason}; it may be half downloaded, get it again"
    )
