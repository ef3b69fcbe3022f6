"""What a checkpoint is: ours, or one that can be converted."""

from math import prod
from pathlib import Path

from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.conversion.foreign import read_foreign
from dsflash_ros.conversion.recognize import recognize
from dsflash_ros.files import expand
from dsflash_ros.model.checkpoints import Checkpoint
from dsflash_ros.weights.ours import open_ours

_NUMBERS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def describe(path: str | Path) -> dict:
    """Plain values about a checkpoint, in the order in which a person wants them.

    Raises `WeightsError`.
    """
    path = expand(path)
    checkpoint = open_ours(path)
    return _describe_ours(checkpoint) if checkpoint else _describe_foreign(path)


def _describe_ours(checkpoint: Checkpoint) -> dict:
    path, header = checkpoint.path, checkpoint.header
    names = [name for name in checkpoint.stored.keys() if name != "phrases"]  # noqa: SIM118, no mapping
    stored = [checkpoint.stored.get_slice(name) for name in names]
    types = {tensor.get_dtype() for tensor in stored}
    return {
        "file": str(path),
        "layout": "dsflash_ros",
        **header.describe_model(),
        "parameters": sum(prod(tensor.get_shape()) for tensor in stored),
        "numbers": sorted(_NUMBERS.get(name, name) for name in types),
        **header.describe_training(),
        "bytes": path.stat().st_size,
        "sha256": {path.name: sha256_of(path)},
    }


def _describe_foreign(path: Path) -> dict:
    foreign = read_foreign(path)
    found = recognize(foreign)
    about: dict = {"file": str(foreign.path), "layout": found.layout}
    if found.config:
        about |= {
            **found.config.describe_sizes(),
            "image_size": found.image_size,
            "queries": found.config.num_queries,
            "classes": found.config.num_classes,
        }
    about["bytes"] = sum(foreign.path.with_name(name).stat().st_size for name in foreign.sha256)
    about["sha256"] = foreign.sha256
    if found.is_delta:
        about["differences"] = "to the weights of DINOv3"
    about["convert"] = found.command(foreign.path)
    return about
