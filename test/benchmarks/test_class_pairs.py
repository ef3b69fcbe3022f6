import json
import sys
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import class_pairs
import numpy as np
import pytest
import torch

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.psg_writer import PsgWriter
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.graph.label_maps import label_boxes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "shapes"
    write_shapes(folder, 120, seed=8, height=96, width=128, test_share=0.25)
    return folder


@pytest.fixture(scope="module")
def train(folder):
    return PsgDataset.open(folder, "train")


@pytest.fixture(scope="module")
def pairs(train):
    return class_pairs.pairs_of(train)


def test_each_directed_pair_has_its_truth(train, pairs):
    for record, image in zip(train, pairs, strict=True):
        count = len(record.class_ids)
        related = {(s, o): p for s, o, p in record.relations.tolist()}
        assert len(set(map(tuple, image.pairs.tolist()))) == len(image.pairs) == count * (count - 1)
        for (s, o), classes, target in zip(
            image.pairs.tolist(), image.classes, image.targets, strict=True
        ):
            assert classes.tolist() == record.class_ids[[s, o]].tolist()
            assert target.argmax() == related.get((s, o), -1) + 1 and target.sum() == 1


def test_several_predicates_of_a_pair_share(tmp_path):
    labels = np.repeat(np.arange(2, dtype=np.int32), 32 * 16).reshape(32, 32)
    with PsgWriter(tmp_path, VOCABULARY) as writer:
        relations = np.array([[0, 1, 2], [0, 1, 4]])
        writer.add(
            "a", np.zeros((32, 32, 3), np.uint8), labels, np.array([0, 7]), relations, "train"
        )
    (image,) = class_pairs.pairs_of(PsgDataset.open(tmp_path, "train"))
    assert image.pairs.tolist() == [[0, 1], [1, 0]]
    assert image.targets.tolist() == [[0, 0, 0, 0.5, 0, 0.5, 0], [1, 0, 0, 0, 0, 0, 0]]


def test_geometry_says_where_the_boxes_are(train, pairs):
    """By the definitions, box by box; and nothing else is in it: the same boxes give the same
    numbers.
    """
    record, image = train[0], pairs[0]
    boxes = label_boxes(record.labels(), len(record.class_ids)) / [128, 96, 128, 96]
    for (s, o), found in zip(image.pairs.tolist(), image.geometry.tolist(), strict=True):
        (ax, ay, ax1, ay1), (bx, by, bx1, by1) = boxes[s], boxes[o]
        width, height = ax1 - ax, ay1 - ay
        shared = max(0, min(ax1, bx1) - max(ax, bx)) * max(0, min(ay1, by1) - max(ay, by))
        areas = width * height, (bx1 - bx) * (by1 - by)
        logs = np.log([width, height, bx1 - bx, by1 - by])
        offset = (bx + bx1 - ax - ax1) / 2, (by + by1 - ay - ay1) / 2
        shares = shared / areas[0], shared / areas[1], shared / (sum(areas) - shared)
        edges = np.clip(
            [(bx - ax) / width, (by - ay) / height, (bx1 - ax1) / width, (by1 - ay1) / height],
            -10,
            10,
        )
        assert found == pytest.approx(
            [*boxes[s], *boxes[o], *logs, *offset, *shares, *edges], abs=1e-5
        )


def test_frequencies_are_those_of_the_training_images(train, pairs):
    table = class_pairs.frequencies(pairs, VOCABULARY)
    seen, holds, everywhere = Counter(), Counter(), Counter()
    for record in train:
        related = {(s, o): p + 1 for s, o, p in record.relations.tolist()}
        classes = record.class_ids.tolist()
        for s in range(len(classes)):
            for o in range(len(classes)):
                if s != o:
                    predicate = related.get((s, o), 0)
                    seen[classes[s], classes[o]] += 1
                    holds[classes[s], classes[o], predicate] += 1
                    everywhere[predicate] += 1
    assert table.shape == (8, 8, 7)
    for s in range(8):
        for o in range(8):
            for p in range(7):
                prior = everywhere[p] / sum(everywhere.values())
                expected = (holds[s, o, p] + prior) / (seen[s, o] + 1)
                assert table[s, o, p] == pytest.approx(expected, abs=1e-5)


def test_knowing_the_truth_scores_all(pairs):
    perfect = class_pairs.scores(lambda image: image.targets, pairs, VOCABULARY)
    assert (perfect["R@50"], perfect["mR@50"], perfect["images"]) == (1, 1, 90)
    wrong = class_pairs.scores(lambda image: image.targets.roll(1, 1), pairs, VOCABULARY)
    assert wrong["mR@50"] == 0


def test_the_surest_relations_come_first(pairs):
    few = [image for image in pairs if 0 < len(image.relations) <= 20 < len(image.pairs)]
    assert (
        few and class_pairs.scores(lambda image: image.targets + 0.1, few, VOCABULARY)["R@20"] == 1
    )
    unsure = class_pairs.scores(
        lambda image: image.targets * torch.tensor([-1.0] + [1.0] * 6), few, VOCABULARY
    )
    assert unsure["R@20"] < 1 and unsure["R@100"] == 1


def test_boxes_tell_more_than_classes(folder, train):
    results = class_pairs.compare(train, PsgDataset.open(folder, "test"), steps=400)
    assert results["MLP"]["mR@50"] > results["frequency"]["mR@50"] + 0.2
    assert results["MLP"]["mR@50"] > 0.7


def test_the_script(folder, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["class_pairs.py", *map(str, arguments)])
        return class_pairs.main(), *capsys.readouterr()

    code, out, _ = run(folder, "--test", folder, "--steps", 20, "--json", tmp_path / "scores.json")
    assert code == 0 and "| frequency |" in out and "| in front of |" in out
    rows = json.loads((tmp_path / "scores.json").read_text())["rows"]
    assert [row["predictor"] for row in rows] == ["frequency", "MLP"]
    assert all(
        0 < row["mR@50"] < 1 and set(row["per_predicate"]) == set(VOCABULARY.predicates)
        for row in rows
    )

    code, _, err = run(tmp_path / "none")
    assert code == 1 and err.startswith("class_pairs: ") and err.count("\n") == 1


def test_other_names_are_refused(train, monkeypatch):
    other = SimpleNamespace(vocabulary=replace(VOCABULARY, things=VOCABULARY.things[::-1]))
    with pytest.raises(class_pairs.EvaluationError, match="different vocabularies"):
        class_pairs.compare(train, other, steps=1)


def test_the_same_seed_gives_the_same_network(pairs):
    models = [class_pairs.learn(pairs, VOCABULARY, steps=5) for _ in range(2)]
    first, second = (model(pairs[0].classes, pairs[0].geometry) for model in models)
    assert torch.equal(first, second)
