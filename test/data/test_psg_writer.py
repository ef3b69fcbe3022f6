import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from dsflash_ros.data.psg import PsgDataset, PsgWriter
from dsflash_ros.errors import DatasetError, OutputError
from dsflash_ros.graph.vocabulary import Vocabulary

VOCABULARY = Vocabulary(things=("cup", "dog"), stuff=("sky",), predicates=("on", "beside"))
RGB = cv2.resize(np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8), (25, 20))
LABELS = np.repeat(np.arange(4) - 1, 5)[:, None].repeat(25, 1)
RELATIONS = [(0, 2, 0), (1, 0, 1)]


def test_a_record_has_the_fields_of_psg(tmp_path):
    with PsgWriter(tmp_path, VOCABULARY) as writer:
        record = writer.add("a", RGB, LABELS, [0, 1, 2], RELATIONS)
    content = json.loads((tmp_path / "psg.json").read_text())
    assert (
        content["data"] == [record]
        and content["test_image_ids"] == []
        and "val_image_ids" not in content
    )
    assert (content["thing_classes"], content["stuff_classes"]) == (["cup", "dog"], ["sky"])
    assert (record["height"], record["width"], record["relations"]) == (
        20,
        25,
        [list(r) for r in RELATIONS],
    )
    things = [
        (info["category_id"], info["isthing"], info["area"], info["iscrowd"])
        for info in record["segments_info"]
    ]
    assert things == [(0, 1, 125, 0), (1, 1, 125, 0), (2, 0, 125, 0)]
    assert record["annotations"][1] == {
        "bbox": [0.0, 10.0, 25.0, 15.0],
        "bbox_mode": 0,
        "category_id": 1,
    }
    png = cv2.imread(str(tmp_path / record["pan_seg_file_name"])).astype(int)
    for index, info in enumerate(record["segments_info"]):
        assert np.array_equal(png @ [65536, 256, 1] == info["id"], index == LABELS)


def test_jpeg_is_close(tmp_path):
    with PsgWriter(tmp_path, VOCABULARY) as writer:
        writer.add("a", RGB, LABELS, [0, 1, 2], [])
    assert np.abs(PsgDataset.open(tmp_path)[0].image().astype(int) - RGB).mean() < 4


def test_records_of_other_processes_are_collected(tmp_path):
    record = PsgWriter(tmp_path, VOCABULARY).add("a", RGB, LABELS, [0, 1, 2], RELATIONS)
    assert not (tmp_path / "psg.json").exists()
    with PsgWriter(tmp_path, VOCABULARY) as writer:
        writer.collect(json.loads(json.dumps(record)), "test")
    assert np.array_equal(PsgDataset.open(tmp_path, "test")[0].labels(), LABELS)


def test_an_exception_leaves_no_json(tmp_path):
    with pytest.raises(KeyboardInterrupt), PsgWriter(tmp_path, VOCABULARY) as writer:
        writer.add("a", RGB, LABELS, [0, 1, 2], RELATIONS)
        raise KeyboardInterrupt
    assert sorted(os.listdir(tmp_path)) == ["images", "panoptic"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"image_id": "../a"}, "image id"),
        ({"rgb": RGB[1:]}, "do not fit"),
        ({"rgb": RGB.astype(float)}, "float64"),
        ({"class_ids": [0, 1, 2, 2]}, "each of the 4 segments"),
        ({"class_ids": [0, 1]}, "each of the 2 segments"),
        ({"labels": LABELS - 1}, "labels must be -1"),
        ({"class_ids": [0, 1, 3]}, r"0, 1, 3\] is not below 3"),
        ({"relations": [(0, 3, 0)]}, "is not below 3"),
        ({"relations": [(0, 1, 2)]}, "is not below 2"),
        ({"split": "dev"}, "split 'dev'"),
    ],
)
def test_what_disagrees_is_not_written(tmp_path, wrong, says):
    image = {
        "image_id": "a",
        "rgb": RGB,
        "labels": LABELS,
        "class_ids": [0, 1, 2],
        "relations": RELATIONS,
    }
    with pytest.raises(DatasetError, match=says):
        PsgWriter(tmp_path, VOCABULARY).add(**image | wrong)
    assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write to .*/file/images: Not a directory"):
        PsgWriter(tmp_path / "file", VOCABULARY).add("a", RGB, LABELS, [0, 1, 2], RELATIONS)


def test_a_full_disk(tmp_path):
    """A limit on the size of files acts as a full disk: masks fit under it, JPEGs do not."""
    program = (
        "import resource, sys; from dsflash_ros.data.shapes.__main__ import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"sys.exit(main([{str(tmp_path)!r}, '--count', '3']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "cannot write" in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
