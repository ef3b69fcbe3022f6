"""Mask2Former and PRO-SCALE as detectron2 saves them: pickles, which must run no code."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from original_mask2former import original_state
from reference_mask2former import SMALL, reference_mask2former
from safetensors.torch import load_file

from dsflash_ros import cli
from dsflash_ros.conversion.convert import convert
from dsflash_ros.conversion.foreign import read_foreign
from dsflash_ros.conversion.recognize import recognize
from dsflash_ros.errors import WeightsError
from dsflash_ros.weights.loading import open_weights

pytestmark = pytest.mark.slow

PIXELS, QUERIES = "sem_seg_head.pixel_decoder", "sem_seg_head.predictor"


@pytest.fixture(scope="module")
def state():
    return original_state()


def save_pickle(state, path, **more):
    arrays = OrderedDict((name, tensor.numpy()) for name, tensor in state.items())
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "someone", **more}, protocol=2))
    return path


def test_both_layouts_of_the_same_weights_give_the_same_model(tmp_path):
    """transformers' tensors, renamed to detectron2's by a table of its own."""
    sizes = SMALL | {"feature_size": 32, "mask_feature_size": 32, "hidden_dim": 32}
    reference = reference_mask2former(**sizes)
    reference.save_pretrained(tmp_path)
    ours = convert(tmp_path).model.segmenter
    other = original_state(ffn=96, queries=12, decoder_layers=4)
    saved = load_file(tmp_path / "model.safetensors")
    decoder = "model.transformer_module.decoder.layers.2"
    backbone = "model.pixel_level_module.encoder.encoder.layers.2.blocks.3"
    pixels = "model.pixel_level_module.decoder"
    pairs = {
        f"{QUERIES}.transformer_cross_attention_layers.2.norm.weight": (
            f"{decoder}.cross_attn_layer_norm.weight",
        ),
        f"{QUERIES}.transformer_self_attention_layers.2.norm.weight": (
            f"{decoder}.self_attn_layer_norm.weight",
        ),
        f"{QUERIES}.transformer_self_attention_layers.2.self_attn.in_proj_weight": tuple(
            f"{decoder}.self_attn.{part}_proj.weight" for part in "qkv"
        ),
        f"{QUERIES}.transformer_cross_attention_layers.2.multihead_attn.in_proj_weight": (
            f"{decoder}.cross_attn.in_proj_weight",
        ),
        f"{QUERIES}.transformer_ffn_layers.2.norm.bias": (f"{decoder}.final_layer_norm.bias",),
        f"{QUERIES}.query_feat.weight": ("model.transformer_module.queries_features.weight",),
        f"{QUERIES}.query_embed.weight": ("model.transformer_module.queries_embedder.weight",),
        "backbone.layers.2.blocks.3.attn.qkv.weight": tuple(
            f"{backbone}.attention.self.{part}.weight" for part in ("query", "key", "value")
        ),
        "backbone.layers.2.blocks.3.norm2.bias": (f"{backbone}.layernorm_after.bias",),
        "backbone.norm1.weight": (
            "model.pixel_level_module.encoder.hidden_states_norms.stage2.weight",
        ),
        f"{PIXELS}.transformer.encoder.layers.4.norm1.bias": (
            f"{pixels}.encoder.layers.4.self_attn_layer_norm.bias",
        ),
        f"{PIXELS}.transformer.encoder.layers.4.norm2.bias": (
            f"{pixels}.encoder.layers.4.final_layer_norm.bias",
        ),
        f"{PIXELS}.adapter_1.norm.weight": (f"{pixels}.adapter_1.1.weight",),
        f"{PIXELS}.layer_1.norm.weight": (f"{pixels}.layer_1.1.weight",),
        f"{PIXELS}.input_proj.2.1.weight": (f"{pixels}.input_projections.2.1.weight",),
    }
    before = convert_state(other, tmp_path / "before.pkl")
    for name, parts in pairs.items():
        moved = torch.cat([saved[part] for part in parts])
        assert other[name].shape == moved.shape, name
        other[name] = moved
    found = convert_state(other, tmp_path / "after.pkl")
    changed = [name for name in found if not torch.equal(found[name], before[name])]
    assert len(changed) == len(pairs)
    expected = ours.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in changed), changed


def convert_state(state, path):
    return convert(save_pickle(state, path)).model.segmenter.state_dict()


def test_a_resnet_of_the_model_zoo(tmp_path):
    state = original_state(backbone="resnet50", classes=133)
    source = save_pickle(state, tmp_path / "model_final.pkl", matching_heuristics=True)
    conversion = convert(source)
    segmenter, config = conversion.model.segmenter, conversion.header.config
    assert (config.backbone, config.segmenter_settings["p3"]) == ("resnet50", 6)
    body = segmenter.backbone.timm_model
    for found, name in (
        (body.bn1.running_var, "backbone.stem.conv1.norm.running_var"),
        (body.layer2[0].downsample[1].weight, "backbone.res3.0.shortcut.norm.weight"),
        (body.layer3[5].conv2.weight, "backbone.res4.5.conv2.weight"),
        (body.layer4[1].bn3.bias, "backbone.res5.1.conv3.norm.bias"),
    ):
        assert torch.equal(found, state[name])
    with torch.inference_mode():
        assert segmenter(torch.rand(1, 3, 64, 64)).mask_logits.isfinite().all()


def test_older_names_of_the_queries(state, tmp_path):
    older = {name.replace("query_feat", "static_query"): state[name] for name in state}
    found = convert_state(older, tmp_path / "older.pkl")
    assert torch.equal(
        found["decoder.query_features.weight"], state[f"{QUERIES}.query_feat.weight"]
    )


def test_a_published_proscale(tmp_path, capsys):
    """Its layers have one row of numbers over three stages; its recalibration is the released."""
    state = original_state((3, 3, 3), light=True, released=True)
    source = tmp_path / "proscale.pth"
    torch.save({"model": state, "iteration": 368_749}, source)
    assert recognize(read_foreign(source)).config.kind.startswith("mask2former (3, 3, 3)")
    conversion = convert(source)
    settings = conversion.header.config.segmenter_settings
    assert (settings["pixel_embedding"], settings["recalibration"]) == ("light", "released")
    decoder = conversion.model.segmenter.pixel_decoder
    assert decoder.recalibration.released
    layers = [layer for stage in decoder.stages for layer in stage]
    for number, layer in enumerate(layers):
        name = f"{PIXELS}.transformer.encoder.layers.{number}.linear1.weight"
        assert torch.equal(layer.linear1.weight, state[name])
    assert [layer.attention.levels for layer in layers] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert cli.main(["weights", "info", str(source)]) == 0
    assert "detectron2's Mask2Former" in capsys.readouterr().out
    out = tmp_path / "ours.safetensors"
    arguments = ["weights", "convert", str(source), "--out", str(out), "--image-size", "800"]
    assert cli.main(arguments) == 0
    assert open_weights(out).header.config.image_size == 800


def test_layers_in_another_order_are_refused(state, tmp_path):
    rows = f"{PIXELS}.transformer.encoder.layers.5.self_attn.attention_weights.bias"
    with pytest.raises(WeightsError, match=r"attend to \[3.0, .*1.0\] maps"):
        convert_state(state | {rows: torch.zeros(32)}, tmp_path / "a.pkl")


class Runs:
    def __reduce__(self):
        return print, ("this must not be printed",)


def test_pickles_that_would_run_code_are_refused(state, tmp_path, capsys):
    path = save_pickle(state, tmp_path / "evil.pkl", more=Runs())
    with pytest.raises(
        WeightsError, match=r"wants (__builtin__|builtins).print, and reading that could run"
    ):
        convert(path)
    assert cli.main(["weights", "convert", str(path), "--out", f"{tmp_path}/o.safetensors"]) == 1
    said = capsys.readouterr()
    assert "must not be printed" not in said.out and not (tmp_path / "o.safetensors").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a readable pickle"),
        (b"\x80\x02}q\x00(X\x05", "is not a readable pickle"),
        (b"no pickle at all", "is not a readable pickle"),
        (pickle.dumps([1, 2]), "holds no state dict"),
        (pickle.dumps({"model": {"a": np.array([None])}}), "holds no state dict"),
        (pickle.dumps({"model": {1: np.zeros(2)}}), "holds no state dict"),
    ],
)
def test_pickles_that_are_none(content, message, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_foreign(path)
