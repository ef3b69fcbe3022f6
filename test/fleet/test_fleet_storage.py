"""Bags and results in a storage, here a server of S3 on this machine."""

import json

import fsspec
import pytest
from recorded import BUCKET, DRIVE, GIVEN, assert_same, replay

from dsflash_ros.cli.replay import recipe_of
from dsflash_ros.errors import OutputError, SourceError
from dsflash_ros.fleet.jobs import find_jobs, known_ends
from dsflash_ros.fleet.storage import check_is_replay, read_notes, upload, write_text

pytestmark = pytest.mark.slow


def test_from_s3_to_s3(ray_address, s3, unsplit, tmp_path, capsys, caplog):
    for path in DRIVE.iterdir():
        s3.upload_file(str(path), BUCKET, f"in/monday/drive/{path.name}")
    s3.put_object(Bucket=BUCKET, Key="in/tuesday/drive", Body=b"nonsense")
    given = (f"s3://{BUCKET}/in/*/drive", "--out", f"s3://{BUCKET}/out", *GIVEN)
    assert replay(*given, "--ray", ray_address) == 1
    assert "1 of 2 bags could not be replayed" in caplog.text
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="out")["Contents"]
    keys = {entry["Key"] for entry in listed}
    results = ("bag/bag_0.mcap", "bag/metadata.yaml", "replay.json", "scene_graph.jsonl")
    assert keys == {f"out/monday/drive/{name}" for name in results}
    for name in results:
        (tmp_path / "drive" / "bag").mkdir(parents=True, exist_ok=True)
        s3.download_file(BUCKET, f"out/monday/drive/{name}", str(tmp_path / "drive" / name))
    assert_same(tmp_path / "drive", unsplit)

    again = (f"s3://{BUCKET}/in/mon*/drive", "--out", f"s3://{BUCKET}/out/monday", *GIVEN)
    assert replay(*again, "--ray", "127.0.0.1:1") == 1  # its folder is out/monday/monday/drive
    assert replay(*given, "--ray", "127.0.0.1:1") == 1  # tuesday is missing still
    assert f"s3://{BUCKET}/out/monday/drive is complete already" in capsys.readouterr().out
    s3.delete_object(Bucket=BUCKET, Key="in/tuesday/drive")
    assert replay(*given, "--ray", "127.0.0.1:1") == 0

    changed = DRIVE / "metadata.yaml"
    key = f"in/monday/drive/{changed.name}"
    s3.put_object(Bucket=BUCKET, Key=key, Body=changed.read_bytes() + b"\n")
    assert replay(*given, "--ray", "127.0.0.1:1") == 1
    assert "was made with other settings (content)" in caplog.text


@pytest.fixture
def results(tmp_path):
    """A folder as of a replay, and an empty place for it."""
    folder = tmp_path / "made"
    (folder / "bag").mkdir(parents=True)
    (folder / "bag" / "metadata.yaml").write_text("of a bag")
    (folder / "scene_graph.jsonl").write_text("{}\n")
    (folder / "replay.json").write_text('{"complete": true, "graphs": 1}')
    return folder, f"memory://{tmp_path.name}/out"


def test_an_upload_is_complete_at_its_end_only(results):
    folder, url = results
    system, path = fsspec.core.url_to_fs(url)
    (folder / "bag" / "lost.mcap").symlink_to(folder / "nothing")
    with pytest.raises(OutputError, match="is not there"):
        upload(folder, url)
    assert json.loads(system.cat(f"{path}/replay.json"))["complete"] is False
    (folder / "bag" / "lost.mcap").unlink()
    (folder / "bag" / "more.mcap").write_bytes(b"more")
    upload(folder, url)
    assert json.loads(system.cat(f"{path}/replay.json"))["complete"] is True
    (folder / "bag" / "more.mcap").unlink()
    upload(folder, url)
    found = {name[len(path) :] for name in system.find(path)}
    assert found == {"/bag/metadata.yaml", "/replay.json", "/scene_graph.jsonl"}


def test_other_files_are_left_alone(results):
    folder, url = results
    system, path = fsspec.core.url_to_fs(url)
    check_is_replay(url)
    system.pipe_file(f"{path}/mine.txt", b"mine")
    with pytest.raises(OutputError, match="is there already and is no replay"):
        check_is_replay(url)
    upload(folder, url)
    check_is_replay(url)
    assert system.cat(f"{path}/mine.txt") == b"mine"


def test_folders_are_named_as_the_bags_are(tmp_path):
    for name in ("1/front.mcap", "2/front.mcap", "2/rear.bag"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    url = f"file://{tmp_path}"
    jobs = find_jobs([f"{url}/*/front.mcap", f"{tmp_path}/2/*", f"{tmp_path}/1/front.mcap"], "/out")
    found = [(job.bag.removeprefix(f"{tmp_path}/"), job.folder) for job in jobs]
    assert found == [
        ("1/front.mcap", "/out/1/front"),
        ("2/front.mcap", "/out/2/front"),
        ("2/rear.bag", "/out/rear"),
    ]
    same = find_jobs([f"{tmp_path}/1/front.mcap", f"{tmp_path}/2/front.mcap"], f"{url}/out/")
    assert [job.folder for job in same] == [f"{tmp_path}/out/front", f"{tmp_path}/out/front_2"]
    again = find_jobs([f"{tmp_path}/1/../1/front.mcap", f"{tmp_path}/?/front.mcap"], "/out")
    assert [job.folder for job in again] == ["/out/front", "/out/2/front"]
    with pytest.raises(SourceError, match=r"no bag matches .*\*\.db3"):
        find_jobs([f"{tmp_path}/*.db3"], "out")


def test_what_was_killed_before_its_first_part_may_have_other_settings(tmp_path):
    (tmp_path / "drive.mcap").touch()
    jobs = find_jobs([f"{tmp_path}/drive.mcap"], f"{tmp_path}/out")
    parts = tmp_path / "out" / "drive" / "parts"
    (parts / ".partial").mkdir(parents=True)
    note = {"settings": {"stride": 7}, "complete": False}
    (parts.parent / "replay.json").write_text(json.dumps(note))
    recipe = recipe_of(tmp_path / "drive.mcap", "--stride", 1)
    assert known_ends(jobs, recipe) == [None]
    (parts / "000000").mkdir()
    (end,) = known_ends(jobs, recipe)
    assert isinstance(end, OutputError) and "other settings (" in str(end) and "stride" in str(end)


def test_names_may_have_the_signs_of_patterns(s3, tmp_path):
    for place in (tmp_path, f"s3://{BUCKET}/signs"):
        folder = f"{place}/x[1]"
        write_text(f"{folder}/replay.json", '{"complete": true}')
        notes = read_notes([folder, f"{place}/x[2]", f"{place}/*"])
        assert notes == {folder: {"complete": True}}


def test_an_upload_to_a_name_with_the_signs_of_patterns(results):
    folder, url = results
    for _ in range(2):
        upload(folder, f"{url}/x[1]")
    system, path = fsspec.core.url_to_fs(url)
    assert system.exists(f"{path}/x[1]/bag/metadata.yaml")
