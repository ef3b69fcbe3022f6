"""Checkpoints of dsflash_ros told from all others."""

from pathlib import Path

from dsflash_ros.errors import ForeignWeightsError, WeightsError
from dsflash_ros.model.checkpoints import Checkpoint, open_checkpoint


def open_ours(path: Path) -> Checkpoint | None:
    """Open a checkpoint of dsflash_ros.

    Returns None for whatever `conversion.foreign` may be able to read: a folder, the index of a
    sharded checkpoint, a pickle, or safetensors without our metadata.

    Raises `WeightsError` for a .safetensors file that is missing or damaged.
    """
    if path.is_dir():
        return None
    try:
        return open_checkpoint(path)
    except ForeignWeightsError:
        return None
    except WeightsError:
        if path.suffix == ".safetensors":
            raise
        return None
