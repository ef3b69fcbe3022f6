import pytest
import torch
from torch import nn

from dsflash_ros.model.diffusion.attention_maps import AttentionMaps, cross_attentions, recorded

diffusers = pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")

HEADS, LENGTH, WIDTH = 4, 5, 24


def a_unet():
    """A UNet with cross-attention at two sizes; fresh random weights."""
    return diffusers.UNet2DConditionModel(
        in_channels=3,
        out_channels=3,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=HEADS,
        norm_num_groups=8,
    ).eval()


def inputs(side=8):
    return torch.randn(2, 3, side, side), 3, torch.randn(2, LENGTH, WIDTH)


@torch.no_grad()
def test_outputs_are_the_same_while_somebody_looks_and_after():
    unet, given = a_unet(), inputs()
    before = unet(*given).sample
    processors = dict(unet.attn_processors)
    with recorded(unet) as maps:
        during = unet(*given).sample
    torch.testing.assert_close(during, before, atol=1e-5, rtol=1e-5)
    assert torch.equal(unet(*given).sample, before)
    assert unet.attn_processors == processors
    assert set(maps.layers) == set(cross_attentions(unet))
    before = {name: layer.clone() for name, layer in maps.layers.items()}
    unet(*inputs())
    assert all(torch.equal(layer, maps.layers[name]) for name, layer in before.items())


@torch.no_grad()
def test_maps_are_an_explicit_softmax():
    """Of each layer's own queries and keys, in float64, head by head, place by place."""
    unet = a_unet().double()
    x, time, tokens = inputs()
    seen = {}
    for name, layer in cross_attentions(unet).items():
        layer.to_q.register_forward_hook(
            lambda module, given, output, name=name: seen.__setitem__(name, output)
        )
    with recorded(unet) as maps:
        unet(x.double(), time, tokens.double())
    for name, layer in cross_attentions(unet).items():
        keys = layer.to_k(tokens.double())
        width = keys.shape[-1] // layer.heads
        for image in range(2):
            for place in (0, 7, seen[name].shape[1] - 1):
                expected = torch.zeros(LENGTH, dtype=torch.float64)
                for head in range(layer.heads):
                    part = slice(head * width, (head + 1) * width)
                    query = seen[name][image, place, part]
                    products = [query @ key[part] / width**0.5 for key in keys[image]]
                    exponents = torch.stack(products).exp()
                    expected += exponents / exponents.sum() / layer.heads
                torch.testing.assert_close(maps.layers[name][image, place], expected)


@torch.no_grad()
def test_a_mask_of_tokens_hides_them():
    unet, (x, time, tokens) = a_unet(), inputs()
    mask = torch.tensor([[True] * LENGTH, [True, True, False, False, False]])
    before = unet(x, time, tokens, encoder_attention_mask=mask).sample
    with recorded(unet) as maps:
        during = unet(x, time, tokens, encoder_attention_mask=mask).sample
    torch.testing.assert_close(during, before, atol=1e-5, rtol=1e-5)
    assert all(
        layer[1, :, 2:].max() < 1e-6 < layer[0, :, 2:].min() for layer in maps.layers.values()
    )


def test_the_mean_of_maps_is_that_of_the_layers_scaled():
    maps = AttentionMaps()
    fine, coarse = torch.rand(2, 16, 3).softmax(2), torch.rand(2, 4, 3).softmax(2)
    maps.layers = {"a.attn2": fine, "b.attn2": coarse}
    found = maps.mean(2)
    image = fine.transpose(1, 2).unflatten(2, (4, 4))
    pooled = nn.functional.avg_pool2d(image, 2)
    expected = (pooled + coarse.transpose(1, 2).unflatten(2, (2, 2))) / 2
    torch.testing.assert_close(found, expected)
    assert maps.mean(8).shape == (2, 3, 8, 8)
    torch.testing.assert_close(maps.mean(8).sum(1), torch.ones(2, 8, 8))


def test_processors_come_back_after_an_error():
    unet = a_unet()
    processors = dict(unet.attn_processors)
    with pytest.raises(ZeroDivisionError), recorded(unet):
        _ = 1 / 0
    assert unet.attn_processors == processors


def test_maps_can_be_learned_from():
    unet, given = a_unet(), inputs()
    with recorded(unet) as maps:
        unet(*given)
    maps.mean(4)[:, 0].sum().backward()
    layers = cross_attentions(unet).values()
    assert all(layer.to_k.weight.grad.abs().max() > 0 for layer in layers)
