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


def shard_files(index: Path) -> list[Path]:
    """The files that the index of a sharded checkpoint names, whether they are there or not."""
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise WeightsError(
            f"{index} is no index of a sharded checkpoint: it has no 'weight_map' of file names"
        )
    return [index.with_name(name) for name in sorted(set(names.values()))]


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
    """A JSON object. Raises `WeightsError` when the file is none."""
    try:
        loaded = json.loads(path.read_text())
        if isinstance(loaded, dict):
            return loaded
        reason = "no object"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise WeightsError(
        f"cannot read {str(path)!r}: {reason}; it may be half downloaded, get it again"
    )
