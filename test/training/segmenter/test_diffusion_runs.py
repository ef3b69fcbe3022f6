"""`dsflash train`: calibration, segmenter from it, relations on that, and the pipeline."""

import pytest

pytest.importorskip("lightning")
pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
pytest.importorskip("peft", reason="the extra `diffusion` is not installed")

import torch
from diffusion_folders import write_toy_folder
from safetensors.torch import load_file

from dsflash_ros import cli
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.evaluation.prediction import predict
from dsflash_ros.model.checkpoints import load_checkpoint
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

SETTINGS = "segmenter_settings={dim: 32, decoder_ffn: 32, decoder_layers: 3}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diffusion")
    write_shapes(folder / "data", 6, seed=3, height=72, width=96)
    write_toy_folder(folder / "toy")
    return folder


def train(folder, what, config, out, *more):
    data = [f"dataset={folder / 'data'}", f"out={folder / out}", "device=cpu"]
    return cli.main(["train", what, config, *data, *more])


@pytest.fixture(scope="module")
def calibrated(folder):
    given = [f"diffusion={folder / 'toy'}", "image_size=128", "steps=2", "epochs=1"]
    given += ["novel_predicates=[]", "map_side=8", "lr=0.01"]
    assert train(folder, "calibration", "toyroom", "calibrated", *given) == 0
    return folder / "calibrated" / "calibrated.safetensors"


@pytest.fixture(scope="module")
def segmenter(folder, calibrated):
    given = [f"start={calibrated}", "image_size=128", "num_queries=10", "val_split=none", SETTINGS]
    given += ["batch_size=2", "workers=0", "num_points=64", "warmup_steps=[1, 1]"]
    assert train(folder, "segmenter", "diffusion_toyroom", "segmenter", *given) == 0
    return folder / "segmenter" / "last.safetensors"


def test_a_segmenter_starts_from_a_calibration_and_leaves_it_as_it_is(calibrated, segmenter):
    encoder = load_checkpoint(segmenter)[0].segmenter.backbone.state_dict()
    stored = load_file(calibrated)
    assert stored.keys() == encoder.keys()
    assert all(torch.equal(stored[name], encoder[name]) for name in stored)


def test_relations_are_learned_on_its_features(folder, segmenter):
    given = [f"segmenter={segmenter}", "epochs=1", "workers=0", "val_split=none", "batch_size=2"]
    given += ["masks_from=truth", "precision=float32", f"feature_cache={folder / 'cache'}"]
    assert train(folder, "relations", "toyroom", "relations", *given) == 0
    weights = folder / "relations" / "last.safetensors"
    options = Options(relation_threshold=0.0, max_relations=1000)
    pipeline = SceneGraphPipeline.from_weights(
        weights, device="cpu", precision="float32", options=options
    )
    record = PsgDataset.open(folder / "data")[0]
    found = predict(pipeline, record, record.labels(), "predcls")
    count = len(record.class_ids)
    assert {tuple(pair) for pair in found.relations[:, :2].tolist()} == {
        (a, b) for a in range(count) for b in range(count) if a != b
    }


def test_what_else_it_cannot_start_from(folder, capsys):
    foreign = folder / "foreign.safetensors"
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, foreign)
    given = [f"start={foreign}", "image_size=128", "num_queries=10", "val_split=none", SETTINGS]
    assert train(folder, "segmenter", "diffusion_toyroom", "foreign", *given) == 1
    assert "does not fit this backbone" in capsys.readouterr().err


def test_a_calibration_without_a_diffusion_model_says_so(folder, capsys):
    given = [f"diffusion={folder / 'absent'}", "image_size=128", "novel_predicates=[]"]
    assert train(folder, "calibration", "toyroom", "absent", *given) == 1
    told = capsys.readouterr().err
    assert "absent is no folder of a diffusion model: it has no unet/" in told
    assert "Traceback" not in told


def test_the_settings_that_would_be_used(capsys):
    assert cli.main(["train", "calibration", "stable", "--show"]) == 0
    shown = capsys.readouterr().out
    assert "diffusion: '...'" in shown and "rank: 16" in shown and "steps: 50" in shown
