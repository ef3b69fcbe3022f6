"""Mask2Former and PRO-SCALE's encoder, compared with transformers' layers on random weights."""

import pytest
import timm
import torch
import torch.nn.functional as F
from reference_mask2former import SMALL, randomise, reference_mask2former, transformers
from torch import nn
from transformers.models.mask2former import modeling_mask2former as theirs

from dsflash_ros.conversion.convert import convert
from dsflash_ros.conversion.layouts import rename
from dsflash_ros.conversion.mask2former_layouts import TRANSFORMERS
from dsflash_ros.model.layers.pixels import IMAGENET_MEAN, IMAGENET_STD
from dsflash_ros.model.segmenters.mask2former.deformable_attention import (
    DeformableAttention,
    places_in,
    sample_by_grid,
    sample_in_bags,
)
from dsflash_ros.model.segmenters.mask2former.mask2former_settings import Mask2FormerSettings
from dsflash_ros.model.segmenters.mask2former.pixel_decoder import PixelDecoder
from dsflash_ros.model.segmenters.mask2former.pyramids import make_pyramid

MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
SHAPES = [(3, 5), (6, 9), (11, 18)]
"""Of maps: neither square nor halves of each other."""
CHANNELS = (24, 40, 48, 56)


def largest(a, b):
    assert a.shape == b.shape and b.std() > 0.01, "a reference that says nothing proves nothing"
    return float((a - b).detach().abs().max())


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        (SMALL, (96, 160)),
        pytest.param({}, (128, 192), id="full size, 100 queries", marks=pytest.mark.slow),
    ],
)
def test_the_whole_model_is_transformers_mask2former(tmp_path, sizes, shape):
    """Converted from the files that it saves, whose names differ from those in memory.

    In float64: what a query attends to is cut off at a mask probability of one half, so that a
    rounding in float32 may change whole pixels.
    """
    reference = reference_mask2former(**sizes)
    reference.save_pretrained(tmp_path)
    segmenter = convert(tmp_path).model.segmenter.double()
    reference.double()
    assert segmenter.settings.layers == (0, 0, 6)
    images = torch.rand(2, 3, *shape, dtype=torch.float64)
    with torch.inference_mode():
        expected = reference((images - MEAN) / STD, output_auxiliary_logits=True)
        found = segmenter(images)
        every = segmenter.training_predictions(images, 0.0)
    assert largest(found.mask_logits, expected.masks_queries_logits) < 1e-5
    assert largest(found.class_logits, expected.class_queries_logits) < 1e-5
    assert len(every) == len(expected.auxiliary_logits) + 1
    for (masks, classes), before in zip(every, expected.auxiliary_logits, strict=False):
        assert largest(masks, before["masks_queries_logits"]) < 1e-5
        assert largest(classes, before["class_queries_logits"]) < 1e-5


@pytest.mark.parametrize(("height", "width"), [(160, 256), (96, 416)])
def test_swin_pads_before_it_shifts(height, width):
    """At sizes that 7 does not divide; timm's own order is far off."""
    ours = make_pyramid("swin_tiny").eval()
    config = transformers.SwinConfig(
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    reference = transformers.SwinBackbone(config).eval()
    randomise(reference)
    _load_swin(ours, reference)
    images = torch.randn(1, 3, height, width)
    with torch.inference_mode():
        expected, found = reference(images).feature_maps, ours(images)
        shifts = [block.shift_size for stage in ours.timm_model.layers for block in stage.blocks]
        timms = timm.create_model(ours.timm_name, num_classes=0, img_size=(height, width)).eval()
        timms.patch_embed.load_state_dict(ours.timm_model.patch_embed.state_dict())
        timms.layers[0].load_state_dict(ours.timm_model.layers[0].state_dict())
        of_timm = ours.norms[0](timms.layers[0](timms.patch_embed(images))).permute(0, 3, 1, 2)
    assert [tuple(image.shape[1:]) for image in found] == [
        (96 * 2**i, height // 4 // 2**i, width // 4 // 2**i) for i in range(4)
    ]
    assert max(map(largest, found, expected)) < 1e-4
    assert shifts == [(0, 0), (3, 3)] * 6, "also where a map is smaller than a window"
    assert largest(of_timm, expected[0]) > 1e-2


def _load_swin(ours, reference):
    """Give our pyramid the tensors of transformers' backbone, by the converter's names."""
    saved = transformers.core_model_loading.revert_weight_conversion(
        reference, reference.state_dict()
    )
    prefix = "model.pixel_level_module.encoder."
    tensors = {prefix + name.removeprefix("swin."): tensor for name, tensor in dict(saved).items()}
    expected = {f"backbone.{name}": like for name, like in ours.state_dict().items()}
    state = rename(TRANSFORMERS, tensors, expected, "a Swin")
    ours.load_state_dict({name.removeprefix("backbone."): state[name] for name in state})


def reference_layer(layer, ffn, levels):
    """transformers' encoder layer with the weights of ours."""
    config = transformers.Mask2FormerConfig(feature_size=64, encoder_feedforward_dim=ffn)
    reference = theirs.Mask2FormerPixelDecoderEncoderLayer(config)
    attention = theirs.Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention(64, 8, levels, 4)
    for name, part in (
        ("sampling_offsets", "offsets"),
        ("attention_weights", "weights"),
        ("value_proj", "value"),
        ("output_proj", "output"),
    ):
        getattr(attention, name).load_state_dict(getattr(layer.attention, part).state_dict())
    reference.self_attn = attention
    for name, part in (
        ("self_attn_layer_norm", "norm1"),
        ("fc1", "linear1"),
        ("fc2", "linear2"),
        ("final_layer_norm", "norm2"),
    ):
        getattr(reference, name).load_state_dict(getattr(layer, part).state_dict())
    return reference.eval()


def reference_points(shapes):
    ratios = torch.ones(2, len(shapes), 2)
    encoder = theirs.Mask2FormerPixelDecoderEncoderOnly
    return encoder.get_reference_points(shapes, ratios, device="cpu")


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_attention_is_transformers_at_any_number_of_maps(levels):
    torch.manual_seed(levels)
    shapes = SHAPES[:levels]
    ours = DeformableAttention(64, levels)
    randomise_all(ours)
    layer = nn.Module()
    layer.attention = ours
    layer.norm1, layer.norm2 = nn.LayerNorm(64), nn.LayerNorm(64)
    layer.linear1, layer.linear2 = nn.Linear(64, 32), nn.Linear(32, 64)
    reference = reference_layer(layer, 32, levels).self_attn
    tokens = torch.randn(2, sum(h * w for h, w in shapes), 64, requires_grad=True)
    queries = torch.randn_like(tokens)
    expected, _ = reference(
        queries,
        encoder_hidden_states=tokens,
        reference_points=reference_points(shapes),
        spatial_shapes_list=shapes,
    )
    found = ours(queries, tokens, places_in(shapes), shapes)
    assert largest(found, expected) < 1e-5
    wanted = torch.autograd.grad(expected.square().sum(), [tokens, reference.sampling_offsets.bias])
    gradients = torch.autograd.grad(found.square().sum(), [tokens, ours.offsets.bias])
    for gradient, own in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, own, rtol=1e-3, atol=1e-3)


def test_both_ways_to_sample_give_the_same_numbers_also_far_outside():
    torch.manual_seed(0)
    count = sum(h * w for h, w in SHAPES)
    values = torch.randn(2, count, 8, 4)
    places = torch.randn(2, 7, 8, 3, 4, 2) * 20
    places[0, 0, 0, 0] = 1e12
    places[0, 0, 1, 0] = -1e12
    weights = torch.rand(2, 7, 8, 3, 4)
    a, b = (sample(values, places, weights, SHAPES) for sample in (sample_in_bags, sample_by_grid))
    assert largest(a, b) < 1e-4
    assert not sample_in_bags(values, places * 0 + 99, weights, SHAPES).any()


@torch.no_grad()
def randomise_all(module):
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)


@pytest.mark.parametrize("layers", [(1, 1, 1), (3, 3, 3)])
def test_the_stages_are_a_composition_of_transformers_layers(layers):
    """Written out: tokens join, and all that are there attend to one another (Eqs. 1 to 4)."""
    torch.manual_seed(sum(layers))
    decoder = PixelDecoder(CHANNELS, Mask2FormerSettings(*layers, dim=64, encoder_ffn=96)).eval()
    randomise_all(decoder)
    sizes = [(88, 144), (44, 72), (22, 36), (11, 18)]
    pyramid = [torch.randn(2, c, *size) for c, size in zip(CHANNELS, sizes, strict=True)]
    with torch.inference_mode():
        mask_features, maps = decoder(pyramid)
        s4, s3, s2 = (
            project(image)
            for project, image in zip(decoder.projections, reversed(pyramid[1:]), strict=True)
        )
        shapes = [tuple(image.shape[-2:]) for image in (s4, s3, s2)]
        sine = theirs.Mask2FormerSinePositionEmbedding(32, normalize=True)
        positions = [
            tokens_of(sine((1, 1, *shape), "cpu", torch.float32)) + level
            for shape, level in zip(shapes, decoder.level_embedding, strict=True)
        ]

        def gated(image):
            seen = tokens_of(F.interpolate(s2, image.shape[-2:], mode="bilinear"))
            gate = decoder.recalibration.linear
            return tokens_of(image) * (0.1 * (seen @ gate.weight.T + gate.bias)).sigmoid()

        tokens = gated(s4)
        for levels, new in ((1, None), (2, gated(s3)), (3, tokens_of(s2))):
            if new is not None:
                tokens = torch.cat((tokens, new), dim=1)
            for layer in decoder.stages[levels - 1]:
                (tokens,) = reference_layer(layer, 96, levels)(
                    tokens,
                    None,
                    position_embeddings=torch.cat(positions[:levels], dim=1),
                    reference_points=reference_points(shapes[:levels]),
                    spatial_shapes_list=shapes[:levels],
                )
        embedding = decoder.embedding
        last = tokens[:, -44 * 72 :].transpose(1, 2).unflatten(2, (44, 72))
        lateral = embedding.lateral(pyramid[0])
        mixed = lateral + F.interpolate(last, lateral.shape[-2:], mode="bilinear")
        mixed = F.max_pool2d(mixed, 3, stride=1, padding=1)
        expected = embedding.project(embedding.norm(mixed).relu())
    assert [len(stage) for stage in decoder.stages] == list(layers)
    assert largest(torch.cat([tokens_of(image) for image in maps], dim=1), tokens) < 1e-4
    assert largest(mask_features, expected) < 1e-4


def tokens_of(image):
    return image.flatten(2).transpose(1, 2)
