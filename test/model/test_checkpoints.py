import json
import os
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from dsflash_ros.errors import OutputError, WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, load_checkpoint, read_header, save_checkpoint
from dsflash_ros.model.config import ModelConfig

VOCABULARY = Vocabulary(("cup", "dog"), ("floor",), ("on", "under"))
CONFIG = ModelConfig(
    "tiny",
    image_size=64,
    num_things=2,
    num_stuff=1,
    num_predicates=2,
    num_queries=5,
    neck_dim=16,
    neck_depth=1,
    neck_heads=2,
)
HEADER = Header(CONFIG, VOCABULARY, recipe={"epochs": 3}, scores={"PQ": 0.5})


@pytest.fixture(scope="module")
def model():
    return DSFlash(CONFIG).eval()


@pytest.fixture
def checkpoint(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model, HEADER)
    return path


def rewrite(path, change_tensors=None, **metadata):
    """Write the checkpoint again with some tensors or metadata changed."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        old = dict(file.metadata())
    tensors = load_file(path)
    if change_tensors:
        change_tensors(tensors)
    save_file(tensors, path, {k: v for k, v in (old | metadata).items() if v is not None})


def test_round_trip(model, checkpoint):
    loaded, header = load_checkpoint(checkpoint)
    assert header == HEADER
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(
        torch.equal(loaded.state_dict()[name], tensor)
        for name, tensor in model.state_dict().items()
    )
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.segmenter(image).mask_logits, model.segmenter(image).mask_logits)
    assert os.listdir(checkpoint.parent) == ["model.safetensors"]


def test_a_vocabulary_without_stuff(tmp_path):
    config = replace(CONFIG, num_stuff=0)
    header = Header(config, Vocabulary(("cup", "dog"), (), ("on", "under")))
    save_checkpoint(tmp_path / "w.safetensors", DSFlash(config), header)
    loaded, found = load_checkpoint(tmp_path / "w.safetensors")
    assert found == header and not loaded.training


def test_half_precision_checkpoints_load_in_float32(model, checkpoint):
    rewrite(
        checkpoint,
        lambda tensors: tensors.update({name: t.bfloat16() for name, t in tensors.items()}),
    )
    loaded, _ = load_checkpoint(checkpoint)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


def test_missing_file(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights at .*; give a .safetensors file"):
        read_header(tmp_path / "none.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 3000, -100])
def test_half_a_file(checkpoint, keep):
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[:keep])
    with pytest.raises(WeightsError, match=r"not a readable safetensors file .* get it again"):
        load_checkpoint(checkpoint)


def test_another_file_altogether(checkpoint):
    checkpoint.write_bytes(os.urandom(4096))
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        read_header(checkpoint)


def test_safetensors_of_somebody_else(checkpoint):
    rewrite(checkpoint, format=None)
    with pytest.raises(WeightsError, match="is not a dsflash_ros checkpoint"):
        read_header(checkpoint)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"config": "{"}, "metadata is damaged"),
        ({"config": '{"size": "huge"}'}, "unknown model size 'huge'"),
        ({"config": '{"size": "tiny", "depth": 3}'}, "unknown keys: depth"),
        ({"config": '{"size": "tiny", "image_size": "64"}'}, "image_size cannot be '64'"),
        ({"config": '{"size": "small", "backbone": "plain"}'}, "has no backbone 'plain'"),
        ({"config": '{"size": "tiny", "num_queries": -1}'}, "num_queries must be 1 or more"),
        ({"config": '{"size": "tiny", "num_things": 0, "num_stuff": 0}'}, "there must be classes"),
        ({"vocabulary": "[]"}, "not a vocabulary"),
        (
            {"vocabulary": Vocabulary.psg().to_json()},
            "names 80 things, but the model was built for 2",
        ),
        ({"recipe": None}, "KeyError: 'recipe'"),
        ({"recipe": "[1, 2]"}, r"recipe must be values by name, got '\[1, 2\]'"),
        ({"scores": '"high"'}, "scores must be values by name, got 'high'"),
        ({"scores": "[" * 100_000}, "metadata is damaged .RecursionError"),
        ({"language": '{"a":' * 100_000}, "metadata is damaged .RecursionError"),
        ({"thresholds": '{"mask_threshold": true}'}, "between 0 and 1, got True"),
    ],
)
def test_bad_metadata(checkpoint, metadata, says):
    rewrite(checkpoint, **metadata)
    with pytest.raises(WeightsError, match=says):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"num_queries": 10**12}, "num_queries must be 8192 or less, got 1000000000000"),
        ({"num_queries": 10**30}, "num_queries must be 8192 or less"),
        ({"image_size": 1_600_000}, "image_size must be 8192 or less, got 1600000"),
        ({"neck_dim": 10**9}, "neck_dim must be 8192 or less"),
        ({"neck_depth": 10**6}, "neck_depth must be 100 or less"),
        ({"num_phrases": 10**12, "phrase_dim": 4}, "num_phrases must be 100000 or less"),
        ({"relater": "rgt", "relater_settings": {"depth": 10**6}}, "depth must be 100 or less"),
        (
            {"relater": "objects", "relater_settings": {"dim": 4 * 10**9}},
            "dim must be 8192 or less",
        ),
        (
            {"segmenter": "mask2former", "segmenter_settings": {"decoder_ffn": 10**12}},
            "decoder_ffn must be 8192 or less",
        ),
        (
            {
                "segmenter": "diffusion",
                "image_size": 128,
                "segmenter_settings": {"dim": 32 * 10**9},
            },
            "dim must be 8192 or less",
        ),
    ],
)
def test_sizes_that_no_memory_holds(checkpoint, fields, says):
    config = CONFIG.to_dict() | {"size": "", "backbone": ""} | fields
    config["size"] = "tiny" if config["segmenter"] == "eomt" else ""
    rewrite(checkpoint, config=json.dumps(config))
    with pytest.raises(WeightsError, match=says):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (torch.nan, "the tensor segmenter.q.weight has a value that is not a number; train"),
        (torch.inf, "the tensor segmenter.q.weight has infinity"),
        (-torch.inf, "the tensor segmenter.q.weight has infinity"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_that_are_not_finite(checkpoint, value, says, dtype):
    def damage(tensors):
        tensors["segmenter.q.weight"] = tensors["segmenter.q.weight"].to(dtype)
        tensors["segmenter.q.weight"][3, 5] = value

    rewrite(checkpoint, damage)
    with pytest.raises(WeightsError, match=says):
        load_checkpoint(checkpoint)


def test_finite_values_whose_sum_is_not(checkpoint, recwarn):
    rewrite(checkpoint, lambda tensors: tensors["segmenter.q.weight"].fill_(3e38))
    loaded, _ = load_checkpoint(checkpoint)
    assert (loaded.segmenter.q.weight == 3e38).all() and not recwarn.list


def test_weights_of_another_size(checkpoint):
    rewrite(
        checkpoint,
        config=json.dumps(replace(CONFIG, size="small", backbone="dinov2").to_dict()),
    )
    with pytest.raises(
        WeightsError, match=r"do not fit a small model with backbone dinov2: .*; and \d+ more"
    ):
        load_checkpoint(checkpoint)


def test_every_tensor_is_accounted_for(checkpoint):
    def swap(tensors):
        del tensors["segmenter.q.weight"]
        tensors["segmenter.extra"] = torch.zeros(3)
        tensors["relations.class_token"] = torch.zeros(8)

    rewrite(checkpoint, swap)
    with pytest.raises(WeightsError) as error:
        load_checkpoint(checkpoint)
    for part in (
        "missing: segmenter.q.weight",
        "left over: segmenter.extra",
        "relations.class_token is (8,), should be (16,)",
    ):
        assert part in str(error.value)


def test_saving_where_one_cannot_leaves_nothing(model, tmp_path):
    with pytest.raises(OutputError, match="cannot write "):
        save_checkpoint(tmp_path / "missing" / "model.safetensors", model, HEADER)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_keeps_the_good_checkpoint(model, checkpoint, monkeypatch):
    good = checkpoint.read_bytes()
    monkeypatch.setattr(
        os, "replace", lambda *args: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(OutputError, match="No space left"):
        save_checkpoint(checkpoint, model, HEADER)
    assert checkpoint.read_bytes() == good
    assert os.listdir(checkpoint.parent) == ["model.safetensors"]
