"""Render rooms to a data set in the format of PSG, with depth and cameras.

`dataset_folder` describes the files.
"""

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2

from dsflash_ros.files import expand
from dsflash_ros.progress_bar import progress
from dsflash_ros.text_tables import counted
from dsflash_ros.toyroom.camera.dataset_folder import (
    Settings,
    claimed,
    read_scenes,
    write_index,
    write_scene,
)
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.camera.shots import render_shots
from dsflash_ros.toyroom.physics.processes import in_processes
from dsflash_ros.toyroom.physics.simulation import Simulation


@dataclass(frozen=True)
class Rendered:
    """What `render_dataset` did.

    Attributes:
        scenes, images: numbers of scenes and images that were asked for.
        found: how many of these images were there already.
        kept: how many of these images stay in another split than was asked for.
        thrown_away: how many rooms did not settle and were replaced by others.
        seconds: how long it took to render the rest.
    """

    scenes: int
    images: int
    found: int
    kept: int
    thrown_away: int
    seconds: float

    def report(self) -> str:
        """Say it in one line."""
        new = self.images - self.found
        speed = ""
        if new:
            speed = f" in {self.seconds / 60:.1f} minutes ({new / self.seconds:.1f} images/s)"
        kept = ""
        if self.kept:
            stay = "stays in the split it was" if self.kept == 1 else "stay in the split they were"
            kept = f"; {counted(self.kept, 'image')} of before {stay} made for"
        return (
            f"{counted(self.scenes, 'scene')}, {counted(self.images, 'image')}: "
            f"{self.found} were there, {new} rendered{speed}; "
            f"{counted(self.thrown_away, 'room')} thrown away for not settling{kept}"
        )


def render_dataset(
    directory: str | Path,
    settings: Settings,
    scenes: int,
    first: int = 0,
    split: str = "train",
    test_share: float = 0.0,
    workers: int = 1,
) -> Rendered:
    """Render the scenes that are not in the folder yet, and list all that it has in `psg.json`.

    The scenes are `first` to `first + scenes - 1`; those that are there keep their split. The same
    settings give the same bytes on the same machine, with any number of workers. What was rendered
    before an interrupt or an error stays, and the next call goes on from there.

    Args:
        directory: folder of the data set; created if necessary.
        settings: what determines the images.
        scenes: number of scenes, at least 1.
        first: number of the first scene.
        split: "train", "val" or "test".
        test_share: 0 to 1, share of the scenes, evenly spread, that go into the split "test"
            instead.
        workers: number of processes, at least 1.

    Raises:
        OutputError: the folder cannot be written, belongs to other settings or to another data
            set, or another run is writing to it.
        ToyroomError: the machine cannot render, or a process was killed.
    """
    directory = expand(directory)
    numbers = range(first, first + scenes)
    # on a machine that cannot render, this raises before the folder is created
    Renderer(Simulation([]), settings.width, settings.height).close()
    splits = {number: _split_of(number, split, test_share) for number in numbers}
    with claimed(directory, settings):
        done = read_scenes(directory, settings)
        for number, scene in done.items():  # one of an earlier version may say none
            scene.setdefault("split", _split_of(number, split, test_share))
        there = [number for number in numbers if number in done]
        kept = [number for number in there if done[number]["split"] != splits[number]]
        missing = [
            (directory, settings, number, splits[number])
            for number in numbers
            if number not in done
        ]
        found = _count_images(done, there)
        start = time.perf_counter()
        if missing:
            with closing(in_processes(_render_scene, missing, min(workers, len(missing)))) as new:
                done.update(progress(new, "rendering", scenes, "scene", before=len(there)))
        seconds = time.perf_counter() - start
        write_index(directory, done)
    thrown_away = sum(done[number]["thrown_away"] for number in numbers)
    images = _count_images(done, numbers)
    return Rendered(scenes, images, found, _count_images(done, kept), thrown_away, seconds)


def _split_of(number: int, split: str, test_share: float) -> str:
    """The split of a scene that is new."""
    is_test = int((number + 1) * test_share) > int(number * test_share)
    return "test" if is_test else split


def _render_scene(directory: Path, settings: Settings, number: int, split: str) -> tuple[int, dict]:
    """Render and write one scene; runs in a process of its own. Returns its number and its file."""
    cv2.setNumThreads(1)
    shots, thrown_away = render_shots(
        settings.seed, number, settings.views, settings.width, settings.height
    )
    return number, write_scene(directory, settings, number, split, shots, thrown_away)


def _count_images(scenes: dict[int, dict], numbers: Iterable[int]) -> int:
    return sum(len(scenes[number]["images"]) for number in numbers)
