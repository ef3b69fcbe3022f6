"""The replay of one bag on a machine of a cluster, as a Ray task."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from dsflash_ros.errors import DSFlashError, OutputError
from dsflash_ros.fleet.jobs import Job, known_ends
from dsflash_ros.fleet.model_worker import show_log
from dsflash_ros.fleet.split_maker import SplitMaker
from dsflash_ros.fleet.storage import check_is_replay, fetch, local_path, upload
from dsflash_ros.pipeline.options import Options
from dsflash_ros.ros.replay.recipe import Recipe, Replayed


def replay_job(
    job: Job, recipe: Recipe, options: Options, workers: Sequence, most_ranges: int
) -> Replayed | DSFlashError:
    """Read the images, have the workers look at them, track and write.

    A bag at a URL is copied to this machine first; results for a URL are made on this machine and
    uploaded when they are whole. `workers`, `options` and `most_ranges` are as of `SplitMaker`.

    Returns how it ended; what is wrong with the bag is returned, not raised.
    """
    show_log()
    maker = SplitMaker(workers, options, most_ranges)
    bag, folder = local_path(job.bag), local_path(job.folder)
    try:
        if bag and folder:
            return recipe.replay(maker, bag, folder, job.about)
        with scratch(job) as own:
            return _replay_remote(job, recipe, maker, own)
    except DSFlashError as problem:
        return problem


def _replay_remote(job: Job, recipe: Recipe, maker: SplitMaker, own: Path) -> Replayed:
    folder = local_path(job.folder)
    if folder is None:
        if (end := known_ends([job], recipe)[0]) is not None:  # of an attempt that was lost later
            if isinstance(end, DSFlashError):
                raise end
            return end
        check_is_replay(job.folder)
    bag = local_path(job.bag) or fetch(job.bag, own)
    end = recipe.replay(maker, bag, folder or own / "results", job.about)
    if folder is None:
        upload(own / "results", job.folder)
    return end


@contextmanager
def scratch(job: Job) -> Iterator[Path]:
    """A folder on this machine for what a job copies and makes, removed at its end.

    When the process is lost, the next attempt on this machine goes on in it. It is below the
    machine's folder for temporary files (TMPDIR) and nobody else can write it.
    """
    home = Path(tempfile.gettempdir()) / f"dsflash_fleet_{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    about = home.lstat()
    if about.st_uid != os.getuid() or about.st_mode & 0o077 or home.is_symlink():
        raise OutputError(f"{home} is not this user's alone: remove it, or set TMPDIR")
    name = hashlib.sha256(repr((job.bag, job.content, job.folder)).encode()).hexdigest()[:16]
    own = home / name
    with FileLock(home / f"{name}.lock"):
        own.mkdir(exist_ok=True)
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)
