"""Checkpoints by name: those of the package, and those of the hub (huggingface.co or HF_ENDPOINT),
kept in the user's cache (HF_HOME).

huggingface_hub speaks the protocol and lays out its cache. The download itself is ours in one
respect: what an interruption left is kept and continued, and only a file whose checksum is right
enters the cache.
"""

import errno
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from dsflash_ros.conversion.checkpoint_files import FILE_NAMES, hash_file, sha256_of, shard_files
from dsflash_ros.errors import DSFlashError, OutputError, WeightsError
from dsflash_ros.files import expand
from dsflash_ros.weights.shipped import SHIPPED

_HUB_ID = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")
_FILE_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)


def resolve(weights: str | Path) -> Path:
    """The file that `weights` means: of a name in `SHIPPED`, a path, or a hub id `org/name` or
    `org/name@revision`.

    What is in the cache is used without asking the hub. Paths that do not exist are returned as
    they are. Raises `WeightsError` when the hub has no such checkpoint of ours, or cannot be
    reached.
    """
    path = locate(weights)
    if path != expand(weights) and path not in SHIPPED.values():
        from dsflash_ros.model.checkpoints import (
            read_header,
        )  # imports torch, which downloading needs not

        try:
            read_header(path)
        except WeightsError as error:
            raise WeightsError(
                f"{weights} is no checkpoint of dsflash_ros ({error}); if it is an EoMT, convert it: "
                f"dsflash weights convert {weights} --out NEW.safetensors"
            ) from error
    return path


def locate(weights: str | Path) -> Path:
    """The file of a name in `SHIPPED`; a path as it is; the main file of a hub id, from the cache,
    else downloaded.

    See `resolve` and `fetch`.
    """
    if str(weights) in SHIPPED:
        return SHIPPED[str(weights)]
    path, hub_id = expand(weights), _HUB_ID.fullmatch(str(weights))
    if path.exists() or hub_id is None or path.suffix in _FILE_SUFFIXES:
        return path
    cached = _first(lambda name: _cached(hub_id["repo"], name, hub_id["revision"]), FILE_NAMES)
    if cached and all(file.exists() for file in _parts(cached)):
        return cached
    return fetch(hub_id["repo"], revision=hub_id["revision"])


def fetch(
    repo_id: str, file: str | None = None, revision: str | None = None, sha256: str | None = None
) -> Path:
    """Download a checkpoint, or use the cache where the hub cannot be reached; every file is
    checked.

    Args:
        repo_id: `org/name`.
        file: what to get; None: the first of `FILE_NAMES` that is there, with its shards and
            config.json.
        revision: branch, tag or commit; None: main.
        sha256: what the file must have, beyond what the hub itself says.

    Returns the path of the file in the cache.
    Raises `WeightsError` when it cannot be had or is wrong, `OutputError` when the disk is full or
    not writable.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise WeightsError(f"{sha256!r} is no SHA-256, which is 64 hexadecimal digits")
    hub = _hub()
    try:
        hub.utils.validate_repo_id(repo_id)
    except ValueError as error:
        raise WeightsError(
            f"{repo_id!r} is no hub id, which is ORG/NAME of letters, digits and .-_"
        ) from error
    found = _first(
        lambda name: _fetch_file(repo_id, name, revision), (file,) if file else FILE_NAMES
    )
    if found is None:
        wanted = file or f"none of {', '.join(FILE_NAMES)}"
        what = f"no file {wanted}" if file else f"{wanted}; name a file of it with --file"
        raise WeightsError(f"{repo_id} on the hub has {what}")
    for part in _parts(found):
        if _fetch_file(repo_id, part.name, revision) is None:
            raise WeightsError(
                f"{repo_id} on the hub is incomplete: {found.name} names {part.name}, which is missing"
            )
    if found.name in FILE_NAMES:
        _fetch_file(
            repo_id, "config.json", revision
        )  # says what the tensors do not; not every repository has it
    if sha256 is not None:
        _check_sha256(found, sha256)
    return found


def _parts(found: Path) -> list[Path]:
    return shard_files(found) if found.name.endswith(".index.json") else []


def _first(get: Callable[[str], Path | None], names: tuple[str, ...]) -> Path | None:
    return next((path for path in map(get, names) if path), None)


def _fetch_file(repo_id: str, name: str, revision: str | None) -> Path | None:
    """The file in the cache, None when the hub has no file of that name."""
    hub = _hub()
    try:
        metadata = hub.get_hf_file_metadata(hub.hf_hub_url(repo_id, name, revision=revision))
    except hub.errors.EntryNotFoundError:
        return None
    except Exception as error:  # the hub's client raises those of several HTTP libraries
        cached = _cached(repo_id, name, revision)
        if cached is None and any(_cached(repo_id, other, revision) for other in FILE_NAMES):
            return None  # without network: the repository is here, and had no such file
        if cached is None:
            raise _explain(error, repo_id, revision) from error
        return _verified(cached)
    if not (
        re.fullmatch(r"\w[\w-]*", metadata.etag or "") and metadata.commit_hash
    ):  # the ETag becomes a file name
        raise WeightsError(
            f"{hub.constants.ENDPOINT} does not answer as a hub does; a proxy or a login page may stand in between"
        )
    is_new = _cached(repo_id, name, metadata.commit_hash) is None
    try:
        if is_new:
            _download(repo_id, name, metadata)
        # finds the content in its place, and adds what the cache needs beside it
        path = Path(hub.hf_hub_download(repo_id, name, revision=revision))
    except DSFlashError:
        raise
    except Exception as error:
        raise _explain(error, repo_id, revision) from error
    return path if is_new else _verified(path)


def _download(repo_id: str, name: str, metadata) -> None:
    """Put a file's content where the cache keeps it, continuing what an earlier try left."""
    from filelock import FileLock
    from huggingface_hub.file_download import http_get, repo_folder_name
    from huggingface_hub.utils import build_hf_headers

    hub = _hub()
    cache, folder = (
        Path(hub.constants.HF_HUB_CACHE),
        repo_folder_name(repo_id=repo_id, repo_type="model"),
    )
    blob = cache / folder / "blobs" / metadata.etag
    partial, lock = (
        blob.with_name(f"{blob.name}.incomplete"),
        cache / ".locks" / folder / f"{blob.name}.lock",
    )
    for parent in (blob.parent, lock.parent):
        parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        if blob.exists():
            return
        url = hub.hf_hub_url(repo_id, name, revision=metadata.commit_hash)
        with partial.open("ab") as file:
            if metadata.size is not None and file.tell() > metadata.size:
                file.truncate(0)
            while True:
                done = file.seek(0, os.SEEK_END)
                try:
                    http_get(
                        url,
                        file,
                        resume_size=done,
                        headers=build_hf_headers(),
                        expected_size=metadata.size,
                    )
                    break
                except Exception:
                    if file.seek(0, os.SEEK_END) <= done:
                        raise  # else more has come than at the last try, and it is worth another
        if not _is_right(partial, metadata.etag):
            partial.unlink()
            raise WeightsError(
                f"{name} of {repo_id} arrived damaged (its checksum is not the hub's) and was thrown away; try again"
            )
        partial.replace(blob)


def _is_right(path: Path, etag: str) -> bool:
    """Whether a file's content is what its name in the cache says: large files have a SHA-256,
    small ones git's.
    """
    if re.fullmatch("[0-9a-f]{64}", etag):
        return sha256_of(path) == etag
    if re.fullmatch("[0-9a-f]{40}", etag):
        return hash_file(path, hashlib.sha1(b"blob %d\0" % path.stat().st_size)) == etag
    return True  # not a hub that names content by its hash


def _verified(path: Path) -> Path:
    if not _is_right(path, path.resolve().name):
        _remove(path)
        raise WeightsError(f"{path} was damaged in the cache and is thrown away now; try again")
    return path


def _check_sha256(path: Path, expected: str) -> None:
    found = sha256_of(path)
    if found != expected.lower():
        _remove(path)
        raise WeightsError(
            f"{path.name} has SHA-256 {found}, not {expected.lower()}: it is another file than you expect, "
            "and is thrown away"
        )


def _remove(path: Path) -> None:
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _cached(repo_id: str, name: str, revision: str | None) -> Path | None:
    found = _hub().try_to_load_from_cache(repo_id, name, revision=revision)
    return Path(found) if isinstance(found, str) else None


def _explain(error: Exception, repo_id: str, revision: str | None) -> DSFlashError:
    """One sentence for whatever went wrong on the way to the hub."""
    hub = _hub()
    if isinstance(error, hub.errors.GatedRepoError):
        return WeightsError(
            f"{repo_id} is only for those who accepted its terms: do so on {hub.constants.ENDPOINT}/{repo_id}, "
            "log in with `hf auth login` or set HF_TOKEN, and try again"
        )
    if isinstance(error, hub.errors.RepositoryNotFoundError):
        return WeightsError(
            f"the hub has no {repo_id}, or it is private: check the name, or log in with `hf auth login`; "
            "a file on this machine is given as a path, such as ./name"
        )
    if isinstance(error, hub.errors.RevisionNotFoundError):
        return WeightsError(f"{repo_id} on the hub has no revision {revision!r}")
    number = getattr(error, "errno", None)
    if number in _NO_SPACE:
        return OutputError(
            f"the disk is full: {repo_id} does not fit in {hub.constants.HF_HUB_CACHE}; make room and try again, "
            "the download continues where it stopped (HF_HOME chooses another place)"
        )
    if number in _NO_ACCESS:
        return OutputError(
            f"cannot write to {hub.constants.HF_HUB_CACHE} ({error}); HF_HOME chooses another place"
        )
    if isinstance(error, hub.errors.OfflineModeIsEnabled):
        return WeightsError(
            f"{repo_id} is not in the cache, and HF_HUB_OFFLINE forbids to download it"
        )
    reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
    return WeightsError(
        f"cannot get {repo_id} from {hub.constants.ENDPOINT} ({reason}): check the network and the proxy settings "
        "(HTTPS_PROXY, NO_PROXY) and try again, a download continues where it stopped"
    )


def _hub():
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError as error:
        raise WeightsError(
            "downloading needs huggingface_hub, which is not installed: pip install huggingface_hub, "
            "or give the path of a file"
        ) from error
    return huggingface_hub
