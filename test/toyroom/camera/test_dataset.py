import json
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import psutil
import pytest

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.errors import OutputError

pytestmark = pytest.mark.usefixtures("need_renderer")

pytest.importorskip("mujoco", reason="needs the extra 'toyroom'")

from dsflash_ros.toyroom import VOCABULARY  # noqa: E402
from dsflash_ros.toyroom.build.rooms import settled_room  # noqa: E402
from dsflash_ros.toyroom.camera.dataset import Settings, render_dataset  # noqa: E402

SETTINGS = Settings(seed=5, views=2, width=160, height=120)
COMMAND = ["toyroom", "render", "--seed", "5", "--views", "2", "--size", "160x120"]
COMMAND += ["--test-share", "0.5"]


@pytest.fixture(scope="module")
def rendered(need_renderer, tmp_path_factory):
    """A folder with three scenes of two images, to be read only, and the result of rendering it."""
    folder = tmp_path_factory.mktemp("rendered") / "data"
    return folder, render_dataset(folder, SETTINGS, 3, test_share=0.5, workers=2)


@pytest.fixture
def copy(rendered, tmp_path):
    """A copy of it that the test may change."""
    return shutil.copytree(rendered[0], tmp_path / "data")


class Run(subprocess.Popen):
    """The command, as a process of its own."""

    def __init__(self, folder, *more, code="", **options):
        argv = [*COMMAND, "--out", str(folder), *map(str, more)]
        program = f"import sys\n{code}\nfrom dsflash_ros.cli import main\nsys.exit(main({argv!r}))"
        super().__init__(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def error(self):
        """Wait for the end. Returns what was written to stderr."""
        return self.communicate(timeout=60)[1]


def content(folder):
    """The bytes of all files of a folder, by path."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_it_opens_as_a_data_set_without_problems(rendered):
    folder, report = rendered
    dataset = PsgDataset.open(folder)
    assert dataset.vocabulary == VOCABULARY and not dataset.problems
    assert [record.image_id for record in dataset] == [
        f"5_{scene:06}_{view}" for scene in range(3) for view in (0, 1)
    ]
    for record in dataset:
        assert record.image().shape == (120, 160, 3) and record.image().std() > 5
        assert len(np.unique(record.labels())) >= len(record.class_ids) >= 2
    assert [len(PsgDataset.open(folder, split)) for split in ("train", "test")] == [4, 2]
    assert (report.scenes, report.images, report.found) == (3, 6, 0)
    assert report.thrown_away == sum(settled_room(5, scene)[1] for scene in range(3))


def test_depth_and_cameras_put_each_pixel_where_it_is_in_the_room(rendered):
    folder, _ = rendered
    cameras = [json.loads(line) for line in (folder / "cameras.jsonl").read_text().splitlines()]
    dataset, floors = PsgDataset.open(folder), 0
    assert [camera["image_id"] for camera in cameras] == [record.image_id for record in dataset]
    for number, (camera, record) in enumerate(zip(cameras, dataset, strict=True)):
        depth = cv2.imread(str(folder / f"depth/{record.image_id}.png"), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16
        assert depth.shape == (camera["height"], camera["width"]) == (120, 160)
        y, x = np.nonzero(depth)
        rays = np.linalg.inv(camera["K"]) @ np.stack((x, y, np.ones_like(x)))
        pose = np.array(camera["camera_to_world"])
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
        points = (pose[:3, :3] @ (rays * depth[y, x] / 1000) + pose[:3, 3:]).T
        boxes = settled_room(5, number // 2)[0].extents()
        assert (points > boxes[:, 0].min(0) - 0.02).all()
        assert (points < boxes[:, 1].max(0) + 0.02).all()
        labels = record.labels()[y, x]
        for segment, class_id in enumerate(record.class_ids):
            if VOCABULARY.classes[class_id].startswith("floor"):
                floors += 1
                assert np.abs(points[labels == segment, 2]).max() < 0.02
    assert floors >= 3


def test_one_process_and_scenes_in_two_parts_give_the_same_bytes(rendered, tmp_path):
    render_dataset(tmp_path, SETTINGS, 1, first=2, workers=1)
    report = render_dataset(tmp_path, SETTINGS, 3, test_share=0.5, workers=1)
    assert report.found == 2
    assert content(tmp_path) == content(rendered[0])


def splits_of(folder):
    """The number of each listed scene and its split, in the order of `psg.json`."""
    test = {record.image_id for record in PsgDataset.open(folder, "test")}
    ids = [record.image_id for record in PsgDataset.open(folder)]
    return {int(one.split("_")[1]): "test" if one in test else "train" for one in ids}


def test_what_another_command_rendered_stays_listed_and_in_its_split(tmp_path):
    small = Settings(seed=5, width=64, height=48)
    render_dataset(tmp_path, small, 1, first=2)
    report = render_dataset(tmp_path, small, 1, first=1, split="test")
    assert (report.images, report.found, report.kept) == (1, 0, 0)
    assert splits_of(tmp_path) == {1: "test", 2: "train"}
    before = content(tmp_path)
    report = render_dataset(tmp_path, small, 2, first=1, split="test")
    assert content(tmp_path) == before and (report.found, report.kept) == (2, 1)
    assert "; 1 image of before stays in the split it was made for" in report.report()
    assert len((tmp_path / "cameras.jsonl").read_text().splitlines()) == 2


def test_folders_of_several_machines_become_one(tmp_path):
    small = Settings(seed=5, width=64, height=48)
    render_dataset(tmp_path / "a", small, 2)
    render_dataset(tmp_path / "b", small, 1, first=2, split="test")
    for name in "ab":
        shutil.copytree(tmp_path / name, tmp_path / "all", dirs_exist_ok=True)
    assert splits_of(tmp_path / "all") == {2: "test"}
    report = render_dataset(tmp_path / "all", small, 3)
    assert (report.found, report.kept) == (3, 1)
    assert splits_of(tmp_path / "all") == {0: "train", 1: "train", 2: "test"}


def test_the_split_of_scenes_of_earlier_versions_is_that_in_the_index(copy):
    before = (copy / "psg.json").read_bytes()
    for path in copy.glob("scenes/*.json"):
        scene = json.loads(path.read_bytes())
        del scene["split"]
        path.write_text(json.dumps(scene))
    render_dataset(copy, SETTINGS, 3, split="val")
    assert (copy / "psg.json").read_bytes() == before
    (copy / "psg.json").unlink()
    render_dataset(copy, SETTINGS, 3, split="test")
    assert splits_of(copy) == dict.fromkeys(range(3), "test")


def test_all_images_differ(rendered):
    images = [record.image() for record in PsgDataset.open(rendered[0])]
    assert all((one != other).mean() > 0.5 for n, one in enumerate(images) for other in images[:n])


def test_what_is_done_is_not_rendered_anew(copy):
    before = content(copy)
    times = {path: path.stat().st_mtime_ns for path in copy.glob("*/*.*")}
    (copy / "scenes/5_000001.json").unlink()
    (copy / "depth/5_000002_1.png").unlink()
    assert render_dataset(copy, SETTINGS, 3, test_share=0.5, workers=1).found == 2
    assert content(copy) == before
    unchanged = {path.name for path, when in times.items() if path.stat().st_mtime_ns == when}
    assert {name[:8] for name in unchanged} == {"5_000000"}
    report = render_dataset(copy, SETTINGS, 3, test_share=0.5).report()
    assert "3 scenes, 6 images: 6 were there, 0 rendered" in report


def interrupt(run):
    """What a terminal does on Ctrl-C: a signal to the command and to its processes."""
    os.killpg(run.pid, signal.SIGINT)


def terminate(run):
    run.send_signal(signal.SIGTERM)


def kill_worker(run):
    processes = psutil.Process(run.pid).children()
    next(process for process in processes if "spawn_main" in " ".join(process.cmdline())).kill()


@pytest.mark.parametrize(
    ("end", "workers", "code", "says"),
    [
        (interrupt, 2, 130, "interrupted"),
        (terminate, 1, 143, ""),
        (kill_worker, 1, 1, "one of the processes was killed"),
    ],
)
def test_however_it_ends_the_same_command_goes_on(rendered, tmp_path, end, workers, code, says):
    run = Run(tmp_path, "--scenes", 500, "--workers", workers, start_new_session=True)
    start = time.monotonic()
    while not list(tmp_path.glob("scenes/*.json")):
        assert run.poll() is None and time.monotonic() - start < 60, run.error()
        time.sleep(0.02)
    end(run)
    error = run.error()
    assert run.returncode == code
    assert says in error and "Traceback" not in error and error.count("\n") <= 1
    left = content(tmp_path)
    assert "psg.json" not in left and not [name for name in left if name.endswith(".partial")]
    scenes = [json.loads(data) for name, data in left.items() if name.startswith("scenes/")]
    assert 0 < len(scenes) < 500
    for path in tmp_path.glob("scenes/*.json"):  # of what came beyond, the index would tell
        if int(path.stem.split("_")[1]) > 2:
            path.unlink()
    report = render_dataset(tmp_path, SETTINGS, 3, test_share=0.5)
    assert report.found >= 2
    expected = content(rendered[0])
    assert {name: data for name, data in content(tmp_path).items() if name in expected} == expected


def test_a_full_disk_is_one_sentence_and_no_half_file(tmp_path):
    """A limit on the size of files acts like a full disk: images of this size do not fit."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    run = Run(tmp_path, "--scenes", 8, "--workers", 1, code=limit)
    error = run.error()
    assert run.returncode == 1 and error.count("\n") == 1 and "cannot write" in error, error
    assert sorted(content(tmp_path)) == ["world.json"]


def test_folders_with_something_else_are_refused(copy, tmp_path):
    before = content(copy)
    for other in (Settings(6, 2, 160, 120), Settings(5, 1, 160, 120), Settings(5, 2, 128, 120)):
        says = "holds images of seed 5, 160x120, 2 to a scene, not of"
        with pytest.raises(OutputError, match=says):
            render_dataset(copy, other, 1)
    assert content(copy) == before
    (tmp_path / "psg.json").write_text("{}")
    with pytest.raises(OutputError, match="holds another data set"):
        render_dataset(tmp_path, SETTINGS, 1)
    (copy / "world.json").write_text("{")
    with pytest.raises(OutputError, match=r"world\.json cannot be read"):
        render_dataset(copy, SETTINGS, 1)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write to"):
        render_dataset(tmp_path / "file", SETTINGS, 1)


def test_a_second_run_in_one_folder_is_refused(copy):
    import fcntl

    with (copy / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another run is writing"):
            render_dataset(copy, SETTINGS, 3)
    assert render_dataset(copy, SETTINGS, 3).found == 6
