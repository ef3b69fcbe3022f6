import numpy as np
import pytest
import torch
from pair_inputs import pair_inputs
from torchmetrics.functional.classification import binary_calibration_error

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.calibration import Calibration, Reliability, merged_reliability
from dsflash_ros.model.ranking import rank_relations
from dsflash_ros.model.relaters.dsflash import DSFlashRelations


def drawn(count, slope, intercept, seed=0):
    """Scores, and outcomes that are true as often as the map of the scores says."""
    random = np.random.default_rng(seed)
    scores = random.beta(0.4, 0.6, count)
    return scores, random.random(count) < Calibration(slope, intercept).map(scores)


def counted(*images):
    reliability = Reliability()
    for image in images:
        reliability.add(*image)
    return reliability


def test_precision_and_recall_are_over_all_images():
    found = counted(([0.95, 0.6, 0.2], [1, 0, 1], 4), ([0.5], [1], 1), ([], [], 3)).results()[
        "thresholds"
    ]
    assert found["0.1"] == {"relations": 4 / 3, "precision": 3 / 4, "recall": 3 / 8}
    assert found["0.5"] == {"relations": 1, "precision": 2 / 3, "recall": 2 / 8}
    assert found["0.9"] == {"relations": 1 / 3, "precision": 1, "recall": 1 / 8}
    assert counted(([0.6], [0], 0)).results()["thresholds"]["0.9"] == dict(
        relations=0, precision=None, recall=None
    )
    assert Reliability().results()["calibration_error"] is None


def test_the_calibration_error_is_that_of_torchmetrics():
    scores, true = drawn(3000, 0.6, -1)
    related = scores >= 0.1
    theirs = binary_calibration_error(
        torch.tensor(scores[related]), torch.tensor(true[related]).int(), n_bins=10
    )
    ours = counted((scores[:1000], true[:1000], 9), (scores[1000:], true[1000:], 9)).results()[
        "calibration_error"
    ]
    assert ours == pytest.approx(float(theirs), abs=1e-6) and ours > 0.05


def test_the_fit_is_the_most_likely_map():
    optimize = pytest.importorskip("scipy.optimize")
    scores, true = drawn(2000, 0.7, -1.8, seed=3)

    def surprise(weights):
        p = Calibration(*weights).map(scores)
        return -np.where(true, np.log(p), np.log1p(-p)).mean()

    reference = optimize.minimize(
        surprise, (1, 0), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}
    ).x
    found = counted((scores, true, 1)).fit()
    assert (found.slope, found.intercept) == pytest.approx(tuple(reference), abs=1e-4)


def test_the_fit_finds_the_map_that_was_there():
    scores, true = drawn(200_000, 0.7, -1.8)
    reliability = counted((scores, true, int(true.sum())))
    found = reliability.fit()
    assert (found.slope, found.intercept) == pytest.approx((0.7, -1.8), abs=0.05)
    assert reliability.results()["calibration_error"] == reliability.calibration_error() > 0.15
    assert reliability.calibration_error(found) < 0.01


def test_a_calibrated_stage_scores_as_the_map_says_and_ranks_as_before():
    torch.manual_seed(1)
    stage = DSFlashRelations(8, 48, 1, num_predicates=6, dim=16, depth=1, heads=2)
    pairs = torch.combinations(torch.arange(10))
    inputs = pair_inputs(
        prepared=stage.prepare(4 * torch.randn(10, 8, 3, 3)),
        coverage=torch.rand(10, 1),
        boxes=4 * torch.randn(10, 4),
        images=torch.arange(10),
        pairs=pairs,
    )
    before = rank_relations(stage(inputs), pairs)
    calibration = Calibration(0.7, -1.8)
    stage.rescale(calibration.slope, calibration.intercept)
    after = rank_relations(stage(inputs), pairs)
    assert torch.equal(before.pairs, after.pairs)
    assert torch.equal(before.predicates, after.predicates)
    np.testing.assert_allclose(
        after.scores.detach(), calibration.map(before.scores.detach().numpy()), atol=1e-6
    )


def test_what_cannot_be_calibrated():
    with pytest.raises(EvaluationError, match="of 2 predicted relations 0 are true"):
        counted(([0.3, 0.9], [0, 0], 1)).fit()
    with pytest.raises(EvaluationError, match="of 0 predicted relations 0 are true"):
        Reliability().fit()
    with pytest.raises(EvaluationError, match="true less often"):
        counted(([0.2, 0.4, 0.6, 0.8], [1, 1, 0, 0], 2), ([0.3, 0.7], [0, 1], 2)).fit()


@pytest.mark.parametrize(("score", "share"), [(0.9, 0.1), (0.9, 0.99), (0.0, 0.5), (1.0, 0.5)])
def test_scores_that_are_all_the_same_cannot_be_calibrated(score, share):
    with pytest.raises(EvaluationError, match=f"all 100 predicted relations score {score:.3g}, "):
        counted(([score] * 100, np.arange(100) < 100 * share, 50)).fit()


def test_bins_of_scores_add_up():
    scores, true = drawn(3000, 0.6, -1)
    bins = counted((scores[:1000], true[:1000], 9), (scores[1000:], true[1000:], 9)).results()[
        "score_bins"
    ]
    assert sum(one["relations"] for one in bins) == 3000 and len(bins) == 10
    assert sum(one["relations"] * one["true"] for one in bins) == pytest.approx(true.sum())
    assert all(int(one["score"] * 10) == number for number, one in enumerate(bins))
    assert Reliability().results()["score_bins"] == []


@pytest.mark.parametrize("score", [0.1, 0.3, 0.7, 0.7 - 1e-7])
def test_bins_of_equal_scores_stay_theirs_when_merged(score):
    """The mean of three scores of 0.7 is rounded to less than 0.7, where another bin is."""
    images = ([score] * 3, [1, 1, 0], 3), ([score, 0.695], [0, 0], 0), ([score] * 3, [1, 0, 1], 3)
    merged = merged_reliability([counted(image).results() for image in images])
    together = counted(*images).results()
    assert merged["calibration_error"] == pytest.approx(together["calibration_error"])
    for one, other in zip(merged["score_bins"], together["score_bins"], strict=True):
        assert one == pytest.approx(other)
