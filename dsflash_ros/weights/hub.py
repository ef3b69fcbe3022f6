"""Checkpoints of the hub (huggingface.co, or HF_ENDPOINT), kept in the user's cache (HF_HOME)."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from dsflash_ros.conversion.checkpoint_files import FILE_NAMES, shard_files
from dsflash_ros.errors import WeightsError
from dsflash_ros.weights.download import cached_file, check_sha256, fetch_file
from dsflash_ros.weights.hub_client import hub_client


def fetch(
    repo_id: str, file: str | None = None, revision: str | None = None, sha256: str | None = None
) -> Path:
    """Download a checkpoint. Where the hub cannot be reached, the cache is used.

    The checksum of every file is compared with the hub's.

    Args:
        repo_id: `org/name`.
        file: what to get. None: the first of `FILE_NAMES` that the repository has, with its shards
            and its config.json.
        revision: branch, tag or commit. None: main.
        sha256: what the file must have, beyond what the hub itself says.

    Returns:
        The path of the file in the cache.

    Raises:
        WeightsError: it cannot be had or is wrong.
        OutputError: the disk is full or not writable.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise WeightsError(f"{sha256!r} is no SHA-256, which is 64 hexadecimal digits")
    try:
        hub_client().utils.validate_repo_id(repo_id)
    except ValueError as error:
        raise WeightsError(
            f"{repo_id!r} is no hub id, which is ORG/NAME of letters, digits and .-_"
        ) from error
    names = (file,) if file else FILE_NAMES
    found = _first(lambda name: fetch_file(repo_id, name, revision), names)
    if found is None:
        what = f"no file {file}" if file else f"none of {', '.join(FILE_NAMES)}; name a file of it"
        raise WeightsError(f"{repo_id} on the hub has {what}{'' if file else ' with --file'}")
    for part in _shards(found):
        if fetch_file(repo_id, part.name, revision) is None:
            raise WeightsError(
                f"{repo_id} on the hub is incomplete: {found.name} names {part.name}, "
                "which is missing"
            )
    if found.name in FILE_NAMES:
        # It says what the tensors do not, such as the image size. Not every repository has it.
        fetch_file(repo_id, "config.json", revision)
    if sha256 is not None:
        check_sha256(found, sha256)
    return found


def fetch_folder(repo_id: str, files: Iterable[str], optional: Iterable[str] = ()) -> Path:
    """Download files of a repository; returns the folder of the cache that they are in.

    Where the hub cannot be reached, the cache is used. Raises as `fetch` does, also when the
    repository lacks one of `files`; those of `optional` may be missing.
    """
    paths = [fetch(repo_id, name) for name in files]
    for name in optional:
        fetch_file(repo_id, name, None)
    return paths[0].parent


def cached_checkpoint(repo_id: str, revision: str | None) -> Path | None:
    """The main file of a checkpoint that is in the cache with all its shards, else None.

    The hub is not asked.
    """
    found = _first(lambda name: cached_file(repo_id, name, revision), FILE_NAMES)
    if found and all(file.exists() for file in _shards(found)):
        return found
    return None


def _shards(found: Path) -> list[Path]:
    return shard_files(found) if found.name.endswith(".index.json") else []


def _first(get: Callable[[str], Path | None], names: Iterable[str]) -> Path | None:
    return next((path for path in map(get, names) if path), None)
