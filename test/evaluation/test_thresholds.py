import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from dsflash_ros import cli
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import EvaluationError, WeightsError
from dsflash_ros.evaluation.runner import evaluate
from dsflash_ros.evaluation.thresholds import TRIED, choose_thresholds
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.checkpoints import Header, read_header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

CONFIG = ModelConfig.for_vocabulary(
    VOCABULARY,
    size="tiny",
    image_size=96,
    num_queries=20,
    neck_dim=16,
    neck_depth=1,
    neck_heads=2,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set, and untrained weights that find something in it: what the truth is not."""
    folder = tmp_path_factory.mktemp("thresholds")
    write_shapes(folder / "data", 6, seed=2, height=72, width=96)
    header = Header(CONFIG, VOCABULARY, trained=("segmenter",))
    save_checkpoint(folder / "weights.safetensors", random_model(header), header)
    return folder


@pytest.fixture(scope="module")
def found(folder):
    dataset = PsgDataset.open(folder / "data")
    return choose_thresholds(folder / "weights.safetensors", dataset, folder / "chosen.safetensors")


def test_qualities_are_those_of_the_evaluation(folder, found):
    assert len(found) == len(TRIED) ** 2
    means = [quality.mean for quality in found.values()]
    assert means == sorted(means, reverse=True)
    dataset = PsgDataset.open(folder / "data")
    for pair in ((0.5, 0.7), (0.8, 0.8), next(iter(found))):
        options = Options(mask_threshold=pair[0], overlap_threshold=pair[1])
        pipeline = SceneGraphPipeline.from_weights(
            folder / "weights.safetensors", device="cpu", options=options
        )
        results = evaluate(pipeline, dataset, "sgdet").results()
        expected = (results["panoptic"]["PQ"] or 0.0, results["relations"]["mR@inf"])
        assert found[pair] == pytest.approx(expected, abs=1e-9)


def test_the_chosen_ones_are_used_unless_others_are_asked_for(folder, found):
    chosen = folder / "chosen.safetensors"
    best = next(iter(found))
    header = read_header(chosen)
    assert tuple(header.all_thresholds.values()) == best
    assert header.recipe["thresholds"]["pq"] == found[best].pq
    pipeline = SceneGraphPipeline.from_weights(chosen, device="cpu")
    options = pipeline.options
    assert (options.mask_threshold, options.overlap_threshold) == best
    pipeline.options = Options(mask_threshold=0.0)
    assert pipeline.options == Options(mask_threshold=0.0, overlap_threshold=best[1])
    plain = SceneGraphPipeline.from_weights(folder / "weights.safetensors", device="cpu").options
    assert (plain.mask_threshold, plain.overlap_threshold) == (0.8, 0.8)


def test_the_model_stays_as_it_was(folder, found):
    before, after = (
        load_file(folder / name) for name in ("weights.safetensors", "chosen.safetensors")
    )
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_command(folder, tmp_path, capsys):
    arguments = [
        str(folder / "weights.safetensors"),
        str(folder / "data"),
        "--split",
        "train",
        "--limit",
        "2",
    ]
    out = tmp_path / "out.safetensors"
    assert cli.main(["weights", "thresholds", *arguments, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert (
        "best first" in said
        and said.count("0.8 |") >= 7
        and f"written, with the first: {out}" in said
    )
    assert "2 of 6 images" in json.dumps(read_header(out).recipe["thresholds"])
    assert cli.main(["weights", "thresholds", *arguments, "--out", str(out)]) == 1
    assert "--overwrite" in capsys.readouterr().err


def test_what_cannot_be(folder, tmp_path):
    dataset = PsgDataset.open(folder / "data")
    header = Header(
        replace(CONFIG, num_things=1, num_stuff=1, num_predicates=1),
        Vocabulary(things=("a",), stuff=("b",), predicates=("c",)),
    )
    save_checkpoint(tmp_path / "other.safetensors", random_model(header), header)
    with pytest.raises(EvaluationError, match="do not speak of"):
        choose_thresholds(tmp_path / "other.safetensors", dataset, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
    with pytest.raises(WeightsError, match="thresholds can be mask_threshold and overlap"):
        Header(CONFIG, VOCABULARY, thresholds={"relation_threshold": 0.5})


def test_a_checkpoint_from_before_has_those_of_eomt(folder, tmp_path):
    with safe_open(folder / "weights.safetensors", "pt") as stored:
        metadata = {k: v for k, v in stored.metadata().items() if k != "thresholds"}
    save_file(load_file(folder / "weights.safetensors"), tmp_path / "old.safetensors", metadata)
    thresholds = read_header(tmp_path / "old.safetensors").all_thresholds
    assert thresholds == {"mask_threshold": 0.8, "overlap_threshold": 0.8}
