"""An EoMT of another code base given as weights: converted once, into a cache of the test's own."""

import json
import logging
import os
import stat
from pathlib import Path

import pytest
import timm
import torch
from original_eomt import OriginalEoMT, differences, dinov3
from reference_eomt import reference_model
from safetensors.torch import load_file, save_file

from dsflash_ros.errors import ForeignWeightsError, OutputError, WeightsError
from dsflash_ros.files import replacing
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.weights import converted
from dsflash_ros.weights.converted import cache_folder
from dsflash_ros.weights.loading import open_weights


@pytest.fixture(scope="module")
def state():
    """What the original EoMT saves, and the 133 classes of COCO panoptic."""
    return OriginalEoMT("small", "dinov2", 64, queries=5).state_dict()


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def source(tmp_path_factory, state):
    folder = tmp_path_factory.mktemp("published") / "eomt"
    folder.mkdir()
    torch.save(state, folder / "pytorch_model.bin")
    return folder


@pytest.fixture(scope="module")
def first(source, home):
    """The first time that the weights are opened, and what was logged."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("dsflash_ros").addHandler(handler)
    opened = open_weights(source)
    logging.getLogger("dsflash_ros").removeHandler(handler)
    return opened, lines


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))


def test_a_folder_is_converted_and_said_so(first, source, home, state):
    opened, lines = first
    assert opened.path.parent == home / "dsflash_ros" and opened.path.suffix == ".safetensors"
    assert (opened.name, opened.title) == (str(source), "eomt")
    assert opened.header.trained == ("segmenter",)
    assert opened.header.vocabulary == Vocabulary.psg()
    assert lines == [
        f"converted {source} (original EoMT, DINOv2; small, 64 pixels, 133 classes) to "
        f"{opened.path}, which is used from now on; it has no trained relation stage"
    ]
    assert torch.equal(opened.load().segmenter.q.weight, state["network.q.weight"])
    assert stat.S_IMODE(opened.path.stat().st_mode) == 0o644, "another user may read it"


def test_the_second_time_the_conversion_is_used(first, source, caplog):
    opened, _ = first
    made_ns = opened.path.stat().st_mtime_ns
    again = open_weights(source / "pytorch_model.bin")
    assert (again.path, again.title) == (opened.path, "pytorch_model.bin")
    assert opened.path.stat().st_mtime_ns == made_ns and caplog.messages == []


def test_other_content_is_converted_anew(first, tmp_path, state):
    torch.save(state | {"network.q.weight": torch.zeros(5, 384)}, tmp_path / "pytorch_model.bin")
    other = open_weights(tmp_path)
    assert other.path != first[0].path
    assert not other.load().segmenter.q.weight.any()
    (tmp_path / "config.json").write_text('{"layer_norm_eps": 1e-5}')
    third = open_weights(tmp_path).path
    assert third not in (first[0].path, other.path), "config.json is read, too"


def test_a_download_that_is_damaged_is_thrown_away(tmp_path, state):
    """Files in the hub's cache are named by their SHA-256, and links lead to them."""
    blob, link = tmp_path / "blobs" / ("0" * 64), tmp_path / "snapshots/main/pytorch_model.bin"
    for path in (blob, link):
        path.parent.mkdir(parents=True)
    torch.save(state, blob)
    link.symlink_to(blob)
    with pytest.raises(WeightsError, match="was damaged in the cache and is thrown away now"):
        open_weights(link.parent)
    assert not blob.exists() and not link.is_symlink()


def test_a_newer_converter_does_not_use_what_an_older_one_made(first, source, monkeypatch):
    monkeypatch.setattr(converted, "CONVERTER_VERSION", converted.CONVERTER_VERSION + 1)
    newer = open_weights(source).path
    assert newer != first[0].path and first[0].path.exists()


def test_a_damaged_conversion_is_made_anew_and_leftovers_go(first, source, caplog):
    path = first[0].path
    whole, content = load_file(path), path.read_bytes()
    path.unlink()  # what is mapped into memory must not shrink
    path.write_bytes(content[:1000])
    with pytest.raises(RuntimeError), replacing(path) as partial:
        raise RuntimeError
    partial.touch()  # as a process leaves it that is killed
    opened = open_weights(source)
    assert opened.path == path and not partial.exists()
    assert caplog.messages[0] == f"{path} is damaged, it is made anew"
    assert caplog.messages[1].startswith("converted")
    found = load_file(path)
    assert found.keys() == whole.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())


def test_a_full_disk_leaves_nothing(source, empty_home, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left on device; HF_HOME chooses another place"):
        open_weights(source)
    assert [path.suffix for path in cache_folder().iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written(source, tmp_path, monkeypatch):
    (tmp_path / "home").touch()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with pytest.raises(OutputError, match=r"cannot write .*home/dsflash_ros .*HF_HOME chooses"):
        open_weights(source)


def test_where_the_cache_is(monkeypatch):
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/huggingface/dsflash_ros")
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    assert cache_folder() == Path("/scratch/huggingface/dsflash_ros")
    monkeypatch.setenv("HF_HOME", "~/models")
    assert cache_folder() == Path("/home/me/models/dsflash_ros")


def test_rotary_positions_need_a_config(tmp_path):
    """DINOv3's positions have no size: without a config.json nothing tells that of the images."""
    reference = reference_model("small", "dinov3", 160, 133, num_queries=5)
    reference.save_pretrained(tmp_path / "eomt")
    opened = open_weights(tmp_path / "eomt")
    assert (opened.header.config.backbone, opened.header.config.image_size) == ("dinov3", 160)
    (tmp_path / "eomt/config.json").unlink()
    refused(tmp_path / "eomt", "nothing tells its image size", "--image-size N")


def refused(weights, reason, arguments):
    with pytest.raises(WeightsError) as error:
        open_weights(weights)
    says = str(error.value)
    assert says.startswith(str(weights)) and f"converted by hand, because {reason}" in says
    assert says.endswith(f"dsflash weights convert {weights} --out NEW.safetensors {arguments}")


def test_what_needs_more_than_a_name(tmp_path, empty_home):
    instances = OriginalEoMT("small", "dinov2", 64, queries=5, classes=80)
    torch.save(instances.state_dict(), tmp_path / "instance.bin")
    classes = "it tells 80 classes apart, not the 133 of COCO panoptic"
    refused(tmp_path / "instance.bin", classes, "--vocabulary NAMES.json")

    delta = differences(OriginalEoMT("small", "dinov3", 64, queries=5), dinov3("small"))
    (tmp_path / "delta").mkdir()
    torch.save(delta, tmp_path / "delta/pytorch_model.bin")
    (tmp_path / "delta/config.json").write_text(json.dumps({"image_size": 64}))
    base = "its tensors are differences to a DINOv3, facebook/dinov3-vits16-pretrain-lvd1689m"
    refused(tmp_path / "delta", base, "--base DINOV3")

    dsformer = ("transformer_blocks.0.norm1.weight", "classification_token")
    torch.save({"model": dict.fromkeys(dsformer, torch.zeros(8))}, tmp_path / "last_state.pth")
    refused(tmp_path / "last_state.pth", "it has a relation stage only", "--into OURS.safetensors")
    assert list(cache_folder().glob("*.safetensors")) == []


def test_what_is_no_model(tmp_path, empty_home, state):
    save_file({"lstm.weight": torch.zeros(2)}, tmp_path / "lstm.safetensors")
    with pytest.raises(ForeignWeightsError, match=r"lstm.safetensors is neither a checkpoint of"):
        open_weights(tmp_path / "lstm.safetensors")
    with pytest.raises(WeightsError, match=r"the folder .* holds none of model.safetensors"):
        open_weights(tmp_path)
    torch.save({n: t for n, t in state.items() if ".blocks.5." not in n}, tmp_path / "part.bin")
    with pytest.raises(WeightsError, match=r"part.bin cannot be converted: .* missing: network"):
        open_weights(tmp_path / "part.bin")
    (tmp_path / "half.safetensors").write_bytes(b"\0" * 1000)
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        open_weights(tmp_path / "half.safetensors")
    index = {"weight_map": {"a": "model-1.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match=r"is incomplete: cannot read .*model-1.safetensors"):
        open_weights(tmp_path)
    assert list(cache_folder().glob("*.safetensors")) == []


def test_notes_are_said(tmp_path, state, caplog):
    probabilities = torch.tensor([0.0, 0.25, 1.0])
    torch.save(state | {"network.attn_mask_probs": probabilities}, tmp_path / "w.bin")
    open_weights(tmp_path / "w.bin")
    assert "no trained relation stage; note: trained with masked attention" in caplog.text


def test_training_starts_from_it(first, source, state):
    pytest.importorskip("pydantic")
    from dsflash_ros.training.configuration import RelationConfig, SegmenterConfig
    from dsflash_ros.training.relations import train_relations
    from dsflash_ros.training.segmenter import train_segmenter

    common = {"dataset": "psg", "out": "runs"}
    config = RelationConfig(segmenter=str(source), **common)
    model, header = train_relations.prepare_model(config, Vocabulary.psg())
    assert torch.equal(model.segmenter.q.weight, state["network.q.weight"])
    assert header.recipe["layout"] == "original EoMT, DINOv2"

    sizes = {"size": "small", "backbone": "dinov2", "image_size": 64, "num_queries": 5}
    config = SegmenterConfig(start=str(source), **sizes, **common)
    model, _ = train_segmenter.prepare_model(config, Vocabulary.psg())
    assert torch.equal(model.segmenter.class_head.weight, state["network.class_head.weight"])


@pytest.mark.parametrize("name", ["vit.safetensors", "vit.pth"])
def test_training_starts_from_a_backbone_alone_as_before(tmp_path, name):
    pytest.importorskip("pydantic")
    from dsflash_ros.training.configuration import SegmenterConfig
    from dsflash_ros.training.segmenter.train_segmenter import prepare_model

    vit = timm.create_model("vit_tiny_patch16_224", img_size=64)
    path = tmp_path / name
    save = {".safetensors": save_file, ".pth": torch.save}[path.suffix]
    save(vit.state_dict(), path)
    sizes = {"size": "tiny", "backbone": "plain", "image_size": 64, "num_queries": 5}
    config = SegmenterConfig(start=str(path), dataset="psg", out="runs", **sizes)
    model, _ = prepare_model(config, Vocabulary.psg())
    found = model.segmenter.backbone.vit.state_dict()
    assert torch.equal(found["blocks.3.mlp.fc1.weight"], vit.blocks[3].mlp.fc1.weight)
