import json
from datetime import timedelta

import numpy as np
import pytest
import torch

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.graph.vocabulary import Vocabulary

VOCABULARY = Vocabulary(things=("cat", "dog", "cow"), stuff=("sky", "sea"), predicates=("on",))


def loop_quality(images):
    """The definition of Kirillov et al. (CVPR 2019), segment by segment.

    Returns (classes, 4): sum of IoUs, true positives, false positives, false negatives.
    """
    counts = np.zeros((5, 4))
    for truth_labels, truth_classes, crowd, labels, classes in images:
        void = np.isin(truth_labels, [-1, *np.flatnonzero(crowd)])
        truths = [(c, truth_labels == t) for t, c in enumerate(truth_classes) if not crowd[t]]
        predictions = [(c, labels == p) for p, c in enumerate(classes)]
        truths, predictions = (
            [(c, m) for c, m in some if m.any()] for some in (truths, predictions)
        )
        matched = set()
        for true_class, truth in truths:
            hit = False
            for number, (predicted_class, mask) in enumerate(predictions):
                union = (truth | (mask & ~void)).sum()
                iou = (truth & mask).sum() / union
                if predicted_class == true_class and iou > 0.5:
                    counts[true_class] += iou, 1, 0, 0
                    matched.add(number)
                    hit = True
            counts[true_class, 3] += not hit
        for number, (predicted_class, mask) in enumerate(predictions):
            if number not in matched and (mask & void).sum() / mask.sum() <= 0.5:
                counts[predicted_class, 2] += 1
    return counts


def means(counts, chosen):
    rows = [row for row in counts[chosen] if row[1:].any()]
    sq = [iou / hits if hits else 0 for iou, hits, _, _ in rows]
    rq = [hits / (hits + wrong / 2 + missed / 2) for _, hits, wrong, missed in rows]
    return [
        np.mean(v) if rows else None for v in ([a * b for a, b in zip(sq, rq, strict=True)], sq, rq)
    ]


def random_image(random):
    """Blocky maps; stuff is one segment a class; the prediction is often the truth with errors."""
    classes = np.r_[
        random.integers(0, 3, random.integers(1, 4)),
        random.permutation([3, 4])[: random.integers(0, 3)],
    ]
    truth = np.kron(random.integers(-1, len(classes), (4, 5)), np.ones((3, 3), int))
    crowd = (random.random(len(classes)) < 0.2) & (classes < 3)
    noise = np.kron(random.integers(-1, len(classes), (6, 5)), np.ones((2, 3), int))
    labels = np.where(random.random(truth.shape) < random.choice([0.5, 0.8, 0.95]), truth, noise)
    predicted = classes.copy()
    things = predicted < 3
    predicted[things] = np.where(
        random.random(things.sum()) < 0.8, predicted[things], random.integers(0, 3)
    )
    return truth, classes, crowd, labels, predicted


def test_agrees_with_a_loop():
    random = np.random.default_rng()
    for _ in range(25):
        images = [random_image(random) for _ in range(random.integers(1, 6))]
        metric = PanopticQuality(VOCABULARY)
        for image in images:
            metric.add(*image)
        found, counts = metric.results(), loop_quality(images)
        for suffix, chosen in (
            ("", slice(0, 5)),
            ("_things", slice(0, 3)),
            ("_stuff", slice(3, 5)),
        ):
            expected = means(counts, chosen)
            assert [found[f"{q}{suffix}"] for q in ("PQ", "SQ", "RQ")] == pytest.approx(
                expected, abs=1e-12
            )
        for name, scores in found["per_class"].items():
            index = VOCABULARY.classes.index(name)
            assert [scores[q] for q in ("PQ", "SQ", "RQ")] == pytest.approx(
                means(counts, [index]), abs=1e-12
            )
            assert scores["segments"] == counts[index, 1] + counts[index, 3]
        assert set(found["per_class"]) == {
            VOCABULARY.classes[i] for i in np.flatnonzero(counts[:, 1:].any(1))
        }


def test_agrees_with_torchmetrics():
    """With nothing void in the prediction: theirs takes that for a class of its own."""
    detection = pytest.importorskip("torchmetrics.detection")

    def coloured(labels, classes, nothing):
        classes = np.append(classes, nothing)[labels]
        return torch.from_numpy(np.stack((classes, labels), -1))[None]

    random, ours = np.random.default_rng(), PanopticQuality(VOCABULARY)
    theirs = detection.PanopticQuality(
        {0, 1, 2}, {3, 4, 5}, return_sq_and_rq=True, return_per_class=True
    )
    for _ in range(20):
        truth, classes, crowd, labels, predicted = random_image(random)
        ours.add(truth, classes, crowd, labels, predicted)
        theirs.update(
            coloured(labels, predicted, 5), coloured(truth, np.where(crowd, -1, classes), -1)
        )
    found, expected = ours.results()["per_class"], theirs.compute().tolist()
    for name, scores in found.items():
        in_their_order = expected[VOCABULARY.classes.index(name)]
        ours_in_order = [scores[q] for q in ("PQ", "SQ", "RQ")]
        assert ours_in_order == pytest.approx(in_their_order, abs=1e-6), "theirs are float32"


def test_perfect_is_one():
    metric = PanopticQuality(VOCABULARY)
    truth, classes, *_ = random_image(np.random.default_rng())
    metric.add(truth, classes, np.zeros(len(classes), bool), truth, classes)
    assert metric.results()["PQ"] == metric.results()["SQ"] == metric.results()["RQ"] == 1.0


def test_predicting_nothing_misses_everything():
    truth, nothing = np.repeat([[0, 1]], 2, axis=0), np.full((2, 2), -1)
    metric = PanopticQuality(VOCABULARY)
    metric.add(truth, [0, 3], [False, False], nothing, [])
    assert metric.results()["PQ"] == 0.0 and set(metric.results()["per_class"]) == {"cat", "sky"}


def test_pixels_without_prediction_lower_the_iou():
    truth = np.zeros((4, 4), int)
    labels = truth.copy()
    labels[0] = -1
    metric = PanopticQuality(VOCABULARY)
    metric.add(truth, [0], [False], labels, [0])
    assert metric.results()["SQ"] == 0.75


def test_void_and_crowds_excuse_predictions():
    truth = np.repeat([[0, 0, 1, -1]], 4, axis=0)
    labels = np.repeat([[0, 0, 1, 2]], 4, axis=0)
    metric = PanopticQuality(VOCABULARY)
    metric.add(truth, [0, 1], [False, True], labels, [0, 2, 1])
    assert metric.results()["PQ"] == 1.0 and list(metric.results()["per_class"]) == ["cat"]


def test_classes_that_never_occur_do_not_count():
    metric = PanopticQuality(VOCABULARY)
    metric.add(np.zeros((2, 2), int), [1], [False], np.zeros((2, 2), int), [1])
    found = metric.results()
    assert found["PQ"] == found["PQ_things"] == 1.0 and found["PQ_stuff"] is None
    assert PanopticQuality(VOCABULARY).results()["PQ"] is None


def half_of_the_images(_, folder, rank=0):
    """Count them in a process group of two; the results go to a file."""
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=120),
    )
    metric, random = PanopticQuality(VOCABULARY), np.random.default_rng(5)
    for number in range(6):
        image = random_image(random)
        if number % 2 == rank:
            metric.add(*image)
    (folder / f"{rank}.json").write_text(json.dumps(metric.results()))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_count_together(tmp_path):
    """Another process and this one."""
    other = torch.multiprocessing.spawn(half_of_the_images, (tmp_path, 1), nprocs=1, join=False)
    half_of_the_images(0, tmp_path)
    other.join()
    metric, random = PanopticQuality(VOCABULARY), np.random.default_rng(5)
    for _ in range(6):
        metric.add(*random_image(random))
    expected = metric.results()
    for rank in range(2):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found.pop("per_class").keys() == expected["per_class"].keys()
        assert found == pytest.approx(
            {k: v for k, v in expected.items() if k != "per_class"}, abs=1e-12
        )


def test_maps_that_name_other_segments_are_refused():
    metric, labels = PanopticQuality(VOCABULARY), np.zeros((2, 2), int)
    with pytest.raises(EvaluationError, match="predict at the image's own resolution"):
        metric.add(labels, [0], [False], np.zeros((2, 3), int), [0])
    with pytest.raises(
        EvaluationError, match="the predicted label map names segments 0 to 0, but there are 0"
    ):
        metric.add(labels, [0], [False], labels, [])
    assert metric.results()["PQ"] is None
