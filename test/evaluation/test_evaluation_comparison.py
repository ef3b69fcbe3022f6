"""Two evaluations compared: the scores are those of the metrics, planted changes are found."""

import json
from dataclasses import replace

import numpy as np
import pytest
from reports import report

from dsflash_ros.cli import main
from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.evaluation_comparison import compare_evaluations
from dsflash_ros.evaluation.image_scores import ImageScores
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.graph.vocabulary import Vocabulary

VOCABULARY = Vocabulary(("cup", "person", "dog"), ("floor", "wall"), ("on", "holding", "near"))


def random_scores(random, images, skill=0.7, stamps=False):
    """An evaluation of random images: rows for `Report.images`, and what the metrics say."""
    recall, quality = RecallMetrics(VOCABULARY.predicates), PanopticQuality(VOCABULARY)
    rows = []
    for number in range(images):
        world = np.random.default_rng(number)  # the truth is that of the image
        count = int(world.integers(1, 6))
        labels = world.integers(-1, count, (4, 6)).repeat(5, 0).repeat(5, 1)
        classes = world.integers(0, 5, count)
        pairs = np.array([(a, b) for a in range(count) for b in range(count) if a != b])
        relations = np.column_stack((pairs, world.integers(0, 3, len(pairs)))) if count > 1 else []
        told = np.array(relations).reshape(-1, 3)
        told = told[random.random(len(told)) < skill]
        seen = np.where(random.random(labels.shape) < 0.3, -1, labels)
        matching = np.where(random.random(count) < 0.9, np.arange(count), -1)
        of_relations = recall.add(relations, told, matching, count)
        crowd = np.zeros(count, bool)
        of_segments = quality.add(labels, classes, crowd, seen, classes)
        stamp = number / 6 if stamps else None
        row = ImageScores.of(str(number), stamp, of_relations, of_segments, VOCABULARY)
        rows.append(row._asdict())
    return rows, recall.results(), quality.results()


def evaluation(rows, protocol="sgdet"):
    return replace(report(protocol=protocol), images=json.loads(json.dumps(rows)))


@pytest.mark.parametrize("seed", range(3))
def test_the_scores_are_those_of_the_metrics(seed):
    random = np.random.default_rng(seed)
    sides = [random_scores(random, 40, skill) for skill in (0.9, 0.4)]
    found = compare_evaluations(*(evaluation(rows) for rows, *_ in sides))
    assert found.images == 40 and found.only == (0, 0)
    for name, score in found.scores.items():
        for mine, (_, recall, quality) in zip(score[:2], sides, strict=True):
            assert mine == pytest.approx((recall | quality)[name], abs=1e-6)
    for name, both in found.predicates.items():
        for mine, (_, recall, _) in zip(both, sides, strict=True):
            assert mine == pytest.approx(recall["per_predicate"][name]["R@50"])
    for name, both in found.classes.items():
        for mine, (_, _, quality) in zip(both, sides, strict=True):
            assert mine == pytest.approx(quality["per_class"][name]["PQ"], abs=1e-5)
    assert found.scores["R@50"].high < 0 and found.scores["mR@50"].is_sure
    assert not found.scores["PQ"].is_sure


def test_chance_is_seldom_taken_for_a_change():
    random = np.random.default_rng(3)
    sure = 0
    for _ in range(20):
        sides = [evaluation(random_scores(random, 60)[0], "predcls") for _ in range(2)]
        sure += any(one.is_sure for one in compare_evaluations(*sides).scores.values())
    assert sure <= 3


def test_a_broken_predicate_is_found(tmp_path, capsys):
    rows, *_ = random_scores(np.random.default_rng(4), 60, stamps=True)
    broken = []
    for row in rows:
        missed = {"on": [None] * len(row["ranks"]["on"])} if "on" in row["ranks"] else {}
        broken.append({**row, "ranks": row["ranks"] | missed})
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, side in zip(paths, (rows, broken), strict=True):
        evaluation(side).write(path)
    given = [*map(str, paths), "--json", str(tmp_path / "compared.json")]
    assert main(["compare", *given]) == 1
    told = capsys.readouterr()
    assert "60 images in both evaluations; 0 and 0 in one alone" in told.out
    assert "PQ: " in told.out and "no sure difference (+0.0 to +0.0 points)" in told.out
    assert "| on |" in told.out and "holding" not in told.out
    stored = json.loads((tmp_path / "compared.json").read_text())
    assert stored["predicates"]["on"][1] == 0
    assert main(["compare", *given[:2], "--margin", "100"]) == 0


def test_too_few_images_say_nothing(tmp_path, capsys):
    random = np.random.default_rng(5)
    paths = [tmp_path / "first.json", tmp_path / "second.json"]
    for path, skill in zip(paths, (1.0, 0.0), strict=True):
        evaluation(random_scores(random, 40, skill, stamps=True)[0]).write(path)
    # 40 frames at 6 Hz are four blocks of two seconds
    assert main(["compare", *map(str, paths), "--json", str(tmp_path / "c.json")]) == 0
    assert "too little to say whether that is chance" in capsys.readouterr().out
    assert json.loads((tmp_path / "c.json").read_text())["scores"]["R@50"]["low"] is None


def test_evaluations_that_do_not_belong_together():
    rows, *_ = random_scores(np.random.default_rng(6), 8)
    whole, others = evaluation(rows), [{**row, "image": f"x{row['image']}"} for row in rows]
    another = [{**row, "ranks": {"on": [0] * 9}} for row in rows]
    for second, sentence in (
        (evaluation(rows, "predcls"), "of other protocols, sgdet and predcls"),
        (evaluation(others), "have no image in common"),
        (replace(whole, images=None), "of an earlier version"),
        (evaluation(another), "they are of other data"),
    ):
        with pytest.raises(EvaluationError, match=sentence):
            compare_evaluations(whole, second)
