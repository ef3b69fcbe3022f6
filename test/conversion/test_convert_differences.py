"""Conversion of weights that are published as differences to DINOv3's."""

import pytest
import timm
import torch
from converted_weights import converted, differ
from original_eomt import OriginalEoMT, differences, dinov3, meta_names
from safetensors.torch import load_file, save_file

from dsflash_ros.conversion.convert import convert
from dsflash_ros.errors import WeightsError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def delta(tmp_path_factory):
    """A folder with differences and their base, as three code bases save it; and their sum."""
    folder = tmp_path_factory.mktemp("delta")
    base = dinov3("small")
    base.save_pretrained(folder / "transformers")
    meta = meta_names(base)
    torch.save(meta, folder / "meta.pth")
    in_timm = timm.create_model("vit_small_patch16_dinov3_qkvb")
    in_timm.load_state_dict(timm.models.eva.checkpoint_filter_fn(meta, in_timm))
    save_file(in_timm.state_dict(), folder / "timm.safetensors")
    eomt = OriginalEoMT("small", "dinov3", 160)
    torch.save(differences(eomt, base), folder / "pytorch_model.bin")
    return folder, eomt


@pytest.mark.parametrize("base", ["transformers", "meta.pth", "timm.safetensors"])
def test_differences_and_their_base(tmp_path, delta, base):
    folder, eomt = delta
    ours, header, summary = converted(
        tmp_path, folder / "pytorch_model.bin", base=folder / base, image_size=160
    )
    images = torch.rand(2, 3, 160, 160)
    assert differ(ours, *eomt(images), images) < 1e-3
    assert next(iter(header.recipe["base"]["sha256"])) in ("model.safetensors", base)
    assert "note" not in summary


def test_published_names_of_the_base(delta):
    """The hub's files have `layer.0`, transformers' module `model.layer.0`."""
    assert any(
        name.startswith("layer.0.")
        for name in load_file(delta[0] / "transformers" / "model.safetensors")
    )


def test_timm_leaves_out_biases_that_are_zero(tmp_path, delta):
    folder, _ = delta
    full = load_file(folder / "timm.safetensors")
    zeroed = {
        name: torch.zeros_like(t) if name.endswith(("q_bias", "v_bias")) else t
        for name, t in full.items()
    }
    save_file(zeroed, tmp_path / "zeros.safetensors")
    without = {name: t for name, t in full.items() if not name.endswith(("q_bias", "v_bias"))}
    assert without.keys() == timm.create_model("vit_small_patch16_dinov3").state_dict().keys()
    save_file(without, tmp_path / "without.safetensors")
    first, second = (
        convert(folder / "pytorch_model.bin", tmp_path / name).model.state_dict()
        for name in ("zeros.safetensors", "without.safetensors")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_wrong_combinations_with_a_base(tmp_path, delta):
    folder, eomt = delta
    with pytest.raises(
        WeightsError,
        match=r"differences to DINOv3's weights.*--base facebook/dinov3-vits16-pretrain",
    ):
        convert(folder / "pytorch_model.bin")
    save_file(eomt.state_dict(), tmp_path / "whole.safetensors")
    with pytest.raises(WeightsError, match=r"these are whole weights.* leave out --base"):
        convert(tmp_path / "whole.safetensors", base=folder / "meta.pth")
    with pytest.raises(WeightsError, match="is no DINOv3 backbone"):
        convert(folder / "pytorch_model.bin", base=tmp_path / "whole.safetensors")
    save_file(
        timm.create_model("vit_base_patch16_dinov3").state_dict(), tmp_path / "base.safetensors"
    )
    with pytest.raises(
        WeightsError, match=r"has width 768, but the differences are to a DINOv3 of size small"
    ):
        convert(folder / "pytorch_model.bin", base=tmp_path / "base.safetensors")
    broken = torch.load(folder / "meta.pth")
    del broken["blocks.3.norm1.weight"]
    broken["blocks.3.norm3.weight"] = torch.zeros(1)
    torch.save(broken, tmp_path / "broken.pth")
    with pytest.raises(
        WeightsError, match=r"the base .*missing: blocks.3.norm1.weight; left over: blocks.3.norm3"
    ):
        convert(folder / "pytorch_model.bin", base=tmp_path / "broken.pth")


def test_neither_whole_nor_differences(tmp_path, delta):
    state = delta[1].state_dict() | {"network.encoder.pixel_std": torch.full((1, 3, 1, 1), 0.5)}
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError, match=r"neither ImageNet's .whole weights. nor zero"):
        convert(tmp_path / "odd.safetensors")
    del state["network.encoder.pixel_std"]
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError, match=r"missing: network.encoder.pixel_std"):
        convert(tmp_path / "odd.safetensors")


@pytest.mark.slow
def test_large_differences(tmp_path):
    """The one large model with DINOv3 that is compared with a reference."""
    base = dinov3("large")
    base.save_pretrained(tmp_path / "base")
    eomt = OriginalEoMT("large", "dinov3", 96)
    torch.save(differences(eomt, base), tmp_path / "pytorch_model.bin")
    del base
    ours, header, _ = converted(
        tmp_path, tmp_path / "pytorch_model.bin", base=tmp_path / "base", image_size=96
    )
    images = torch.rand(1, 3, 96, 96)
    assert header.config.size == "large"
    assert differ(ours, *eomt(images), images) < 1e-3
