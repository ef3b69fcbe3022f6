"""Bags and results where fsspec reaches: on this machine, in S3, in Google's cloud."""

import glob
import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import fsspec

from dsflash_ros.errors import DSFlashError, OutputError, SourceError, first_line
from dsflash_ros.files import expand, write_whole
from dsflash_ros.ros.replay.part import BAG, LINES
from dsflash_ros.ros.replay.parts import SETTINGS

_MAGIC = "*?["

AT_ONCE = 16
"""Requests to a storage."""

_VERSIONS = ("ETag", "etag", "md5Hash", "mtime")
"""What storages call that which changes with a file's content."""


def local_path(place: str) -> Path | None:
    """The path of a place that is on this machine, which `file://` may say; None for other URLs.

    It is absolute, as other processes have other working folders.
    """
    if "://" not in place:
        return expand(place).absolute()
    scheme, _, path = place.partition("://")
    return Path(path).absolute() if scheme in ("file", "local") else None


def matching(pattern: str) -> list[tuple[str, str]]:
    """The places that a path or URL with wildcards means, and their names below its fixed part.

    `drives/*/front.mcap` gives `("drives/1/front.mcap", "1/front.mcap")`. A place without wildcards
    gives itself, whether it is there or not.

    Raises `SourceError` when nothing matches or the storage cannot be reached.
    """
    local = local_path(pattern)
    if not any(sign in pattern for sign in _MAGIC) or (local and local.exists()):
        name = local.resolve().name if local else PurePosixPath(pattern).name
        return [(str(local or pattern.rstrip("/")), name)]
    if local:
        whole, found = str(local), sorted(glob.glob(str(local), recursive=True))
    else:
        with reaching(pattern):
            system, _ = _open(pattern)
            whole = system.unstrip_protocol(system._strip_protocol(pattern))
            found = sorted(system.unstrip_protocol(path) for path in system.glob(pattern))
    if not found:
        raise SourceError(f"no bag matches {pattern}")
    first = min(whole.index(sign) for sign in _MAGIC if sign in whole)
    root = whole[:first].rpartition("/")[0]
    return [(place, place[len(root) :].strip("/")) for place in found]


def version(url: str) -> str:
    """What changes when a file or folder does: names, sizes and the storage's own checksums.

    Raises `SourceError` when nothing is there.
    """
    with reaching(url):
        system, path = _open(url)
        found = system.find(path, detail=True)
        if not found:
            raise FileNotFoundError(url)
        about = [
            [name[len(path) :], one["size"], str([one.get(key) for key in _VERSIONS])]
            for name, one in sorted(found.items())
        ]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]


def fetch(url: str, folder: Path) -> Path:
    """Copy a file or folder into a folder of this machine. What is there whole already stays."""
    target, partial = folder / PurePosixPath(url).name, folder / ".fetched"
    if target.exists():
        return target
    with reaching(url):
        system, path = _open(url)
        for source in system.find(path):
            copy = partial / source[len(path) :].lstrip("/") if source != path else partial
            copy.parent.mkdir(parents=True, exist_ok=True)
            system.get_file(source, str(copy))
        partial.rename(target)
    return target


def read_files(places: Iterable[str]) -> dict[str, bytes]:
    """What is in files of one storage; those that are not there are left out.

    Raises `OutputError` when the storage cannot be reached.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        places = list(places)
        found = dict(zip(places, pool.map(_content, places), strict=True))
    return {place: content for place, content in found.items() if content is not None}


def _content(place: str) -> bytes | None:
    """Of one file; None where it is not there."""
    with reaching(place, OutputError):
        system, path = _open(place)
        try:
            return system.cat_file(path)  # not `cat`, which takes x[1] for a pattern
        except FileNotFoundError:
            return None


def read_notes(folders: Iterable[str]) -> dict[str, dict | OutputError]:
    """What the `replay.json` of folders say, or that one is damaged; those without are left out.

    Raises `OutputError` when the storage cannot be reached.
    """
    notes: dict[str, dict | OutputError] = {}
    for file, content in read_files(f"{folder}/{SETTINGS}" for folder in folders).items():
        folder = file.removesuffix(f"/{SETTINGS}")
        try:
            notes[folder] = dict(json.loads(content))
        except (ValueError, TypeError):
            notes[folder] = OutputError(
                f"{file} cannot be read: give another --out, or --overwrite"
            )
    return notes


def write_text(place: str, text: str) -> None:
    """Write a file whole, and the folders that it is in.

    Raises `OutputError` when that is not possible.
    """
    path = local_path(place)
    if path is None:
        with reaching(place, OutputError):
            system, inside = _open(place)
            system.pipe_file(inside, text.encode())
        return
    write_whole(path, text)


def check_writable(folder: str) -> None:
    """Write an empty file to a storage and remove it.

    Raises `OutputError` when that is not possible. Folders of this machine are not tried.
    """
    if local_path(folder):
        return
    with reaching(folder, OutputError):
        system, path = _open(folder)
        probe = f"{path}/.dsflash_is_this_writable"
        system.pipe_file(probe, b"")
        system.rm_file(probe)


def check_is_replay(url: str) -> None:
    """Raise `OutputError` when files are there that no replay has written."""
    with reaching(url, OutputError):
        system, path = _open(url)
        found = {name[len(path) :].strip("/") for name in system.find(path)}
    if found and SETTINGS not in found:
        raise OutputError(f"{url} is there already and is no replay: give another --out")


def upload(folder: Path, url: str) -> None:
    """Copy a finished replay into a storage. `replay.json` says "complete" when all else is there.

    Raises `OutputError` when that is not possible.
    """
    note = json.loads((folder / SETTINGS).read_text())
    files = [folder / LINES, *sorted((folder / BAG).iterdir())]
    with reaching(url, OutputError):
        system, path = _open(url)
        _put_note(system, path, {**note, "complete": False})
        for file in system.find(f"{path}/{BAG}"):  # of an attempt with other settings
            system.rm_file(file)  # not `rm`, which takes x[1] for a pattern
        for file in files:
            system.put_file(str(file), f"{path}/{file.relative_to(folder)}")
        _put_note(system, path, note)


def _put_note(system, path: str, note: dict) -> None:
    system.pipe_file(f"{path}/{SETTINGS}", (json.dumps(note, indent=2) + "\n").encode())


def _open(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The storage of a URL, and the path in it. What others write there is seen at once."""
    system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return system, path.rstrip("/")


@contextmanager
def reaching(url: str, kind: type[DSFlashError] = SourceError) -> Iterator[None]:
    """Turn what storages raise into an error of that kind."""
    try:
        yield
    except DSFlashError:
        raise
    except FileNotFoundError as error:
        raise kind(f"{url} is not there") from error
    except Exception as error:  # each storage has its own
        reason = getattr(error, "strerror", None) or first_line(error)
        raise kind(f"{url} cannot be reached: {reason}") from error
