"""The folder of a rendered data set: its layout, its lock, and the files of its scenes.

    psg.json, images/ID.jpg, panoptic/ID.png   as in the PSG data set, see `dsflash_ros.data.psg`
    depth/ID.png            16 bit, millimetres along the optical axis; 0 where nothing is
    cameras.jsonl           one line per image, see `camera_line`
    scenes/SEED_SCENE.json  what was rendered of a scene, for which split; written last, so that it
                            marks the scene as done
    world.json              the settings, which are the same for all images of a folder
    .lock                   held by the run that writes to the folder

ID is SEED_SCENE_SHOT, so that data sets of different seeds can be merged.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from dsflash_ros.data.psg_writer import PsgWriter
from dsflash_ros.errors import OutputError
from dsflash_ros.files import replacing
from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Camera
from dsflash_ros.toyroom.camera.shots import Shot


@dataclass(frozen=True)
class Settings:
    """What, together with the number of a scene, determines the images of that scene.

    Attributes:
        seed: seed of all rooms.
        views: how many images are taken of each room.
        width, height: image size, pixels.
    """

    seed: int
    views: int = 1
    width: int = 640
    height: int = 480

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.width}x{self.height}, {self.views} to a scene"


@contextmanager
def claimed(directory: Path, settings: Settings) -> Iterator[None]:
    """Create and lock the folder. Removes half-written files before and after.

    Raises:
        OutputError: the folder cannot be written, belongs to other settings or to another data
            set, or another run is writing to it.
    """
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
        _claim_for_settings(directory, settings)
        _remove_partial_files(directory)
        try:
            yield
        finally:
            _remove_partial_files(directory)


def _claim_for_settings(directory: Path, settings: Settings) -> None:
    """Write the settings to a new folder; refuse one with other settings or another data set."""
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
            f"{directory} holds images of {before}, not of {settings}: choose another folder"
        )


def _remove_partial_files(directory: Path) -> None:
    """Remove the half-written files of processes that were killed."""
    for partial in directory.rglob(".*.partial"):
        partial.unlink(missing_ok=True)


def write_scene(
    directory: Path,
    settings: Settings,
    number: int,
    split: str,
    shots: list[Shot],
    thrown_away: int,
) -> dict:
    """Write the shots of a scene, then its file. Returns what the file says.

    `thrown_away` is how many rooms were thrown away for this scene.
    """
    writer = PsgWriter(directory, VOCABULARY)
    scene = {"split": split, "thrown_away": thrown_away, "images": [], "cameras": []}
    for index, shot in enumerate(shots):
        image_id = f"{settings.seed}_{number:06}_{index}"
        truth = shot.truth
        record = writer.add(
            image_id, shot.picture.rgb, truth.labels, truth.class_ids, truth.relations
        )
        millimetres = np.round(shot.picture.depth * 1000).clip(0, 0xFFFF).astype(np.uint16)
        png = cv2.imencode(".png", millimetres)[1].tobytes()
        _write(directory / "depth" / f"{image_id}.png", png)
        scene["images"].append(record)
        scene["cameras"].append(camera_line(image_id, shot.camera))
    _write(_scene_path(directory, settings, number), json.dumps(scene).encode())
    return scene


def read_scenes(directory: Path, settings: Settings) -> dict[int, dict]:
    """Read the files of all scenes that are done, by number.

    A scene is left out when an image of it is not there. Its "split" is the one in `psg.json`;
    where that does not list it, as after an interrupt, the one that it was rendered for. Scenes of
    earlier versions may say none.
    """
    listed = _listed_splits(directory)
    scenes = {}
    for path in (directory / "scenes").glob(f"{settings.seed}_*.json"):
        number = path.stem.partition("_")[2]
        if number.isdecimal() and (scene := _read_scene(directory, path)):
            if before := listed.get(scene["images"][0]["image_id"]):
                scene["split"] = before
            scenes[int(number)] = scene
    return scenes


def _listed_splits(directory: Path) -> dict[str, str]:
    """The split of each image that `psg.json` lists; empty if it cannot be read."""
    try:
        index = json.loads((directory / "psg.json").read_bytes())
        splits = {image["image_id"]: "train" for image in index["data"]}
        splits |= dict.fromkeys(index.get("val_image_ids", []), "val")
        return splits | dict.fromkeys(index["test_image_ids"], "test")
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _read_scene(directory: Path, path: Path) -> dict | None:
    """Read the file of a scene. None if it is damaged, or an image of the scene is not there."""
    try:
        scene = json.loads(path.read_bytes())
        names = []
        for image in scene["images"]:
            depth = f"depth/{image['image_id']}.png"
            names += [image["file_name"], image["pan_seg_file_name"], depth]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return scene if all((directory / name).is_file() for name in names) else None


def write_index(directory: Path, scenes: dict[int, dict]) -> None:
    """List the images of these scenes, by number, in `cameras.jsonl` and, last, in `psg.json`."""
    ordered = [scenes[number] for number in sorted(scenes)]
    lines = [json.dumps(camera) + "\n" for scene in ordered for camera in scene["cameras"]]
    _write(directory / "cameras.jsonl", "".join(lines).encode())
    with PsgWriter(directory, VOCABULARY) as writer:
        for scene in ordered:
            for record in scene["images"]:
                writer.collect(record, scene["split"])


def camera_line(image_id: str, camera: Camera) -> dict:
    """One line of `cameras.jsonl`.

    It has the image size in pixels, the intrinsics `K`, (3, 3), and `camera_to_world`, the (4, 4)
    matrix from the camera's frame (x right, y down, z forward, metres) to the world (z up).
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


def _scene_path(directory: Path, settings: Settings, number: int) -> Path:
    return directory / "scenes" / f"{settings.seed}_{number:06}.json"


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(data)
