"""One file of the hub, from the cache or downloaded into it.

huggingface_hub speaks the protocol and lays out its cache. Two things are ours: a download that was
interrupted is kept and continued, and only a file whose checksum is right enters the cache.
"""

import hashlib
import os
import re
from pathlib import Path

from dsflash_ros.conversion.checkpoint_files import FILE_NAMES, hash_file, sha256_of
from dsflash_ros.errors import DSFlashError, WeightsError
from dsflash_ros.weights.hub_client import explain, hub_client


def fetch_file(repo_id: str, name: str, revision: str | None) -> Path | None:
    """The path of a file in the cache, downloaded where needed. None: the hub has no such file.

    Where the hub cannot be reached, the file in the cache is used. Its checksum is compared.
    Raises `WeightsError`, `OutputError`.
    """
    hub = hub_client()
    try:
        metadata = hub.get_hf_file_metadata(hub.hf_hub_url(repo_id, name, revision=revision))
    except hub.errors.EntryNotFoundError:
        return None
    except Exception as error:  # the hub's client raises those of several HTTP libraries
        return _without_hub(repo_id, name, revision, error)
    # The ETag becomes a file name.
    if not (re.fullmatch(r"\w[\w-]*", metadata.etag or "") and metadata.commit_hash):
        raise WeightsError(
            f"{hub.constants.ENDPOINT} does not answer as a hub does; "
            "a proxy or a login page may stand in between"
        )
    is_new = cached_file(repo_id, name, metadata.commit_hash) is None
    try:
        if is_new:
            path = _enter(repo_id, name, revision, metadata)
        else:
            path = verified(Path(hub.hf_hub_download(repo_id, name, revision=revision)))
    except DSFlashError:
        raise
    except Exception as error:
        raise explain(error, repo_id, revision) from error
    return path


def _without_hub(repo_id: str, name: str, revision: str | None, error: Exception) -> Path | None:
    """The file in the cache. None: the repository is in the cache and has no such file."""
    cached = cached_file(repo_id, name, revision)
    if cached:
        return verified(cached)
    if any(cached_file(repo_id, other, revision) for other in FILE_NAMES):
        return None
    raise explain(error, repo_id, revision) from error


def cached_file(repo_id: str, name: str, revision: str | None) -> Path | None:
    """The path of a file in the cache, None where it is not there."""
    found = hub_client().try_to_load_from_cache(repo_id, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _enter(repo_id: str, name: str, revision: str | None, metadata) -> Path:
    """Bring a file into the cache, one process after the other; returns its path there."""
    from filelock import FileLock
    from huggingface_hub.file_download import repo_folder_name

    hub = hub_client()
    cache = Path(hub.constants.HF_HUB_CACHE)
    folder = repo_folder_name(repo_id=repo_id, repo_type="model")
    blob = cache / folder / "blobs" / metadata.etag
    locks = cache / ".locks" / folder
    for parent in (blob.parent, locks):
        parent.mkdir(parents=True, exist_ok=True)
    # The hub's client removes and makes again a link that another process has made meanwhile: a
    # process that reads there must not see it missing. Its own lock is of the content alone.
    with FileLock(locks / f"{blob.name}.{metadata.commit_hash}.lock"):
        with FileLock(locks / f"{blob.name}.lock"):
            if not blob.exists():
                _download(blob, repo_id, name, metadata)
        # finds the content in its place, and adds what the cache needs beside it
        return Path(hub.hf_hub_download(repo_id, name, revision=revision))


def _download(blob: Path, repo_id: str, name: str, metadata) -> None:
    """Put a file's content where the cache keeps it, continuing what an earlier try left."""
    partial = blob.with_name(f"{blob.name}.incomplete")
    url = hub_client().hf_hub_url(repo_id, name, revision=metadata.commit_hash)
    _append(partial, url, metadata.size)
    if not _is_right(partial, metadata.etag):
        partial.unlink()
        raise WeightsError(
            f"{name} of {repo_id} arrived damaged (its checksum is not the hub's) "
            "and was thrown away; try again"
        )
    partial.replace(blob)


def _append(partial: Path, url: str, size: int | None) -> None:
    """Download what a file lacks; tries again as long as each try brings something."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    with partial.open("ab") as file:
        if size is not None and file.tell() > size:
            file.truncate(0)
        while True:
            done = file.seek(0, os.SEEK_END)
            try:
                headers = build_hf_headers()
                http_get(url, file, resume_size=done, headers=headers, expected_size=size)
                return
            except Exception:
                if file.seek(0, os.SEEK_END) <= done:
                    raise


def verified(path: Path) -> Path:
    """The path of a file in the cache whose content is what its name there says.

    Raises `WeightsError` where it is not, and throws the file away.
    """
    if not _is_right(path, path.resolve().name):
        _remove(path)
        raise WeightsError(f"{path} was damaged in the cache and is thrown away now; try again")
    return path


def _is_right(path: Path, etag: str) -> bool:
    """Whether a file's content has the checksum that names it in the cache.

    That is a SHA-256 for large files, git's SHA-1 for small ones.
    """
    if re.fullmatch("[0-9a-f]{64}", etag):
        return sha256_of(path) == etag
    if re.fullmatch("[0-9a-f]{40}", etag):
        return hash_file(path, hashlib.sha1(b"blob %d\0" % path.stat().st_size)) == etag
    return True  # not a hub that names content by its hash


def check_sha256(path: Path, expected: str) -> None:
    """Raise `WeightsError`, and throw the file away, unless it has that SHA-256."""
    found = sha256_of(path)
    if found != expected.lower():
        _remove(path)
        raise WeightsError(
            f"{path.name} has SHA-256 {found}, not {expected.lower()}: "
            "it is another file than you expect, and is thrown away"
        )


def _remove(path: Path) -> None:
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
