"""`dsflash eval BAG --annotations`: the truth of some frames, from a file in PSG's format."""

import json
import shutil
from itertools import islice

import numpy as np
import pytest
from places import ROOT

from dsflash_ros.cli import main
from dsflash_ros.data.psg_writer import PsgWriter
from dsflash_ros.evaluation.bag_records import BagRecords
from dsflash_ros.weights.loading import open_weights

DRIVE = ROOT / "examples" / "drive"


@pytest.fixture(scope="module")
def vocabulary():
    return open_weights("toyroom").header.vocabulary


def annotate(folder, vocabulary, names):
    """The first frames' truth as a data set, without the images."""
    with PsgWriter(folder, vocabulary) as writer:
        for name, record in zip(names, BagRecords(DRIVE, vocabulary), strict=False):
            name = name or f"{record.stamp:.9f}"
            parts = record.labels(), record.class_ids, record.relations
            writer.add(name, record.image(), *parts, split="test")
    shutil.rmtree(folder / "images")
    return folder / "psg.json"


def evaluate(path, *arguments):
    given = ("eval", DRIVE, "--device", "cpu", "--overwrite", "--json", path, *arguments)
    return main([*map(str, given)])


def test_annotations_of_frames_score_as_the_truth_in_the_bag(tmp_path, vocabulary):
    file = annotate(tmp_path / "frames", vocabulary, [None] * 3)
    paths = tmp_path / "bag.json", tmp_path / "annotated.json"
    assert evaluate(paths[0], "--limit", 3) == 0
    assert evaluate(paths[1], "--annotations", file) == 0
    bag, annotated = (json.loads(path.read_text()) for path in paths)
    assert annotated["dataset"]["images"] == annotated["dataset"]["of"] == 3
    assert bag["relations"] == annotated["relations"] and bag["panoptic"] == annotated["panoptic"]
    assert annotated["images"][1]["stamp"] == pytest.approx(1 + 1 / 6)


def test_frames_and_masks_come_together(tmp_path, vocabulary):
    file = annotate(tmp_path / "frames", vocabulary, [None, "90.5"])
    from dsflash_ros.data.psg import PsgDataset

    records = BagRecords(DRIVE, vocabulary, None, PsgDataset.open(file, with_images=False))
    found = list(records)  # the other is reported, and does not keep the first
    assert len(found) == 1 and len(records) == 2
    truth = next(iter(islice(BagRecords(DRIVE, vocabulary), 1)))
    assert np.array_equal(found[0].labels(), truth.labels())
    assert np.array_equal(found[0].image(), truth.image())


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["90.5"], "1 annotated image of 1 have no frame in the bag"),
        (["first"], "first.jpg is not named after a frame's stamp"),
        (["1.0", "1.0000"], "are of the same frame: leave one out"),
    ],
)
def test_annotations_that_do_not_fit(names, sentence, tmp_path, vocabulary, capsys):
    file = annotate(tmp_path / "frames", vocabulary, names)
    assert evaluate(tmp_path / "r.json", "--annotations", file) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()


def test_annotations_are_of_bags(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["eval", str(tmp_path), "--annotations", "x.json"])
    assert "give a bag" in capsys.readouterr().err
