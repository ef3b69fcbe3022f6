"""Rendered rooms as a data set in the format of PSG, with depth and cameras.

    psg.json, images/ID.jpg, panoptic/ID.png    as PSG has them, see `dsflash_ros.data.psg`
    depth/ID.png                                16 bit, millimetres along the optical axis; 0 where
    nothing is cameras.jsonl                               a line an image, see `camera_line`
    scenes/SEED_SCENE.json                      written last of a scene: it is done, and that is
    what was made of it world.json                                  the settings, which stay the
    same in a folder

An image's ID is SEED_SCENE_VIEW, so that sets of different seeds can be put together.
"""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from dsflash_ros.data.psg_writer import PsgWriter
from dsflash_ros.errors import OutputError
from dsflash_ros.files import expand, replacing
from dsflash_ros.text_tables import counted
from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Camera
from dsflash_ros.toyroom.camera.rendering import Renderer
from dsflash_ros.toyroom.camera.shots import render_views
from dsflash_ros.toyroom.physics.processes import in_processes
from dsflash_ros.toyroom.physics.simulation import Simulation


@dataclass(frozen=True)
class Settings:
    """What images of a data set follow from, besides the number of their scene: size in pixels,
    views of each room.
    """

    seed: int
    views: int = 1
    width: int = 640
    height: int = 480


@dataclass(frozen=True)
class Rendered:
    """What a rendering did.

    Attributes:
        scenes, images: of the data set.
        found: how many of its images were there already.
        thrown_away: rooms that did not settle, for which others were taken.
        seconds: that rendering the others took.
    """

    scenes: int
    images: int
    found: int
    thrown_away: int
    seconds: float

    def report(self) -> str:
        """In one line."""
        new = self.images - self.found
        speed = (
            f" in {self.seconds / 60:.1f} minutes ({new / self.seconds:.1f} images/s)"
            if new
            else ""
        )
        what = f"{counted(self.scenes, 'scene')}, {counted(self.images, 'image')}: {self.found} were there"
        return f"{what}, {new} rendered{speed}; {counted(self.thrown_away, 'room')} thrown away for not settling"


def render_dataset(
    directory: str | Path,
    settings: Settings,
    scenes: int,
    first: int = 0,
    split: str = "train",
    test_share: float = 0.0,
    workers: int = 1,
) -> Rendered:
    """Render scenes `first` to `first + scenes - 1`, those that are not in the folder yet, and list
    them in `psg.json`.

    The same settings give the same bytes on the same machine, however many `workers`, processes,
    share the work. What was done before an interrupt or an error stays, and is found by the next
    call.

    Args:
        directory: made where it is not there.
        settings: of the images.
        scenes: at least 1.
        first: number of the first scene.
        split: "train", "val" or "test".
        test_share: 0 to 1, share of the scenes, spread evenly, that is in the split "test" instead.
        workers: at least 1.

    Raises:
        OutputError: the folder cannot be written, or belongs to other settings, another data set,
            or a run at work.
        ToyroomError: the machine cannot render, or a process was killed.
    """
    directory = expand(directory)
    numbers = range(first, first + scenes)
    Renderer(
        Simulation([]), settings.width, settings.height
    ).close()  # fails here, before anything is made, if it must
    with _claimed(directory, settings):
        done = {
            number: scene
            for number in numbers
            if (scene := _read_scene(directory, settings, number))
        }
        found = sum(len(scene["images"]) for scene in done.values())
        calls = [(directory, settings, number) for number in numbers if number not in done]
        start = time.perf_counter()
        if calls:
            with closing(in_processes(_render_scene, calls, min(workers, len(calls)))) as results:
                done.update(
                    tqdm(
                        results, "rendering", scenes, initial=len(done), unit="scene", disable=None
                    )
                )
        seconds = time.perf_counter() - start
        _list(directory, {number: done[number] for number in numbers}, split, test_share)
    images = sum(len(scene["images"]) for scene in done.values())
    thrown_away = sum(scene["thrown_away"] for scene in done.values())
    return Rendered(scenes, images, found, thrown_away, seconds)


def camera_line(image_id: str, camera: Camera) -> dict:
    """A line of `cameras.jsonl`: size in pixels, intrinsics `K` (3x3), and the 4x4 matrix that
    takes points of the camera (x right, y down, z forward, metres) to the world (z up).
    """
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.rotation, camera.position
    return {
        "image_id": image_id,
        "width": camera.width,
        "height": camera.height,
        "K": camera.intrinsics.tolist(),
        "camera_to_world": pose.tolist(),
    }


def _render_scene(directory: Path, settings: Settings, number: int) -> tuple[int, dict]:
    """In a process of its own. The scene's number, and what its file says."""
    cv2.setNumThreads(1)
    writer = PsgWriter(directory, VOCABULARY)
    views, thrown_away = render_views(
        settings.seed, number, settings.views, settings.width, settings.height
    )
    scene = {"thrown_away": thrown_away, "images": [], "cameras": []}
    for index, view in enumerate(views):
        image_id, frame, truth = f"{settings.seed}_{number:06}_{index}", view.frame, view.truth
        record = writer.add(image_id, frame.rgb, truth.labels, truth.class_ids, truth.relations)
        millimetres = np.round(frame.depth * 1000).clip(0, 0xFFFF).astype(np.uint16)
        _write(
            directory / "depth" / f"{image_id}.png", cv2.imencode(".png", millimetres)[1].tobytes()
        )
        scene["images"].append(record)
        scene["cameras"].append(camera_line(image_id, view.camera))
    _write(_scene_path(directory, settings, number), json.dumps(scene).encode())
    return number, scene


def _scene_path(directory: Path, settings: Settings, scene: int) -> Path:
    return directory / "scenes" / f"{settings.seed}_{scene:06}.json"


def _read_scene(directory: Path, settings: Settings, number: int) -> dict | None:
    """What `_render_scene` noted, or None where it is still to be rendered."""
    try:
        scene = json.loads(_scene_path(directory, settings, number).read_bytes())
        names = [
            image[key] for image in scene["images"] for key in ("file_name", "pan_seg_file_name")
        ]
        names += [f"depth/{image['image_id']}.png" for image in scene["images"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return scene if all((directory / name).is_file() for name in names) else None


def _list(directory: Path, scenes: dict[int, dict], split: str, test_share: float) -> None:
    """Write `cameras.jsonl` and, last, `psg.json`."""
    lines = [json.dumps(camera) + "\n" for scene in scenes.values() for camera in scene["cameras"]]
    _write(directory / "cameras.jsonl", "".join(lines).encode())
    with PsgWriter(directory, VOCABULARY) as writer:
        for number, scene in scenes.items():
            is_test = int((number + 1) * test_share) > int(number * test_share)
            for record in scene["images"]:
                writer.collect(record, "test" if is_test else split)


@contextmanager
def _claimed(directory: Path, settings: Settings) -> Iterator[None]:
    """The folder, made, ours alone, and free of half files before and after."""
    try:
        for name in ("depth", "images", "panoptic", "scenes"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        lock = (directory / ".lock").open("w")
    except OSError as error:
        raise OutputError(
            f"cannot write to {directory}: {error.strerror}; choose another folder"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"another run is writing to {directory}; wait for it, or choose another folder"
            ) from None
        _refuse_others(directory, settings)
        _sweep(directory)
        try:
            yield
        finally:
            _sweep(directory)


def _refuse_others(directory: Path, settings: Settings) -> None:
    path = directory / "world.json"
    if not path.exists():
        if (directory / "psg.json").exists():
            raise OutputError(f"{directory} holds another data set: choose another folder")
        _write(path, json.dumps(asdict(settings)).encode())
        return
    try:
        before = Settings(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise OutputError(f"{path} cannot be read ({error}): choose another folder") from error
    if before != settings:
        raise OutputError(
            f"{directory} holds images of {_told(before)}, not of {_told(settings)}: choose another folder"
        )


def _told(settings: Settings) -> str:
    return f"seed {settings.seed}, {settings.width}x{settings.height}, {settings.views} to a scene"


def _sweep(directory: Path) -> None:
    """Remove what killed processes left."""
    for partial in directory.rglob(".*.partial"):
        partial.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(data)
