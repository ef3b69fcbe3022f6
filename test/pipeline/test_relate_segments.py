from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import ImageError
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.pipeline.backends.torch import TorchBackend
from dsflash_ros.pipeline.pipeline import Options, SceneGraphPipeline
from dsflash_ros.pipeline.resizing import fit_image

SIDE = 320
CONFIG = ModelConfig.for_vocabulary(
    VOCABULARY,
    size="tiny",
    image_size=SIDE,
    num_queries=5,
    neck_dim=32,
    neck_depth=2,
    neck_heads=2,
)


@pytest.fixture(scope="module")
def pipeline():
    torch.manual_seed(4)
    model = DSFlash(CONFIG)
    with torch.no_grad():
        for layer in (model.relations.location, model.relations.gate, model.relations.head):
            for parameter in layer.parameters():
                parameter.mul_(4)  # so that scores tell pairs apart
    backend = TorchBackend(model, torch.device("cpu"), torch.float32)
    return SceneGraphPipeline(backend, Header(CONFIG, VOCABULARY), "untrained")


@pytest.fixture(scope="module", params=[(480, 360), (360, 480)], ids=["portrait", "landscape"])
def record(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, 1, seed=2, height=request.param[0], width=request.param[1])
    return PsgDataset.open(folder)[0]


@torch.no_grad()
def relate_pair_by_pair(pipeline, record, tome_ratio=0.0, pruning=False):
    """By directed pair the logits; nothing is shared between pairs, masks are resized one after the
    other.
    """
    stage, labels = pipeline.model.relations, record.labels()
    image = torch.from_numpy(fit_image(record.image(), Letterbox(*labels.shape, SIDE))).permute(
        2, 0, 1
    )
    features = pipeline.model.segmenter(image[None] / 255, tome_ratio=tome_ratio).features
    patches = stage.prepare(features)[0]
    scale = SIDE / max(labels.shape)
    centres = [
        ((np.arange(round(side * scale)) + 0.5) / scale).astype(int) for side in labels.shape
    ]
    coverage, boxes = [], []
    for segment in range(len(record.class_ids)):
        mask = labels == segment
        small = np.zeros((SIDE, SIDE), np.float32)
        small[: len(centres[0]), : len(centres[1])] = mask[np.ix_(*centres)]
        coverage.append(F.avg_pool2d(torch.from_numpy(small)[None], 48).flatten())
        y, x = np.nonzero(mask)
        corners = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) * scale
        boxes.append(torch.from_numpy(corners / (SIDE / 2) - 1).float())
    logits = {}
    for a, b in combinations(range(len(coverage)), 2):
        tokens = patches + stage.mask_embedding(coverage[a][None], coverage[b][None])[0]
        positions = stage.positions[0]
        if pruning:
            touched = (coverage[a] > 0) | (coverage[b] > 0)
            tokens, positions = tokens[touched], positions[touched]
        location = stage.location(torch.cat((boxes[a], boxes[b])))
        tokens = torch.cat((torch.stack((stage.class_token, location)), tokens))
        x = stage.neck(tokens[None], positions[None])
        logits[a, b], logits[b, a] = stage.head(stage.disentangle(x))[0]
    return logits


@pytest.mark.parametrize(
    "options", [{}, {"pruning": True}, {"tome_ratio": 0.5}], ids=["plain", "pruned", "merged"]
)
def test_given_segments_are_related_as_pair_by_pair(pipeline, record, options):
    pipeline.options = Options(**options)
    ranked = pipeline.relate_segments(record.image(), record.labels(), len(record.class_ids))
    expected = relate_pair_by_pair(pipeline, record, **options)
    scores = {pair: torch.sigmoid(-logits[0]).item() for pair, logits in expected.items()}
    assert ranked.scores.tolist() == sorted(ranked.scores.tolist(), reverse=True)
    found = dict(zip(map(tuple, ranked.pairs.tolist()), ranked.scores.tolist(), strict=True))
    assert found == pytest.approx(scores, abs=1e-5)
    for pair, predicate in zip(ranked.pairs.tolist(), ranked.predicates, strict=True):
        others = expected[tuple(pair)][1:]
        assert others[predicate] >= others.max() - 1e-4
    if options:
        plain = relate_pair_by_pair(pipeline, record)
        changes = [
            abs(torch.sigmoid(-plain[pair][0]).item() - score) for pair, score in scores.items()
        ]
        assert max(changes) > 1e-3, "the option changes something, so that the test can fail"


def test_predcls_leaves_out_relations_below_the_threshold(pipeline, record):
    from dsflash_ros.evaluation.prediction import predict

    pipeline.options = Options(relation_threshold=0, max_relations=0xFFFF)
    labels = record.labels()
    ranked = pipeline.relate_segments(record.image(), labels, len(record.class_ids))
    threshold = float(ranked.scores[[2, 3]].mean())
    assert ranked.scores[2] > threshold > ranked.scores[3]
    pipeline.options = Options(relation_threshold=threshold, max_relations=0xFFFF)
    assert np.array_equal(
        predict(pipeline, record, labels, "predcls").relations[:, :2], ranked.pairs[:3]
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"labels": lambda labels: labels[:100]}, r"image's shape, .*; got .* of shape \(100, "),
        ({"labels": lambda labels: labels[:0]}, r"got .* array of shape \(0, "),
        ({"labels": lambda labels: labels + 0.0}, "whole numbers, -1 to .*; got float64 array"),
        ({"labels": lambda labels: labels >= 0}, "; got bool array"),
        ({"labels": lambda labels: labels.tolist()}, "; got list"),
        ({"labels": lambda labels: np.where(labels == 0, -7, labels)}, "; got -7 to "),
        ({"labels": lambda labels: labels + 1}, "whole numbers, -1 to .*; got "),
        ({"count": -1}, "count of segments must be a whole number, 0 or more, got -1"),
        ({"count": 2.0}, "count of segments must be a whole number, 0 or more, got 2.0"),
        ({"class_ids": lambda ids: [*ids, 0]}, "one for each of the .* segments, got int64 of"),
        ({"class_ids": lambda ids: ids[1:]}, "one for each of the .* segments, got "),
        ({"class_ids": lambda ids: ids + 0.5}, "class_ids must be whole numbers, .* got float64"),
        ({"class_ids": lambda ids: ids * 0 + 300}, "vocabulary, 0 to .*, or -1 .*, got 300 to 300"),
        ({"class_ids": lambda ids: ids * 0 - 5}, "vocabulary, 0 to .*, or -1 .*, got -5 to -5"),
    ],
)
def test_given_segments_that_cannot_be(pipeline, record, given, says):
    right = {
        "labels": record.labels(),
        "count": len(record.class_ids),
        "class_ids": np.array(record.class_ids),
    }
    changed = {
        name: change(right[name]) if callable(change) else change for name, change in given.items()
    }
    with pytest.raises(ImageError, match=says):
        pipeline.relate_segments(record.image(), **(right | changed))


def test_classes_of_given_segments_are_of_the_asked_names(pipeline, record):
    pipeline.ask(classes=VOCABULARY.things[:1], stuff_classes=VOCABULARY.stuff[:1])
    count = len(record.class_ids)
    given = record.image(), record.labels(), count
    assert len(pipeline.relate_segments(*given, [1] * count).pairs) == count * (count - 1)
    with pytest.raises(ImageError, match="vocabulary, 0 to 1, or -1 where unknown, got 2 to 2"):
        pipeline.relate_segments(*given, [2] * count)
    pipeline.ask()
