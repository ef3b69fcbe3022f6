"""What `weights` can be: a name of the package's, a path, or the id of a repository on the hub.

Imports no torch.
"""

import re
from pathlib import Path

from dsflash_ros.files import expand
from dsflash_ros.weights.hub import cached_checkpoint, fetch
from dsflash_ros.weights.shipped import SHIPPED

_HUB_ID = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")
_FILE_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl")


def is_here(weights: str | Path) -> bool:
    """Whether `locate` would download nothing."""
    hub_id = _hub_id(weights)
    return hub_id is None or cached_checkpoint(*hub_id) is not None


def locate(weights: str | Path) -> Path:
    """The file or folder that `weights` means.

    A name in `SHIPPED` is looked up first, then the path; what is neither, and looks like a hub id
    `org/name` or `org/name@revision`, is taken from the hub's cache, else downloaded. A path that
    does not exist is returned as it is.

    Raises `WeightsError` and `OutputError` as `fetch` does.
    """
    if str(weights) in SHIPPED:
        return SHIPPED[str(weights)]
    hub_id = _hub_id(weights)
    if hub_id is None:
        return expand(weights)
    repo_id, revision = hub_id
    return cached_checkpoint(repo_id, revision) or fetch(repo_id, revision=revision)


def _hub_id(weights: str | Path) -> tuple[str, str | None] | None:
    """Repository and revision; None for names in `SHIPPED` and for what looks like a path."""
    path, found = expand(weights), _HUB_ID.fullmatch(str(weights))
    if path.exists() or found is None or path.suffix in _FILE_SUFFIXES:
        return None
    return found["repo"], found["revision"]
