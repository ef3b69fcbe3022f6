import pytest
import torch

from dsflash_ros.model.checkpoints import digest_of
from dsflash_ros.model.diffusion.architectures import DIFFUSION_ARCHITECTURES
from dsflash_ros.model.diffusion.attention_maps import cross_attentions
from dsflash_ros.model.diffusion.low_rank import add_low_rank, merge_low_rank

diffusers = pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
pytest.importorskip("peft", reason="the extra `diffusion` is not installed")


@pytest.fixture
def unet():
    return diffusers.UNet2DConditionModel(**DIFFUSION_ARCHITECTURES["toy"].unet).eval()


def inputs():
    return torch.randn(2, 12, 16, 16), 3, torch.randn(2, 24, 384)


@pytest.mark.parametrize(
    ("name", "parameters", "per_rank"),
    [("sd15", 859_520_964, 49_536), ("sd21", 865_910_724, 57_728), ("toy", 4_588_012, 6_784)],
)
def test_parameters(name, parameters, per_rank):
    """The UNets are those that are published: their parameters, and LoRA's, count the same."""
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(**DIFFUSION_ARCHITECTURES[name].unet)
        assert sum(part.numel() for part in unet.parameters()) == parameters
        learned = add_low_rank(unet, 4)
    assert sum(part.numel() for part in learned) == 4 * per_rank


@torch.no_grad()
def test_it_starts_as_the_base(unet):
    given = inputs()
    before = unet(*given).sample
    learned = add_low_rank(unet, 8)
    assert torch.equal(unet(*given).sample, before)
    names = {name for name, part in unet.named_parameters() if part.requires_grad}
    assert len(names) == len(learned) == 4 * len(cross_attentions(unet))
    assert all(".attn2.to_k." in name or ".attn2.to_v." in name for name in names)


@torch.no_grad()
def test_layers_compute_w_plus_bd(unet):
    weights = {
        name: (layer.to_k.weight.clone(), layer.to_v.weight.clone())
        for name, layer in cross_attentions(unet).items()
    }
    for part in add_low_rank(unet, 3):
        part.normal_()
    for name, layer in cross_attentions(unet).items():
        tokens = torch.randn(2, 5, 384)
        for projection, weight in zip((layer.to_k, layer.to_v), weights[name], strict=True):
            b, d = (getattr(projection, f"lora_{one}")["default"].weight for one in "BA")
            assert b.shape == (weight.shape[0], 3) and d.shape == (3, weight.shape[1])
            torch.testing.assert_close(
                projection(tokens), tokens @ (weight + b @ d).T, atol=1e-3, rtol=1e-4
            )


@torch.no_grad()
def test_merging_keeps_outputs_and_brings_the_old_layers_back(unet):
    given, names = inputs(), set(unet.state_dict())
    before = unet(*given).sample
    for part in add_low_rank(unet, 3):
        part.normal_(0, 0.1)
    learned = unet(*given).sample
    assert (learned - before).abs().max() > 1e-3
    merge_low_rank(unet)
    torch.testing.assert_close(unet(*given).sample, learned, atol=1e-5, rtol=1e-4)
    assert set(unet.state_dict()) == names


def test_frozen_weights_do_not_drift(unet):
    """By digest: of all but B and D, before and after steps of training."""
    learned = add_low_rank(unet, 2)
    frozen = torch.nn.ParameterDict(
        {
            name.replace(".", "_"): part
            for name, part in unet.named_parameters()
            if not part.requires_grad
        }
    )
    before, first = digest_of(frozen), [part.detach().clone() for part in learned]
    optimizer = torch.optim.AdamW(learned, 1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        unet(*inputs()).sample.square().mean().backward()
        optimizer.step()
    assert digest_of(frozen) == before
    assert all(not torch.equal(old, new) for old, new in zip(first, learned, strict=True))
