import json
import time

import pytest

from dsflash_ros.bench import loader
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 3, height=48, width=64)
    return folder


def test_the_rate_is_that_of_the_loader(folder, monkeypatch):
    """A loader that waits 5 ms for each image gives less than 200 a second."""
    original = loader.Views.__getitem__
    monkeypatch.setattr(
        loader.Views, "__getitem__", lambda views, item: time.sleep(0.005) or original(views, item)
    )
    row = loader.measure(PsgDataset.open(folder), 32, "flip", workers=0, count=24)
    assert (row["augmentation"], row["image size"], row["workers"]) == ("flip", 32, 0)
    assert 10 < row["images/s"] < 200 and row["images/s a core"] == row["images/s"]


def test_the_command(bench, folder, tmp_path):
    path = tmp_path / "loader.json"
    options = ("--workers", 1, "--image-size", 32, "--repeat", 16, "--json", path)
    code, out, err = bench("loader", folder, *options)
    assert code == 0, err
    assert "3 images" in out and "images/s a core" in out
    rows = json.loads(path.read_text())["rows"]
    assert [row["augmentation"] for row in rows] == ["none", "flip", "deit3", "eomt"]
    assert all(row["images/s"] > 0 for row in rows)


def test_wrong_usage(bench, tmp_path):
    code, _, err = bench("loader")
    assert code == 2 and "needs a data set" in err
    code, _, err = bench("loader", tmp_path)
    assert code == 1 and "cannot read" in err and err.count("\n") == 1
