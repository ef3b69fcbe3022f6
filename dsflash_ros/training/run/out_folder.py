"""The folder of a run: making it, keeping other runs out, checking what is to be resumed."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from dsflash_ros.errors import ConfigError, OutputError
from dsflash_ros.files import expand, replacing
from dsflash_ros.training.configuration import BaseRunConfig
from dsflash_ros.training.configuration_files import dump_config
from dsflash_ros.training.run.saving import SCORES, STATE

CONFIG, LOCK = "config.yaml", ".lock"

MAY_DIFFER = {"out", "workers", "device", "feature_cache", "pairs_at_once"}
"""Settings that may change when a run is resumed: they change how it is computed, not what."""

PATHS = {"dataset", "images", "masks", "segmenter", "start", "diffusion", "image_encoder"}
"""Settings that mean the same when they lead to the same place."""


@contextmanager
def run_folder(
    config: BaseRunConfig, resume: bool, is_first_process: bool = True, state: str = STATE
) -> Iterator[Path | None]:
    """Make the run's folder and write its configuration there.

    Gives the path of the state to resume from, or None. Only the first of a run's processes writes;
    it keeps other runs out until the block ends. `state`: the name of what a run goes on from.

    Raises:
        ConfigError: the folder holds a run already, or another is at work in it; or there is none
            to resume, or it was configured otherwise.
        OutputError: the folder cannot be written.
    """
    out = expand(config.out)
    state = out / state
    if resume and not state.is_file():
        raise ConfigError(
            f"there is nothing to resume in {out}: no {state.name}; start without --resume"
        )
    if resume:
        _refuse_changes(out / CONFIG, config)
    if not is_first_process:
        yield state if resume else None
        return
    if not resume and state.exists():
        raise ConfigError(
            f"{out} holds a run already; go on with it by --resume, or choose another out=..."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / LOCK).open("w")
    except OSError as error:
        raise OutputError(f"cannot use the folder {out}: {error.strerror or error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"another run is at work in {out}; choose another out=...") from None
        if not resume:
            (out / SCORES).unlink(missing_ok=True)  # of a start that came to nothing
        with replacing(out / CONFIG) as partial:
            partial.write_text(dump_config(config))
        yield state if resume else None


def _refuse_changes(kept: Path, config: BaseRunConfig) -> None:
    try:
        before = yaml.safe_load(kept.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read how the run was configured, {kept}: {error}") from error
    if not isinstance(before, dict):
        raise ConfigError(f"{kept} is no configuration; the run cannot be resumed")
    now = config.model_dump(mode="json")
    # A setting that the version that began the run did not know had its default.
    fields = type(config).model_fields.items()
    before = {name: field.default for name, field in fields if not field.is_required()} | before
    changed = [
        key for key in now if key not in MAY_DIFFER and not _same(key, before.get(key), now[key])
    ]
    if changed:
        told = ", ".join(f"{key} was {before.get(key)!r}, now {now[key]!r}" for key in changed)
        raise ConfigError(
            f"a run goes on as it was configured, but {told}; start anew in another out=..."
        )


def _same(key: str, before, now) -> bool:
    if key in PATHS and before and now:
        return expand(before).resolve() == expand(now).resolve()
    return before == now
