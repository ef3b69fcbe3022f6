"""Checkpoints of other code bases, converted once into the user's cache."""

import hashlib
import logging
import os
import re
from pathlib import Path

from dsflash_ros.conversion.checkpoint_files import sha256_of, tensor_files
from dsflash_ros.conversion.convert import CONVERTER_VERSION, Conversion, convert_foreign
from dsflash_ros.conversion.foreign import read_foreign
from dsflash_ros.conversion.recognize import Recognized, recognize
from dsflash_ros.errors import ForeignWeightsError, OutputError, WeightsError
from dsflash_ros.files import expand
from dsflash_ros.model.checkpoints import Checkpoint, open_checkpoint, save_checkpoint
from dsflash_ros.weights.download import verified

_log = logging.getLogger(__name__)


def open_converted(source: Path, weights: str) -> Checkpoint:
    """The checkpoint of dsflash_ros that a foreign one becomes, from the cache or made now.

    Args:
        source: the main file of the foreign checkpoint.
        weights: what the user calls it.

    Raises:
        ForeignWeightsError: it is in no layout that is known.
        WeightsError: it is damaged, or its conversion has to be told more than a name.
        OutputError: the cache cannot be written.
    """
    digests = {file.name: _digest(file) for file in tensor_files(source)}
    path = cache_folder() / f"{_key(source, digests)}-v{CONVERTER_VERSION}.safetensors"
    kept = _open_kept(path)
    if kept is not None:
        return kept
    from filelock import FileLock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            # Another process may have made it meanwhile.
            kept = _open_kept(path)
            if kept is None:
                _clear(path)
                _convert(source, digests, weights, path)
    except OutputError as error:
        raise OutputError(f"{error}; HF_HOME chooses another place") from error
    except OSError as error:
        raise OutputError(
            f"cannot write {path.parent} ({error.strerror or error}); HF_HOME chooses another place"
        ) from error
    return kept or open_checkpoint(path)


def cache_folder() -> Path:
    """Where conversions are kept: beside huggingface_hub's cache, in HF_HOME."""
    home = os.environ.get("HF_HOME")
    if home:
        return expand(os.path.expandvars(home)) / "dsflash_ros"
    return expand(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface" / "dsflash_ros"


def _open_kept(path: Path) -> Checkpoint | None:
    """The conversion; None where there is none or it is damaged."""
    try:
        return open_checkpoint(path)
    except WeightsError:
        return None


def _clear(path: Path) -> None:
    """Say that what is there is damaged, and remove what processes left that were killed."""
    if path.exists():
        _log.warning("%s is damaged, it is made anew", path)
    for partial in path.parent.glob(f".{path.name}.*.partial"):
        partial.unlink(missing_ok=True)


def _convert(source: Path, digests: dict[str, str], weights: str, path: Path) -> None:
    """Convert, write it whole or not at all, and say so."""
    foreign = read_foreign(source)
    for name, digest in foreign.sha256.items():
        if digest != digests[name]:
            verified(source.with_name(name))
            raise WeightsError(f"{weights} changed while it was read; try again")
    found = _recognize(foreign, weights)
    try:
        conversion = convert_foreign(foreign)
    except WeightsError as error:
        raise WeightsError(f"{weights} cannot be converted: {error}") from error
    save_checkpoint(path, conversion.model, conversion.header)
    _log.warning("%s", _line(conversion, found, weights, path))


def _recognize(foreign, weights: str) -> Recognized:
    """What the checkpoint is. Raises `WeightsError` where that leaves something open."""
    try:
        found = recognize(foreign)
    except ForeignWeightsError as error:
        raise ForeignWeightsError(
            f"{weights} is neither a checkpoint of dsflash_ros nor a segmenter in a layout "
            f"that can be converted ({foreign.path})"
        ) from error
    if found.needs:
        reasons = " and ".join(need.reason for need in found.needs)
        raise WeightsError(
            f"{weights} ({found.layout}) has to be converted by hand, because {reasons}: "
            f"{found.command(weights)}"
        )
    return found


def _line(conversion: Conversion, found: Recognized, weights: str, path: Path) -> str:
    config = conversion.header.config
    line = (
        f"converted {weights} ({found.layout}; {config.size or config.backbone}, "
        f"{config.image_size} pixels, "
        f"{config.num_classes} classes) to {path}, which is used from now on; "
        "it has no trained relation stage"
    )
    return "; ".join((line, *conversion.notes))


def _key(source: Path, digests: dict[str, str]) -> str:
    """SHA-256 over all that the conversion reads: the tensors' files and config.json."""
    key = hashlib.sha256("".join(digests.values()).encode())
    config = source.with_name("config.json")
    if config.is_file():
        key.update(config.read_bytes())
    return key.hexdigest()


def _digest(file: Path) -> str:
    """The SHA-256 of a file's content; a file in the hub's cache is named by it."""
    content = file.resolve()
    if content.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", content.name):
        return content.name
    try:
        return sha256_of(file)
    except OSError as error:
        raise WeightsError(
            f"the checkpoint is incomplete: cannot read {str(file)!r} ({error.strerror}); "
            "get it again"
        ) from error
