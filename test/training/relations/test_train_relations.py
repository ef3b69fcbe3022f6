"""What `dsflash train relations` prepares, and which weights it keeps."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("lightning")
pytest.importorskip("pydantic")

import torch
from runs import CELLS, CONFIG, weights_of

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import ConfigError, WeightsError
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, load_checkpoint, read_header, save_checkpoint
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.relations.relation_data import RelationSamples
from dsflash_ros.training.relations.train_relations import filled_cache, prepare_model
from dsflash_ros.training.run.saving import KeepWeights


def configured(*settings, segmenter="s"):
    given = ["dataset=d", "out=o", f"segmenter={segmenter}", "augmentation=none", *settings]
    return load_config(RelationConfig, "tiny", given, "relations")


def finish_epoch(keep, epoch, score):
    """As a trainer would; the weights say the epoch.

    Returns which epochs the best and the last weights are of.
    """
    model = DSFlash(CONFIG)
    with torch.no_grad():
        model.relations.class_token.fill_(epoch)
    trainer = SimpleNamespace(
        callback_metrics={"val/mR@50": torch.tensor(score)},
        current_epoch=epoch,
        is_global_zero=True,
        save_checkpoint=lambda path: None,
    )
    keep.on_train_epoch_end(trainer, SimpleNamespace(model=model))
    paths = [keep.out / name for name in ("best.safetensors", "last.safetensors")]
    tokens = [int(weights_of(path)["relations.class_token"][0]) for path in paths]
    assert [read_header(path).recipe["epochs_done"] - 1 for path in paths] == tokens
    return tokens


def test_the_best_weights_are_those_of_the_highest_score_and_of_ties_the_later_ones(tmp_path):
    header, scores = Header(CONFIG, VOCABULARY), (0.1, 0.3, 0.2, 0.3)
    keep = KeepWeights(tmp_path, header, "val/mR@50")
    assert [finish_epoch(keep, *each)[0] for each in enumerate(scores)] == [0, 1, 1, 3]
    assert read_header(tmp_path / "best.safetensors").scores == {"val/mR@50": 0.3}
    resumed = KeepWeights(tmp_path, header, "val/mR@50")
    resumed.load_state_dict(keep.state_dict())
    assert finish_epoch(resumed, 4, 0.2) == [3, 4]
    assert finish_epoch(resumed, 5, 0.4) == [5, 5]
    lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["val/mR@50"]) for line in lines] == list(
        enumerate((*scores, 0.2, 0.4), 1)
    )


def test_without_a_score_the_last_epoch_is_the_best(tmp_path):
    keep = KeepWeights(tmp_path, Header(CONFIG, VOCABULARY), None)
    assert [finish_epoch(keep, *each) for each in enumerate((0.3, 0.1))] == [[0, 0], [1, 1]]


def test_features_are_cached_in_the_precision_of_the_run(folder, tmp_path):
    records, model = list(PsgDataset.open(folder / "data", "train"))[:3], DSFlash(CONFIG).eval()
    samples = RelationSamples(records, CONFIG, *CELLS)
    images = torch.stack([samples[index].image for index in range(len(records))]) / 255
    cached = {}
    for precision in ("float32", "bfloat16"):
        config = configured(
            f"precision={precision}", f"feature_cache={tmp_path}", "device=cpu", "workers=0"
        )
        cache = filled_cache(config, model, Header(CONFIG, VOCABULARY), records)
        with (
            torch.inference_mode(),
            torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"),
        ):
            expected = model.segmenter.features(images).bfloat16()
        cached[precision] = torch.stack([cache.load(record, False)[0] for record in records])
        assert torch.equal(cached[precision], expected)
    assert not torch.equal(*cached.values())


def test_features_of_auto_are_those_of_the_precision_that_it_means(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("dsflash_ros.pipeline.device.has_bfloat16", lambda: True)
    records, model = list(PsgDataset.open(folder / "data", "train"))[:2], DSFlash(CONFIG).eval()
    found = []
    for precision in ("bfloat16", "auto"):
        cached = f"feature_cache={tmp_path / precision}"
        config = configured(f"precision={precision}", cached, "device=cpu", "workers=0")
        cache = filled_cache(config, model, Header(CONFIG, VOCABULARY), records)
        found.append(torch.stack([cache.load(record, False)[0] for record in records]))
    assert torch.equal(*found)


def test_a_new_relation_stage_is_for_the_data_sets_predicates(folder):
    segmenter = folder / "segmenter.safetensors"
    vocabulary = replace(VOCABULARY, predicates=("near", "far"))
    config = configured(
        "neck_dim=16", "neck_depth=1", "neck_heads=4", "seed=9", segmenter=segmenter
    )
    model, header = prepare_model(config, vocabulary)
    assert header.vocabulary == vocabulary
    assert header.trained == ("segmenter", "relations")
    assert (
        header.config
        == model.config
        == replace(CONFIG, num_predicates=2, neck_dim=16, neck_depth=1, neck_heads=4)
    )
    assert model.relations.head[-1].out_features == 3
    assert header.recipe["relations"]["seed"] == 9
    stored = load_checkpoint(segmenter)[0].segmenter.state_dict()
    assert all(
        torch.equal(stored[name], tensor) for name, tensor in model.segmenter.state_dict().items()
    )
    again, _ = prepare_model(config, vocabulary)
    other, _ = prepare_model(config.model_copy(update={"seed": 8}), vocabulary)
    weights = [each.relations.head[0].weight for each in (model, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("change", "trained", "message"),
    [
        (
            {"things": VOCABULARY.things[::-1]},
            ("segmenter",),
            "does not know the data set's classes",
        ),
        ({"stuff": ("sky", "sea")}, ("segmenter",), "does not know the data set's classes"),
        ({"stuff": ("sky",)}, ("segmenter",), "does not know the data set's classes"),
        (
            {"things": (*VOCABULARY.things, "sky"), "stuff": ("ground",)},
            ("segmenter",),
            "does not know the data set's classes",
        ),
        ({}, (), "is untrained; train it first"),
        ({}, ("relations",), "is untrained; train it first"),
    ],
)
def test_segmenters_that_cannot_be_used(change, trained, message, tmp_path):
    path = tmp_path / "s.safetensors"
    save_checkpoint(path, DSFlash(CONFIG), Header(CONFIG, VOCABULARY, trained=trained))
    with pytest.raises(WeightsError, match=message):
        prepare_model(configured(segmenter=path), replace(VOCABULARY, **change))


def test_kept_relations_stay_as_they_are(tmp_path):
    path = tmp_path / "s.safetensors"
    save_checkpoint(
        path,
        DSFlash(CONFIG),
        Header(CONFIG, VOCABULARY, recipe={"calibration": {}, "segmenter": {}}),
    )
    sizes = ["neck_dim=null", "neck_depth=null", "neck_heads=null", "keep_relations=true"]
    model, header = prepare_model(configured(*sizes, segmenter=path), VOCABULARY)
    expected = load_checkpoint(path)[0].state_dict()
    assert all(torch.equal(expected[name], tensor) for name, tensor in model.state_dict().items())
    assert header.config == CONFIG and set(header.recipe) == {"segmenter", "relations"}
    with pytest.raises(ConfigError, match="has neck_dim=32, neck_depth=2, neck_heads=2"):
        prepare_model(configured(*sizes, "neck_depth=3", segmenter=path), VOCABULARY)
    with pytest.raises(ConfigError, match="other predicates"):
        other = replace(VOCABULARY, predicates=VOCABULARY.predicates[::-1])
        prepare_model(configured(*sizes, segmenter=path), other)
