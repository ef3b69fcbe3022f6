import copy
import json
import os
import time

import cv2
import numpy as np
import pytest
from places import SHARED

from dsflash_ros.data.psg import PsgDataset, PsgWriter
from dsflash_ros.data.psg_json import SplitError
from dsflash_ros.errors import DatasetError
from dsflash_ros.graph.vocabulary import Vocabulary

PSG = SHARED / "data/psg"


def test_what_was_written_is_read(tmp_path):
    random = np.random.default_rng(0)
    vocabulary = Vocabulary(things=tuple("abcdefg"), stuff=("x", "y"), predicates=tuple("pqr"))
    written = []
    with PsgWriter(tmp_path, vocabulary, "png") as writer:
        for number, split in enumerate(["train", "val", "test", "train", "test"]):
            height, width, count = random.integers(10, 60, 3) // (1, 1, 8) + (10, 10, 2)
            rgb = random.integers(0, 256, (height, width, 3), np.uint8)
            labels = random.integers(-1, count, (height, width))
            labels[0, :count] = np.arange(count)
            class_ids = random.integers(0, 9, count)
            relations = [(0, 1, 2), (1, 0, 0), (0, 1, 1)]
            writer.add(f"img-{number}", rgb, labels, class_ids, relations, split)
            written.append((f"img-{number}", split, rgb, labels, class_ids, relations))

    for split in (None, "train", "val", "test"):
        data = PsgDataset.open(tmp_path / "psg.json", split)
        expected = [image for image in written if split in (None, image[1])]
        assert (data.vocabulary, data.split, data.problems, len(data)) == (
            vocabulary,
            split,
            {},
            len(expected),
        )
        for record, (image_id, _, rgb, labels, class_ids, relations) in zip(
            data, expected, strict=True
        ):
            assert record.image_id == image_id
            assert (record.height, record.width) == labels.shape
            assert np.array_equal(record.image(), rgb)
            assert np.array_equal(record.labels(), labels) and record.labels().dtype == np.int32
            assert (
                np.array_equal(record.class_ids, class_ids) and record.class_ids.dtype == np.int64
            )
            assert record.relations.tolist() == [list(relation) for relation in relations]
            assert record.crowd.dtype == bool and not record.crowd.any()


def test_is_a_sequence(folder):
    data = PsgDataset.open(folder)
    assert data[-1].image_id == "3" and [record.image_id for record in data] == ["1", "2", "3"]
    with pytest.raises(IndexError):
        data[3]


@pytest.mark.skipif(not PSG.is_dir(), reason="the record of PSG is not beside the repository")
def test_a_record_of_psg(tmp_path):
    raw = json.loads((PSG / "one_record.json").read_text())
    content = json.loads((PSG / "vocabulary.json").read_text()) | {
        "data": [raw],
        "test_image_ids": [],
    }
    json_path = tmp_path / "psg/psg.json"
    for path in (
        json_path,
        tmp_path / "coco" / raw["file_name"],
        tmp_path / "coco" / raw["pan_seg_file_name"],
    ):
        path.parent.mkdir(parents=True)
    json_path.write_text(json.dumps(content))
    rows = np.minimum(np.arange(640) // 90, 6)
    ids = np.array([info["id"] for info in raw["segments_info"]])[rows][:, None].repeat(480, 1)
    bgr = np.stack((ids // 65536, ids // 256 % 256, ids % 256), axis=2)
    cv2.imwrite(str(tmp_path / "coco" / raw["pan_seg_file_name"]), bgr)
    cv2.imwrite(str(tmp_path / "coco" / raw["file_name"]), np.zeros((640, 480, 3), np.uint8))

    data = PsgDataset.open(tmp_path / "psg", "train")
    assert data.vocabulary == Vocabulary.psg()
    (record,) = data
    names = [data.vocabulary.classes[i] for i in record.class_ids]
    triplets = {
        (names[s], data.vocabulary.predicates[p], names[o]) for s, o, p in record.relations.tolist()
    }
    assert ("person", "standing on", names[6]) in triplets and len(record.relations) == 6
    assert np.array_equal(record.labels(), np.broadcast_to(rows[:, None], (640, 480)))
    assert record.image().shape == (640, 480, 3)


def test_problems_are_counted_and_reported(folder, edit):
    def change(content):
        first, second, third = content["data"]
        first["relations"] = [[0, 0, 1], [0, 1, 1], [0, 1, 1], [0, 1, 0], [2, 2, 0], [0, 1, 1]]
        second["relations"] = [[1, 1, 0]]
        third["relations"] = []
        content["test_image_ids"] += [77]

    edit(change)
    data = PsgDataset.open(folder)
    assert data.problems == {
        "split ids without an image": ["77"],
        "self-relations": ["1", "1", "2"],
        "duplicate relations": ["1", "1"],
        "images without relations": ["2", "3"],
    }
    assert [record.relations.tolist() for record in data] == [[[0, 1, 1], [0, 1, 0]], [], []]
    report = data.report()
    assert "\n" not in report
    for part in (
        "3 images, 9 segments, 2 relations",
        "self-relations: 3 (the first: 1)",
        "images without relations: 2 (",
    ):
        assert part in report


def test_splits(folder, edit):
    there = r"; it has train \(2 images\), test \(1 image\)$"
    for split in ("val", "dev"):
        with pytest.raises(SplitError, match=f"has no images in the split '{split}'{there}"):
            PsgDataset.open(folder, split)

    def change(content):
        for record in content["data"]:
            # Some files have numbers, and mix them with strings.
            record["image_id"] = int(record["image_id"])
        content["val_image_ids"] = [1]

    edit(change)
    ids = {
        split: [r.image_id for r in PsgDataset.open(folder, split)]
        for split in ("train", "val", "test", None)
    }
    assert ids == {"train": ["2"], "val": ["1"], "test": ["3"], None: ["1", "2", "3"]}
    edit(lambda content: content.update(test_image_ids=[], val_image_ids=[7]))
    for split in ("test", "val"):
        with pytest.raises(SplitError, match=r"it has train \(3 images\)$"):
            PsgDataset.open(folder, split)


@pytest.mark.parametrize("split", ["train", "test", None])
def test_without_images(folder, edit, split):
    edit(lambda content: content.update(data=[]))
    with pytest.raises(DatasetError, match=r"psg\.json has no images: its list 'data' is empty"):
        PsgDataset.open(folder, split)


def test_crowds_keep_their_place(folder, edit):
    edit(lambda content: content["data"][0]["segments_info"][1].update(iscrowd=1))
    assert PsgDataset.open(folder)[0].crowd.tolist() == [False, True, False]


def test_pixels_of_no_segment_are_nothing(folder):
    """0 is void; PSG's masks come from COCO's, which may have segments that PSG left out."""
    record = PsgDataset.open(folder)[0]
    expected = record.labels()
    png = cv2.imread(str(record.mask_path))
    png[:5] = 0
    png[5:8] = 77
    expected[:8] = -1
    cv2.imwrite(str(record.mask_path), png)
    assert np.array_equal(record.labels(), expected)


def first(content):
    return content["data"][0]


def set_categories(content):
    for key in ("segments_info", "annotations"):
        first(content)[key][0]["category_id"] = 3


def set_crowd(content, crowd):
    first(content)["segments_info"][0]["iscrowd"] = crowd


def repeat_segment_id(content):
    one, other, _ = first(content)["segments_info"]
    one["id"] = other["id"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("predicate_classes"), "lacks predicate_classes"),
        (lambda c: c.pop("test_image_ids"), "lacks test_image_ids"),
        (lambda c: c.update(data={}), "data must be lists"),
        (lambda c: c.update(data=[[]]), "object with an 'image_id'"),
        (lambda c: c.update(thing_classes=["cup", "cup"]), "psg.json: .*unique.* cup"),
        (lambda c: c["data"].append(c["data"][1]), "image ids must be unique.*is 2"),
        (lambda c: first(c).pop("file_name"), "image 1: 'file_name'"),
        (lambda c: first(c).update(height="20"), "image 1: 'height' and 'width'"),
        (lambda c: first(c).update(height=10**30), "image 1: 'height' and 'width'"),
        (lambda c: set_crowd(c, 10**30), "image 1, segment .*: 'iscrowd' must be 0 or 1, got 1000"),
        (lambda c: set_crowd(c, float("inf")), "'iscrowd' must be 0 or 1, got inf"),
        (lambda c: first(c).pop("annotations"), "image 1: 'segments_info' must be"),
        (lambda c: first(c)["annotations"].pop(), r"1: .* disagree.*\[0, 1\] and \[0, 1, 2\]"),
        (lambda c: first(c)["annotations"].reverse(), "image 1: .* disagree"),
        (set_categories, "image 1, segment .*: unknown category 3; it must be 0 to 2"),
        (lambda c: first(c)["segments_info"][0].update(id=0), "image 1: the segment id 0"),
        (repeat_segment_id, "ids must be unique"),
        (lambda c: first(c).pop("relations"), "image 1: 'relations' must be"),
        (lambda c: first(c).update(relations=[[0, 1]]), "image 1: 'relations' must be"),
        (lambda c: first(c).update(relations=[[0, 3, 1]]), r"relation \[0, 3, 1\].* 3 segments"),
        (lambda c: first(c).update(relations=[[-1, 0, 1]]), r"image 1: the relation \[-1, 0, 1\]"),
        (lambda c: first(c).update(relations=[[0, 1, 2]]), "of the 2 predicates"),
        (lambda c: first(c).update(relations=[[0, 1.0, 1]]), "two indexes"),
    ],
)  # fmt: skip
def test_damaged_annotations(folder, edit, change, says):
    edit(change)
    with pytest.raises(DatasetError, match=says) as error:
        PsgDataset.open(folder)
    assert str(folder / "psg.json") in str(error.value) and "\n" not in str(error.value)


def test_damaged_json(folder):
    path = folder / "psg.json"
    path.write_text(path.read_text()[:-200])
    with pytest.raises(DatasetError, match="not JSON, or is cut off"):
        PsgDataset.open(path)
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(DatasetError, match="not JSON"):
        PsgDataset.open(path)
    path.unlink()
    with pytest.raises(DatasetError, match=r"cannot read .*psg.json: No such file"):
        PsgDataset.open(folder)


def test_missing_files(folder):
    for image_id in "12":
        os.remove(folder / f"images/{image_id}.png")
    with pytest.raises(
        DatasetError, match=r"2 of 3 images are missing, the first is images/1.png; tried"
    ) as error:
        PsgDataset.open(folder)
    for place in (folder, folder / "coco", folder.parent / "coco"):
        assert str(place) in str(error.value)
    with pytest.raises(DatasetError, match="1 of 1 images") as error:
        PsgDataset.open(folder, "test", images=folder / "elsewhere")
    assert str(folder.parent / "coco") not in str(error.value)
    (folder / "panoptic").rename(folder / "away")
    with pytest.raises(DatasetError, match="1 of 1 panoptic masks"):
        PsgDataset.open(folder, "test")


def test_files_at_another_place(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder / "images").rename(elsewhere / "images")
    assert PsgDataset.open(folder, images=str(elsewhere))[0].image().shape == (20, 30, 3)


def test_files_that_disagree_with_the_json(folder):
    record = PsgDataset.open(folder)[0]
    image, mask = cv2.imread(str(record.image_path)), cv2.imread(str(record.mask_path))

    cv2.imwrite(str(record.image_path), image[:, :-1])
    with pytest.raises(
        DatasetError, match=r"images/1.png has 29x20 pixels, but .*image 1 has 30x20"
    ):
        record.image()
    record.image_path.write_bytes(b"not an image")
    with pytest.raises(DatasetError, match=r"images/1.png, of image 1, cannot be read"):
        record.image()

    cv2.imwrite(str(record.mask_path), mask.transpose(1, 0, 2))
    with pytest.raises(DatasetError, match=r"panoptic/1.png has 20x30 pixels"):
        record.labels()
    cv2.imwrite(str(record.mask_path), np.full_like(mask, 5))
    with pytest.raises(
        DatasetError, match=f"segment {record.segment_ids[0]} .*image 1 .3 of its 3"
    ):
        record.labels()
    record.mask_path.unlink()
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        record.labels()


def test_many_images_are_read_quickly(folder, edit):
    """50 000 records are about as many as PSG has; this is a twentieth."""

    def change(content):
        for number in range(2500):
            content["data"].append(
                copy.deepcopy(content["data"][0]) | {"image_id": f"more{number}"}
            )

    edit(change)
    start = time.process_time()
    assert len(PsgDataset.open(folder)) == 2503
    assert time.process_time() - start < 2
