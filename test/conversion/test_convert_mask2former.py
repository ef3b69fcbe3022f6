"""Mask2Former as transformers saves it."""

import json

import numpy as np
import pytest
import torch
from reference_mask2former import SMALL, reference_mask2former
from safetensors.torch import load_file, save_file

from dsflash_ros.conversion.convert import convert
from dsflash_ros.conversion.foreign import read_foreign
from dsflash_ros.conversion.recognize import recognize
from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.weights.loading import open_weights

pytestmark = pytest.mark.slow

PSG = Vocabulary.psg()


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """What transformers' save_pretrained writes."""
    folder = tmp_path_factory.mktemp("mask2former")
    reference_mask2former(**SMALL).save_pretrained(folder)
    return folder


def change(published, folder, tensors=None, **config):
    """The files with other tensors, or another config.json."""
    saved = load_file(published / "model.safetensors")
    save_file(saved if tensors is None else tensors(saved), folder / "model.safetensors")
    whole = json.loads((published / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(whole))
    return folder


def backbone(**fields):
    """A config.json's fields of a Swin-T; what is absent is transformers' default."""
    return {"backbone_config": {"model_type": "swin", **fields}}


def test_its_size_of_images_is_what_it_learned_from(published, tmp_path):
    config = recognize(read_foreign(published)).config
    assert (config.image_size, config.num_queries, config.num_classes) == (1024, 12, 133)
    converted = convert(published, image_size=640).header.config
    assert (converted.image_size, converted.backbone) == (640, "swin_tiny")
    assert (converted.num_things, converted.num_stuff) == (80, 53)
    source = change(published, tmp_path, image_size=96)
    assert recognize(read_foreign(source)).config.image_size == 96
    with pytest.raises(WeightsError, match="image_size must be a multiple of 32"):
        convert(published, image_size=650)


def test_classes_are_put_in_our_order_by_their_names(published, tmp_path):
    order = np.random.default_rng(0).permutation(133)
    names = {str(i): PSG.classes[place] for i, place in enumerate(order)}
    source = change(published, tmp_path, id2label=names)
    assert not recognize(read_foreign(source)).needs
    conversion = convert(source)
    assert "put in the vocabulary's order, by their names" in "\n".join(conversion.summary)
    head = conversion.model.segmenter.decoder.class_head
    theirs = load_file(source / "model.safetensors")
    for kind in ("weight", "bias"):
        rows, found = theirs[f"class_predictor.{kind}"], getattr(head, kind)
        assert torch.equal(found[order], rows[:-1]) and torch.equal(found[-1], rows[-1])


def test_names_that_are_not_cocos_have_to_be_told(published, tmp_path):
    names = {str(i): f"thing {i}" for i in range(133)}
    source = change(published, tmp_path, id2label=names)
    (need,) = recognize(read_foreign(source)).needs
    assert need.argument == "--vocabulary NAMES.json" and "such as 'thing 0'" in need.reason
    with pytest.raises(WeightsError, match=r"by hand, because its config.json names other"):
        open_weights(source)
    own = Vocabulary(tuple(names.values()), (), ("on",))
    assert convert(source, vocabulary=own).header.vocabulary == own
    short = change(published, tmp_path, id2label={"0": "cat", "1": "dog"})
    with pytest.raises(WeightsError, match="names 2 classes, but its tensors are for 133"):
        convert(short)
    with pytest.raises(WeightsError, match="'thing 0'; say what they are with --vocabulary"):
        convert(change(published, tmp_path, id2label=names))


def test_it_works_as_weights(published, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    opened = open_weights(published)
    assert opened.header.config.segmenter == "mask2former" and len(caplog.messages) == 1
    line = f"converted {published} (transformers' mask2former; swin_tiny, 1024 pixels, 133"
    assert caplog.messages[0].startswith(line)
    head = opened.load().segmenter.decoder.class_head.weight
    theirs = load_file(published / "model.safetensors")["class_predictor.weight"]
    assert torch.equal(head, theirs)


@pytest.mark.parametrize(
    ("tensors", "config", "message"),
    [
        ({"model.extra": torch.zeros(1)}, {}, r"left over: model.extra"),
        (
            {"model.transformer_module.queries_features.weight": torch.zeros(12, 32)},
            {},
            r"queries_features.weight is \(12, 32\), should be \(12, 64\)",
        ),
        ({"class_predictor.bias": torch.full((134,), torch.nan)}, {}, r"bias is not finite"),
        (
            {"class_predictor.bias": torch.ones(134, dtype=torch.int8)},
            {},
            r"class_predictor.bias is int8, not floating point: quantised weights are not read",
        ),
        ({}, {"num_attention_heads": 4}, r"num_attention_heads 4; only 8 is known"),
        ({}, {"pre_norm": True}, r"pre_norm True; only False is known"),
        ({}, backbone(hidden_act="relu"), r"hidden_act 'relu'; only 'gelu' is known"),
        ({}, backbone(layer_norm_eps=0.01), r"layer_norm_eps 0.01; only 1e-05 is known"),
        ({}, {"id2label": {"1": "a"}}, r"id2label .* does not name classes 0, 1, 2"),
    ],
)
def test_what_does_not_fit_is_said(published, tmp_path, tensors, config, message):
    with pytest.raises(WeightsError, match=message):
        convert(change(published, tmp_path, lambda saved: saved | tensors, **config))


def test_what_is_missing_is_said(published, tmp_path):
    name = "model.pixel_level_module.decoder.level_embed"

    def without(saved):
        return {key: tensor for key, tensor in saved.items() if key != name}

    with pytest.raises(WeightsError, match=f"missing: {name}"):
        convert(change(published, tmp_path, without))
    with pytest.raises(WeightsError, match="leave out --base"):
        convert(published, base="dinov3")


# detectron2
