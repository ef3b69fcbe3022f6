import json
import sys
import zipfile

import numpy as np
import pytest

from dsflash_ros.errors import DSFlashError, OutputError
from dsflash_ros.evaluation.export import sgbench_file

tifffile = pytest.importorskip("tifffile")


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_what_is_in_the_file(tmp_path, count):
    labels = np.random.default_rng().integers(-1, count, (12, 15))
    path = tmp_path / "out.zip"
    with sgbench_file(path, {"by": "me"}) as file:
        file.add("7", labels, np.arange(count), [(0, 1, 5)] if count > 1 else [])
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["out.zip"]
    with zipfile.ZipFile(path) as archive:
        index = json.loads(archive.read("triplets.json"))
        (image,) = index["images"]
        archive.extract(image["seg_filename"], tmp_path)
    assert (index["version"], index["eval"], image["id"]) == (1, {"by": "me"}, "7")
    assert image["triplets"] == ([[0, 1, 5]] if count > 1 else [])
    masks = tifffile.imread(tmp_path / image["seg_filename"])
    assert np.array_equal(masks.astype(bool), labels == np.arange(count)[:, None, None])
    for segment, told in enumerate(image["annotation"]):
        y, x = np.nonzero(labels == segment)
        assert told == {"category": segment, "bbox": [x.min(), y.min(), x.max() + 1, y.max() + 1]}


def test_nothing_half_written(tmp_path):
    with pytest.raises(ZeroDivisionError), sgbench_file(tmp_path / "out.zip", {}) as file:
        file.add("7", np.zeros((2, 2), int), [0], [])
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    with (
        pytest.raises(OutputError, match=r"cannot write .*no_such"),
        sgbench_file(tmp_path / "no_such" / "out.zip", {}),
    ):
        pass


def test_a_full_disk_is_an_error_only_at_the_end(tmp_path, caplog):
    added = 0
    with (
        open("/dev/full", "wb", buffering=0) as full,
        pytest.raises(OutputError, match=r"cannot write .*out\.zip: No space"),
        sgbench_file(tmp_path / "out.zip", {}) as file,
    ):
        file._archive.fp = full
        for added in (1, 2):  # noqa: B007
            file.add("7", np.zeros((200, 200), int), [0], [])
    assert added == 2 and caplog.text.count("the export fails (No space left on device)") == 1
    assert not list(tmp_path.iterdir())


def test_without_tifffile(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with (
        pytest.raises(DSFlashError, match=r"pip install 'dsflash_ros\[eval\]'"),
        sgbench_file(tmp_path / "o.zip", {}),
    ):
        pass
