"""Which bags are replayed, where their results go, and what of that is done already."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dsflash_ros.errors import DSFlashError, OutputError
from dsflash_ros.fleet.storage import AT_ONCE, local_path, matching, read_notes, version
from dsflash_ros.pipeline.choice import check_settings
from dsflash_ros.ros.replay.parts import finished_parts
from dsflash_ros.ros.replay.recipe import Recipe, Replayed
from dsflash_ros.sources.bag_names import local_bag, numbered, without_suffix


@dataclass(frozen=True)
class Job:
    """A bag, and the folder for its results: paths on this machine, or URLs.

    Attributes:
        name: of the bag among the others, the last part of `folder`: `drive`, `1/front`.
        content: what changes with the content of a bag at a URL; empty for a path.
        problem: why the bag cannot be read, if that is known already.
    """

    name: str
    bag: str
    folder: str
    content: str = ""
    problem: DSFlashError | None = None

    @property
    def about(self) -> dict[str, str]:
        """Which bag it is, for the notes of its replay."""
        if not self.content:
            return local_bag(Path(self.bag))
        return {"bag": self.bag, "content": self.content}


def find_jobs(patterns: Sequence[str], out: str) -> list[Job]:
    """The bags that paths, URLs and patterns mean, each once.

    A bag's folder in `out` has the bag's name; where a pattern has wildcards in folders, that is
    `1/front` for `drives/*/front.mcap`, so that further bags change no names.

    Raises `SourceError` when a pattern matches nothing, or its storage cannot be reached.
    """
    found: dict[Path | str, tuple[str, str]] = {}
    for pattern in patterns:
        for bag, name in matching(pattern):
            local = local_path(bag)
            # one bag may be given by several paths
            found.setdefault(local.resolve() if local else bag, (bag, without_suffix(name)))
    out = str(local_path(out) or out.rstrip("/"))
    bags = [bag for bag, _ in found.values()]
    names = numbered(name for _, name in found.values())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda name, bag: _job(name, bag, f"{out}/{name}"), names, bags))


def _job(name: str, bag: str, folder: str) -> Job:
    if local_path(bag):
        return Job(name, bag, folder)
    try:
        return Job(name, bag, folder, version(bag))
    except DSFlashError as problem:
        return Job(name, bag, folder, problem=problem)


def known_ends(jobs: Sequence[Job], recipe: Recipe) -> list[Replayed | DSFlashError | None]:
    """How jobs ended or must end, as far as that is known before the bags are read; else None.

    Raises `OutputError` when the storage of the results cannot be reached.
    """
    notes = {} if recipe.overwrite else read_notes(job.folder for job in jobs)
    return [job.problem or _end(job, recipe, notes.get(job.folder)) for job in jobs]


def _end(
    job: Job, recipe: Recipe, note: dict | OutputError | None
) -> Replayed | DSFlashError | None:
    if note is None or isinstance(note, OutputError):
        return note
    if not note.get("complete") and not _began(job.folder):
        return None  # its process was killed before the first part: any settings may follow
    try:
        check_settings(job.folder, note.get("settings", {}), recipe.settings(job.about))
    except OutputError as problem:
        return problem
    return Replayed(was_complete=True) if note.get("complete") else None


def _began(folder: str) -> bool:
    """Whether there is more of an unfinished replay than its note. Storages get only whole ones."""
    local = local_path(folder)
    return local is None or bool(finished_parts(local))
