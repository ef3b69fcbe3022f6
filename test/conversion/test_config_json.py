"""What transformers' config.json says of an EoMT beside its tensors: names of classes, settings."""

import json

import numpy as np
import pytest
import torch
from reference_eomt import reference_model
from safetensors.torch import load_file, save_file

from dsflash_ros import cli
from dsflash_ros.conversion.convert import convert
from dsflash_ros.conversion.foreign import read_foreign
from dsflash_ros.conversion.recognize import recognize
from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.weights.loading import open_weights

PSG = Vocabulary.psg()
STRANGE = tuple(f"part {number}" for number in range(133))


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """What save_pretrained writes."""
    folder = tmp_path_factory.mktemp("eomt")
    reference_model("small", "dinov2", 64, 133, num_queries=5).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def rows(published):
    """Of the class head: weights and biases, as they are stored."""
    stored = load_file(published / "model.safetensors")
    return {kind: stored[f"class_predictor.{kind}"] for kind in ("weight", "bias")}


@pytest.fixture
def change(published, tmp_path, monkeypatch):
    """The same weights beside another config.json: fields that are None are left out."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    (tmp_path / "model.safetensors").symlink_to(published / "model.safetensors")
    before = json.loads((published / "config.json").read_text())

    def change(**fields):
        fields = {name: value for name, value in (before | fields).items() if value is not None}
        (tmp_path / "config.json").write_text(json.dumps(fields))
        return tmp_path

    return change


def numbered(names):
    return {str(number): name for number, name in enumerate(names)}


def head_of(conversion):
    return conversion.model.segmenter.class_head


# names of classes


def test_classes_are_put_in_our_order_by_their_names(change, rows):
    order = np.random.default_rng(0).permutation(133)
    source = change(id2label=numbered(PSG.classes[place] for place in order))
    assert not recognize(read_foreign(source)).needs
    conversion = convert(source)
    assert conversion.header.vocabulary == PSG
    assert "put in the vocabulary's order, by their names" in "\n".join(conversion.summary)
    for kind, stored in rows.items():
        found = getattr(head_of(conversion), kind)
        assert torch.equal(found[order], stored[:-1]) and torch.equal(found[-1], stored[-1])
    opened = open_weights(source).load().segmenter.class_head
    assert torch.equal(opened.weight, head_of(conversion).weight)


def test_names_that_are_not_cocos_have_to_be_told(change, rows, tmp_path, capsys):
    source = change(id2label=numbered(STRANGE))
    with pytest.raises(WeightsError) as error:
        open_weights(source)
    assert str(error.value).endswith(
        "has to be converted by hand, because its config.json names other classes than COCO "
        f"panoptic, such as 'part 0': dsflash weights convert {source} --out NEW.safetensors "
        "--vocabulary NAMES.json"
    )
    out = str(tmp_path / "ours.safetensors")
    command = ["weights", "convert", str(source), "--out", out]
    assert cli.main(command) == 1
    assert "such as 'part 0'; say what they are with --vocabulary" in capsys.readouterr().err

    told = Vocabulary(STRANGE[2:], STRANGE[:2], ("on",))
    (tmp_path / "names.json").write_text(told.to_json())
    assert cli.main([*command, "--vocabulary", str(tmp_path / "names.json")]) == 0
    opened = open_weights(out)
    assert opened.header.vocabulary == told
    found = opened.load().segmenter.class_head.bias
    assert torch.equal(found, torch.cat((rows["bias"][2:-1], rows["bias"][:2], rows["bias"][-1:])))


def test_a_vocabulary_of_other_names_is_taken_in_the_order_of_the_rows(change, rows):
    own = Vocabulary(tuple(name.upper() for name in STRANGE), (), ("on",))
    conversion = convert(change(id2label=numbered(STRANGE)), vocabulary=own)
    assert conversion.header.vocabulary == own
    assert torch.equal(head_of(conversion).weight, rows["weight"])
    assert "named by the vocabulary, not by its config.json" in "\n".join(conversion.summary)


@pytest.mark.parametrize(
    "names",
    [
        None,
        {},
        ["person"],
        numbered(f"LABEL_{number}" for number in range(133)),
        {"0": "LABEL_0", "1": "LABEL_1"},
        numbered(PSG.classes),
    ],
)
def test_names_that_say_nothing_new(change, rows, names):
    source = change(id2label=names)
    assert not recognize(read_foreign(source)).needs
    conversion = convert(source)
    assert torch.equal(head_of(conversion).bias, rows["bias"])
    assert "classes: put" not in "\n".join(conversion.summary)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["person", "car"], "its config.json names 2 classes, but its tensors are for 133"),
        ([*PSG.classes, "nothing"], "its config.json names 134 classes, but its tensors are"),
        (["car", *PSG.classes[1:]], "its config.json gives the same name to several classes"),
    ],
)
def test_names_that_cannot_be(change, names, says):
    source = change(id2label=numbered(names))
    (need,) = recognize(read_foreign(source)).needs
    assert need.argument == "--vocabulary NAMES.json" and need.reason.startswith(says)
    with pytest.raises(WeightsError, match=f"{says}.*; say what they are with --vocabulary"):
        convert(source)
    assert convert(source, vocabulary=PSG).header.vocabulary == PSG
    with pytest.raises(WeightsError, match=r"id2label .* does not name classes 0, 1, 2"):
        convert(change(id2label={"person": "0"}))


def test_another_number_of_classes_has_to_be_told_as_before(change, rows):
    source = change(id2label=numbered(["car", "dog"]))
    tensors = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    for kind, stored in rows.items():
        tensors[f"class_predictor.{kind}"] = stored[:3].contiguous()
    save_file(tensors, source / "model.safetensors")
    with pytest.raises(WeightsError, match=r"tells 2 classes apart, not the 133 of COCO panoptic;"):
        convert(source)
    own = Vocabulary(("dog",), ("car",), ("on",))
    found = head_of(convert(source, vocabulary=own)).bias
    assert torch.equal(found, rows["bias"][[1, 0, 2]])


# settings


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"num_attention_heads": 12}, "num_attention_heads 12; only 6 is known here"),
        (
            {"num_attention_heads": None},
            "num_attention_heads 16, as transformers takes it when it is absent; only 6 is known",
        ),
        ({"hidden_act": "relu"}, "hidden_act 'relu'; only 'gelu' is known here"),
        ({"rope_parameters": {"rope_theta": 10.0}}, "rope_theta 10.0; only 100.0 is known here"),
    ],
)
def test_settings_that_would_give_other_numbers_are_refused(change, fields, says):
    with pytest.raises(WeightsError, match=f"its config.json has .*{says}"):
        convert(change(**fields))


def test_settings_that_are_absent_are_transformers_own(change, rows):
    source = change(hidden_act=None, layer_norm_eps=None)
    assert torch.equal(head_of(convert(source)).bias, rows["bias"])
    (source / "config.json").write_text('{"image_size": 64}')  # not written by transformers
    assert torch.equal(head_of(convert(source)).bias, rows["bias"])
