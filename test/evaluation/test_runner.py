import numpy as np
import pytest
import torch

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import DatasetError, EvaluationError
from dsflash_ros.evaluation.prediction import Prediction
from dsflash_ros.evaluation.runner import Evaluator, evaluate
from dsflash_ros.graph.scene_graph import NOTHING, Node, Relation, SceneGraph, pack_panoptic
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.ranking import RankedRelations
from dsflash_ros.pipeline.pipeline import Options
from dsflash_ros.pipeline.translation import Translation


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 5, height=64, width=80)
    return PsgDataset.open(folder)


class Oracle:
    """A pipeline that predicts the truth of a data set."""

    vocabulary, weights, relates, device = VOCABULARY, "oracle", True, "cpu"
    translation = Translation.without_change(VOCABULARY)
    options = Options(relation_threshold=0.0, max_relations=0xFFFF)

    def __init__(self, dataset):
        self._records = {record.image().tobytes(): record for record in dataset}

    def __call__(self, rgb, stamp):
        record = self._records[rgb.tobytes()]
        labels = record.labels()
        packed = np.append(
            pack_panoptic(record.class_ids, np.arange(len(record.class_ids))), NOTHING
        )[labels]
        nodes = [
            Node(i, int(c), "", True, 1.0, (0, 0, 1, 1), 1, (0.0, 0.0))
            for i, c in enumerate(record.class_ids)
        ]
        relations = [Relation(s, o, p, "", 1.0) for s, o, p in record.relations.tolist()]
        return SceneGraph(tuple(nodes), tuple(relations), packed.astype(np.int32))

    def relate_segments(self, rgb, labels, count, class_ids):
        relations = torch.from_numpy(self._records[rgb.tobytes()].relations)
        return RankedRelations(
            relations[:, :2], relations[:, 2], torch.linspace(1, 0, len(relations))
        )


@pytest.mark.parametrize("protocol", ["sgdet", "predcls"])
def test_perfect_predictions_score_exactly_one(dataset, protocol):
    found = evaluate(Oracle(dataset), dataset, protocol).results()
    scores = {
        k: v
        for k, v in found["relations"].items()
        if k in ("R@100", "mR@100", "mR@inf", "instance_recall")
    }
    assert scores == dict.fromkeys(scores, 1.0) and len(scores) == 4
    assert found["relations"]["images"] == 5
    assert found["relations"]["thresholds"]["0.1"]["precision"] == 1.0
    if protocol == "predcls":
        assert found["panoptic"] is None
    else:
        assert all(v == 1.0 for k, v in found["panoptic"].items() if k != "per_class")


def test_predcls_heeds_the_options(dataset):
    oracle = Oracle(dataset)
    oracle.options = Options(relation_threshold=0.5, max_relations=3)
    found = evaluate(oracle, dataset, "predcls").results()["relations"]
    shares = [
        min(3, sum(np.linspace(1, 0, len(r.relations)) >= 0.5)) / len(r.relations) for r in dataset
    ]
    assert found["R@100"] == pytest.approx(np.mean(shares), abs=1e-12)


def test_limit(dataset):
    assert (
        evaluate(Oracle(dataset), dataset, "predcls", limit=2).results()["relations"]["images"] == 2
    )
    assert (
        evaluate(Oracle(dataset), dataset, "predcls", limit=99).results()["relations"]["images"]
        == 5
    )


def test_without_a_relation_stage_recall_is_unknown_and_not_zero(dataset):
    oracle = Oracle(dataset)
    oracle.relates = False
    found = evaluate(oracle, dataset, "sgdet").results()
    assert found["relations"]["R@20"] is found["relations"]["mR@50"] is None
    assert (
        found["relations"]["mR@inf"]
        == found["relations"]["instance_recall"]
        == found["panoptic"]["PQ"]
        == 1.0
    )
    assert found["relations"]["per_predicate"]["on"]["R@50"] is None
    assert "thresholds" not in found["relations"]
    with pytest.raises(EvaluationError, match="no trained relation stage"):
        evaluate(oracle, dataset, "predcls")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"predicates": ("inside", "in front of", "under")},
            "but of 'under' for 'on' among the predicates",
        ),
        ({"things": VOCABULARY.things[:-1]}, "but of 'nothing' for 'bar' among the things"),
        ({"stuff": (*VOCABULARY.stuff, "sea")}, "but of 'sea' for 'nothing' among the stuff"),
    ],
)
def test_another_vocabulary(dataset, change, sentence):
    oracle = Oracle(dataset)
    oracle.vocabulary = Vocabulary(
        **{k: change.get(k, getattr(VOCABULARY, k)) for k in ("things", "stuff", "predicates")}
    )
    with pytest.raises(EvaluationError, match=sentence):
        evaluate(oracle, dataset, "sgdet")


def test_an_image_that_cannot_be_read_ends_the_run(tmp_path):
    write_shapes(tmp_path, 2, height=64, width=80)
    dataset = PsgDataset.open(tmp_path)
    oracle = Oracle(dataset)
    dataset[1].image_path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="000001"):
        evaluate(oracle, dataset, "sgdet")


def test_a_violation_names_the_image(dataset):
    record = dataset[0]
    sky, labels = VOCABULARY.classes.index("sky"), record.labels()
    evaluator = Evaluator(VOCABULARY, "sgdet")
    with pytest.raises(
        EvaluationError, match=f"image {record.image_id}: the stuff class {sky} is predicted"
    ):
        evaluator.add(
            record, labels, Prediction(labels * 0, np.array([sky, sky]), np.zeros((0, 3), int), [])
        )
    with pytest.raises(EvaluationError, match=f"image {record.image_id}: the directed pair"):
        twice = np.array([(0, 1, 0), (0, 1, 1)])
        evaluator.add(record, labels, Prediction(labels, record.class_ids, twice, np.ones(2)))
    with pytest.raises(EvaluationError, match="protocol must be one of predcls, sgdet"):
        Evaluator(VOCABULARY, "phrdet")


@pytest.mark.parametrize("protocol", ["sgdet", "predcls"])
def test_an_observer_sees_each_image_and_what_matches(dataset, protocol):
    seen = []
    evaluate(Oracle(dataset), dataset, protocol, limit=3, observers=[seen.append])
    assert [one.record.image_id for one in seen] == [dataset[k].image_id for k in range(3)]
    for one in seen:
        assert one.matching.tolist() == list(range(len(one.record.class_ids)))
        assert (one.truth_labels == one.prediction.labels).all()
        assert (one.prediction.graph is None) == (protocol == "predcls")
