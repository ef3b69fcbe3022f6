"""Our metrics against sgbench's own, on random graphs and on a file of predictions that it reads.

sgbench pins numpy below 2, so it runs under an interpreter of its own where this one lacks it:

    python3 -m venv sgbench-venv && sgbench-venv/bin/pip install 'sgbench[all]'
    DSFLASH_SGBENCH_PYTHON=sgbench-venv/bin/python python -m pytest
    test/evaluation/test_sgbench_parity.py
"""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.evaluation.export import sgbench_file
from dsflash_ros.evaluation.matching import match_segments
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.evaluation.prediction import Prediction
from dsflash_ros.evaluation.runner import Evaluator

PREDICATES = ("on", "in", "holding", "beside", "over", "rare")
KS = (1, 4, 20, 50, 100)
GRAPHS = 4000


@pytest.fixture(scope="module")
def sgbench():
    """Run the reference with arguments and a text on stdin; the JSON that it prints."""
    python = os.environ.get("DSFLASH_SGBENCH_PYTHON") or (
        importlib.util.find_spec("sgbench") and sys.executable
    )
    if not python:
        pytest.skip(
            "needs sgbench: python3 -m venv sgbench-venv && sgbench-venv/bin/pip install "
            "'sgbench[all]', then set DSFLASH_SGBENCH_PYTHON=sgbench-venv/bin/python"
        )

    def run(*arguments, text=None):
        command = [
            python,
            "-W",
            "ignore",
            str(Path(__file__).with_name("sgbench_reference.py")),
            *map(str, arguments),
        ]
        result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    return run


def random_case(random):
    """Label maps that agree more or less, few classes; pairs may have several predicates."""
    num_truth = int(random.integers(2, 8))
    num_predicted = num_truth if random.random() < 0.7 else int(random.integers(0, 9))
    shape = random.integers(2, 7, 2)
    truth = random.integers(-1, num_truth, shape)
    order = random.permutation(max(num_truth, num_predicted))
    same = np.where(truth >= 0, order[truth], -1)
    noise = random.integers(-1, max(num_predicted, 1), shape)
    labels = np.where(
        (random.random(shape) < random.choice([0.4, 0.8, 1])) & (same < num_predicted), same, noise
    )
    truth_classes = random.integers(0, 2, num_truth)
    classes = np.zeros(num_predicted, int)
    for t, p in enumerate(order[:num_truth]):
        if p < num_predicted:
            classes[p] = truth_classes[t] if random.random() < 0.9 else random.integers(0, 2)
    relations = random.integers((0, 0, 0), (num_truth, num_truth, 6), (random.integers(1, 15), 3))
    relations = relations[relations[:, 0] != relations[:, 1]]
    pairs = np.argwhere(~np.eye(num_predicted, dtype=bool))
    pairs = random.permutation(pairs)[: random.integers(0, len(pairs) + 1)]
    predicted = np.column_stack((pairs, random.integers(0, 6, len(pairs))))
    for row in predicted:  # some are right
        true = [r for r in relations if (order[r[0]], order[r[1]]) == tuple(row[:2])]
        if true and random.random() < 0.6:
            row[2] = true[0][2]
    return {
        "truth": truth,
        "truth_classes": truth_classes,
        "labels": np.where(labels < num_predicted, labels, -1),
        "classes": classes,
        "relations": relations,
        "predicted": predicted,
    }


def test_random_graphs(sgbench):
    random = np.random.default_rng()
    cases = [
        case for case in (random_case(random) for _ in range(GRAPHS)) if len(case["relations"])
    ]
    for case in cases:
        case["matching"] = match_segments(
            *(case[key] for key in ("truth", "truth_classes", "labels", "classes"))
        )
    plain = [{key: array.tolist() for key, array in case.items()} for case in cases]
    given = {"cases": plain, "ks": KS, "num_predicates": len(PREDICATES)}
    told = sgbench("graphs", text=json.dumps(given))
    assert len(told) == len(cases) > 0.9 * GRAPHS

    whole, ties = RecallMetrics(PREDICATES, KS), 0
    for case, theirs in zip(cases, told, strict=True):
        matching = theirs.pop("matching")
        once = [t if t not in matching[:p] else -1 for p, t in enumerate(matching)]
        assert case["matching"].tolist() == once
        ties += once != matching
        alone = RecallMetrics(PREDICATES, KS)
        for metrics in (alone, whole):
            metrics.add(
                case["relations"], case["predicted"], case["matching"], len(case["truth_classes"])
            )
        ours = alone.results()
        per_predicate = ours["per_predicate"].values()
        for k in KS:
            assert_equal(theirs[f"mR@{k}"], [scores[f"R@{k}"] for scores in per_predicate])
            assert_equal([theirs[f"R@{k}"]], [ours[f"R@{k}"]])
        assert_equal([theirs["instance_recall"]], [ours["instance_recall"]])

    ours = whole.results()
    for k in KS:
        by_predicate = np.nanmean(np.array([theirs[f"mR@{k}"] for theirs in told], float), axis=0)
        assert_equal([by_predicate.mean()], [ours[f"mR@{k}"]])
        assert_equal([np.mean([theirs[f"R@{k}"] for theirs in told])], [ours[f"R@{k}"]])
    assert_equal(
        [np.mean([theirs["instance_recall"] for theirs in told])], [ours["instance_recall"]]
    )
    recalls = {key: value for key, value in ours.items() if "R@" in key}
    print(f"{len(cases)} graphs, {ties} with two halves of one object: {recalls}")


def assert_equal(theirs, ours):
    """To 1e-12; sgbench's NaN is our None."""
    for a, b in zip(theirs, ours, strict=True):
        assert (math.isnan(a) and b is None) or math.isclose(a, b, rel_tol=0, abs_tol=1e-12), (a, b)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 24, test_share=0.9, height=64, width=80)
    return PsgDataset.open(folder, "test")


def evaluate_file(dataset, predict, path):
    """Our scores of predictions, which also go to a file; `predict(record, labels)` makes them."""
    evaluator = Evaluator(dataset.vocabulary, "sgdet")
    with sgbench_file(path, {"by": "a test"}) as file:
        for record in dataset:
            labels = record.labels()
            prediction = predict(record, labels)
            evaluator.add(record, labels, prediction)
            file.add(record.image_id, prediction.labels, prediction.class_ids, prediction.relations)
    return evaluator.results()["relations"]


def assert_same_scores(sgbench, dataset, path, ours):
    theirs = sgbench("file", dataset.path, path, dataset.mask_root)
    for k in (20, 50, 100):
        assert_equal([theirs[f"R@{k}"], theirs[f"mR@{k}"]], [ours[f"R@{k}"], ours[f"mR@{k}"]])
    assert_equal([theirs["InstR"]], [ours["instance_recall"]])
    return theirs


def test_exported_file(sgbench, dataset, tmp_path):
    random = np.random.default_rng()

    def predict(record, labels):
        """The truth with errors: shifted, segments missing, wrong classes; or nothing."""
        count = len(record.class_ids)
        kept = np.flatnonzero(
            random.random(count) < random.choice([0, 0.7, 0.9, 1], p=[0.1, 0.3, 0.3, 0.3])
        )
        number = np.full(count + 1, -1)
        number[kept] = np.arange(len(kept))
        found = number[np.roll(labels, random.integers(-3, 4), axis=1)]
        present = np.isin(np.arange(len(kept)), found)
        classes = record.class_ids[kept].copy()
        swapped = (random.random(len(kept)) < 0.1) & (classes < 6)
        classes[swapped] = random.integers(0, 6, swapped.sum())
        true = {(number[s], number[o]): p for s, o, p in record.relations}
        pairs = [
            (s, o)
            for s in range(len(kept))
            for o in range(len(kept))
            if s != o and present[s] and present[o]
        ]
        told = [
            (*pairs[i], true.get(pairs[i], 0) if random.random() < 0.7 else 5)
            for i in random.permutation(len(pairs))
        ]
        return Prediction(found, classes, np.array(told, int).reshape(-1, 3), np.ones(len(told)))

    path = tmp_path / "predictions.zip"
    ours = evaluate_file(dataset, predict, path)
    # Otherwise sgbench's mR is NaN.
    assert all(scores["relations"] for scores in ours["per_predicate"].values())
    theirs = assert_same_scores(sgbench, dataset, path, ours)
    assert 0 < theirs["mR@20"] < 1
    print(theirs)


def test_the_truth_as_prediction_scores_one(sgbench, dataset, tmp_path):
    path = tmp_path / "truth.zip"

    def oracle(record, labels):
        return Prediction(
            labels, record.class_ids, record.relations, np.ones(len(record.relations))
        )

    ours = evaluate_file(dataset, oracle, path)
    theirs = assert_same_scores(sgbench, dataset, path, ours)
    assert theirs["R@100"] == theirs["mR@100"] == theirs["InstR"] == ours["mR@inf"] == 1.0
