"""Reports of parts, merged, against the evaluation of all images at once."""

from dataclasses import replace

import numpy as np
import pytest
from reports import report

from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.merged_report import mean_scores, merge_reports
from dsflash_ros.evaluation.prediction import Prediction
from dsflash_ros.evaluation.report import Report
from dsflash_ros.evaluation.runner import Evaluator

CLASSES, PREDICATES = len(VOCABULARY.classes), len(VOCABULARY.predicates)


class Image:
    """A record as far as `Evaluator` reads it."""

    def __init__(self, generator, number):
        count = int(generator.integers(2, 7))
        self.image_id, self.stamp = str(number), None
        self.class_ids = generator.integers(0, CLASSES, count)
        self.crowd = np.zeros(count, bool)
        pairs = [(s, o) for s in range(count) for o in range(count) if s != o]
        chosen = generator.permutation(len(pairs))[: generator.integers(0, len(pairs))]
        self.relations = np.array(
            [(*pairs[n], generator.integers(PREDICATES)) for n in chosen], np.int64
        ).reshape(-1, 3)
        self.truth = generator.integers(-1, count, (4, 5)).repeat(4, 0).repeat(4, 1)


def predicted(image, generator):
    """Its truth with faults; each directed pair once, each thing class's segments apart."""
    labels, classes = image.truth.copy(), image.class_ids.copy()
    labels[generator.random(labels.shape) < 0.1] = -1
    wrong = generator.random(len(classes)) < 0.2
    classes[wrong] = generator.integers(0, len(VOCABULARY.things), wrong.sum())
    stuff = classes >= len(VOCABULARY.things)
    repeated = stuff & ~np.isin(np.arange(len(classes)), np.unique(classes, return_index=True)[1])
    classes[repeated] = 0
    relations = image.relations[generator.permutation(len(image.relations))]
    wrong = generator.random(len(relations)) < 0.3
    relations[wrong, 2] = generator.integers(0, PREDICATES, wrong.sum())
    scores = np.sort(generator.random(len(relations)))[::-1]
    return Prediction(labels, classes, relations, scores)


def evaluated(images, protocol, relates=True):
    evaluator = Evaluator(VOCABULARY, protocol, relates)
    for image, prediction in images:
        if protocol == "predcls":
            prediction = replace(prediction, labels=image.truth, class_ids=image.class_ids)
        evaluator.add(image, image.truth, prediction)
    results = {**evaluator.results(), "latency_ms": None}
    return replace(report(protocol=protocol), **results, speed=None)


@pytest.fixture(params=range(5))
def images(request):
    generator = np.random.default_rng(request.param)
    found = [Image(generator, number) for number in range(24)]
    return [(image, predicted(image, generator)) for image in found]


@pytest.mark.parametrize("protocol", ["sgdet", "predcls"])
def test_merged_it_is_as_evaluated_together(images, protocol, tmp_path):
    parts = {}
    for name, some in (("a", images[:3]), ("b", images[3:17]), ("c", images[17:])):
        evaluated(some, protocol).write(tmp_path / name)
        parts[name] = Report.read(tmp_path / name)
    merged, whole = merge_reports(parts, VOCABULARY), evaluated(images, protocol)
    assert_close(merged.relations, whole.relations)
    assert_close(merged.panoptic, whole.panoptic)
    assert merged.relations["R@50"] > 0.3
    names = [f"a/{n}" for n in range(3)] + [f"b/{n}" for n in range(3, 17)]
    assert [image["image"] for image in merged.images[:17]] == names
    assert merged.dataset["name"] == "3 bags"
    assert merged.dataset["images"] == 3 * whole.dataset["images"]


def test_weights_that_do_not_relate(images):
    parts = {str(n): evaluated(images[n::2], "sgdet", relates=False) for n in (0, 1)}
    merged, whole = merge_reports(parts, VOCABULARY), evaluated(images, "sgdet", relates=False)
    assert_close(merged.relations, whole.relations)
    assert merged.relations["mR@50"] is None and merged.relations["mR@inf"] > 0


def test_other_weights_are_refused(images):
    one = evaluated(images, "sgdet")
    other = replace(one, weights={**one.weights, "sha256": "1" * 64})
    with pytest.raises(EvaluationError, match="not those with which b was evaluated"):
        merge_reports({"a": one, "b": other}, VOCABULARY)


def test_scores_of_tracks_are_means_without_what_is_unknown():
    one = {"frames": 3, "HOTA": 0.5, "delay": None, "raw": {"F1": 0.2}, "positions": None}
    other = {"frames": 4, "HOTA": 0.7, "delay": 2, "raw": {"F1": 0.6}, "positions": {"median": 1}}
    assert mean_scores([one, other]) == {
        "frames": 7,
        "HOTA": pytest.approx(0.6),
        "delay": 2,
        "raw": {"F1": pytest.approx(0.4)},
        "positions": {"median": 1},
    }
    assert mean_scores([]) is None


def assert_close(found, expected):
    """Nested numbers, to what six digits of an image's IoUs allow."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_close(found[key], expected[key])
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other)
    else:
        assert found == (expected if expected is None else pytest.approx(expected, abs=1e-6))
