"""Parts of Mask2Former and PRO-SCALE, each at the place where it goes wrong easily."""

import json
import math

import pytest
import torch
import torch.nn.functional as F

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters import make_segmenter
from dsflash_ros.model.segmenters.mask2former.decoder_settings import DecoderSettings
from dsflash_ros.model.segmenters.mask2former.deformable_attention import DeformableAttention
from dsflash_ros.model.segmenters.mask2former.pixel_decoder import Recalibration
from dsflash_ros.model.segmenters.mask2former.pixel_embedding import PixelEmbedding, max_pool_3x3
from dsflash_ros.model.segmenters.mask2former.query_decoder import QueryDecoder

SMALL = {"dim": 32, "encoder_ffn": 48, "decoder_ffn": 48, "decoder_layers": 4}


def small_config(backbone="lite0", image_size=96, **settings):
    return ModelConfig(
        segmenter="mask2former",
        backbone=backbone,
        image_size=image_size,
        num_things=6,
        num_stuff=2,
        num_predicates=6,
        num_queries=9,
        segmenter_settings={**SMALL, "p1": 1, "p2": 1, "p3": 1, **settings},
    )


def small_segmenter(backbone="lite0", seed=0, **settings):
    torch.manual_seed(seed)
    return make_segmenter(small_config(backbone, **settings)).eval()


@pytest.fixture(scope="module")
def segmenter():
    return small_segmenter()


# the contract of segmenters


@pytest.mark.parametrize("backbone", ["lite0", "resnet50"])
@pytest.mark.parametrize("stride", [16, 8])
def test_features_have_the_channels_and_stride_that_it_declares(backbone, stride):
    model = small_segmenter(backbone, feature_stride=stride)
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        found, features = model(images), model.features(images)
    assert found.mask_logits.shape == (2, 9, 16, 24)
    assert found.class_logits.shape == (2, 9, 9)
    assert features.shape == (2, 128, 64 // stride, 96 // stride)
    assert (model.feature_channels, model.feature_stride) == (128, stride)
    assert torch.equal(features, found.features)
    assert model.options == frozenset()


@pytest.mark.parametrize("stride", [16, 8])
def test_features_of_all_scales_lie_where_the_pixels_do(stride):
    """Maps that hold where they are, as shares of the image, give features that do so, too."""

    def where(side):
        centres = (torch.arange(side) + 0.5) / side
        return torch.stack((centres.expand(side, -1), centres.view(-1, 1).expand(-1, side)))[None]

    model = small_segmenter(feature_stride=stride)
    features = model._features(where(32), (where(4), where(8), where(16)))
    expected = where(128 // stride)
    for scale in features.split(2, dim=1):
        inside = (scale - expected)[..., 2:-2, 2:-2]
        assert scale.shape == expected.shape and inside.abs().max() < 1e-6


def test_losses_are_taken_before_each_layer_and_at_the_end(segmenter):
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        every, found = segmenter.training_predictions(images, 0.5), segmenter(images)
    assert len(every) == 5
    assert torch.equal(every[-1][0], found.mask_logits)
    assert torch.equal(every[-1][1], found.class_logits)


def test_swin_drops_the_same_paths_for_the_same_generator():
    model = small_segmenter("swin_tiny").train()
    images = torch.rand(2, 3, 64, 64)
    state = torch.random.get_rng_state()

    def masks(seed):
        generator = torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            return model.training_predictions(images, 0.0, generator)[-1][0]

    assert torch.equal(masks(1), masks(1)) and not torch.equal(masks(1), masks(2))
    assert torch.equal(torch.random.get_rng_state(), state)


# pitfall 1 and 2: recalibration


def test_the_released_recalibration_scrambles_tokens_and_the_papers_does_not():
    torch.manual_seed(0)
    paper, released = Recalibration(32, False), Recalibration(32, True)
    released.load_state_dict(paper.state_dict())
    finest = torch.randn(1, 32, 12, 20)
    gates, scrambled = paper(finest, (3, 5)), released(finest, (3, 5))
    assert gates.shape == scrambled.shape == (1, 15, 1)
    assert not torch.allclose(gates, scrambled, atol=1e-3)
    scaled = F.interpolate(finest, (3, 5), mode="bilinear")
    expected = 0.1 * F.conv2d(scaled, paper.linear.weight.view(1, 32, 1, 1), paper.linear.bias)
    torch.testing.assert_close(gates.view(3, 5), expected.sigmoid()[0, 0])
    # as the published code does it: channels last taken for channels first, there and back
    tokens = finest.flatten(2).transpose(1, 2)
    taken = F.interpolate(tokens.contiguous().view(1, 32, 12, 20), (3, 5), mode="bilinear")
    wanted = (0.1 * paper.linear(taken.contiguous().view(1, 15, 32))).sigmoid()
    torch.testing.assert_close(scrambled, wanted)


def test_gates_start_at_a_half():
    torch.manual_seed(0)
    gates = Recalibration(256, False)(torch.randn(1, 256, 16, 16), (8, 8))
    assert (gates - 0.5).abs().max() < 0.1


# pitfall 5: the light pixel embedding


@pytest.mark.parametrize("shape", [(1, 3, 7, 9), (2, 4, 1, 5), (1, 2, 32, 20)])
def test_separable_maxima_are_max_pooling_to_the_bit(shape):
    torch.manual_seed(0)
    x = torch.randn(shape)
    assert torch.equal(max_pool_3x3(x), F.max_pool2d(x, 3, stride=1, padding=1))
    assert torch.equal(max_pool_3x3(x - 99), F.max_pool2d(x - 99, 3, stride=1, padding=1))


def test_max_pooling_has_a_gradient():
    torch.manual_seed(0)
    x = torch.randn(1, 2, 6, 5, requires_grad=True)
    weights = torch.randn(1, 2, 6, 5)
    (found,) = torch.autograd.grad((max_pool_3x3(x) * weights).sum(), x)
    pooled = F.max_pool2d(x, 3, stride=1, padding=1)
    (expected,) = torch.autograd.grad((pooled * weights).sum(), x)
    torch.testing.assert_close(found, expected)


def test_only_the_3x3_convolution_is_gone():
    light, conv = PixelEmbedding(24, 32, light=True), PixelEmbedding(24, 32, light=False)
    names = {name for name, _ in light.named_parameters()}
    assert {name for name, _ in conv.named_parameters()} - names == {"conv.weight"}
    assert conv.conv.weight.numel() == 9 * 32 * 32


# pitfall 8: empty masks


def test_a_query_with_an_empty_mask_sees_everything():
    torch.manual_seed(0)
    settings = DecoderSettings(dim=32, decoder_ffn=48, decoder_layers=4)
    decoder = QueryDecoder(settings, 5, 3)
    with torch.no_grad():
        decoder.mask_head[-1].weight.zero_()
        decoder.mask_head[-1].bias.zero_()
        decoder.mask_head[-1].bias[0] = -1
    mask_features = torch.zeros(1, 32, 16, 16)
    mask_features[:, 0] = 1  # so that every mask is -1 everywhere
    maps = [torch.randn(1, 32, side, side) for side in (2, 4, 8)]
    seen = decoder._seen(torch.randn(1, 5, 32), mask_features.flatten(2))
    assert seen.all()
    for masks, classes in decoder(mask_features, maps, every=True):
        assert (masks < 0).all() and classes.isfinite().all()
    mask_features[:, :, 0, 0] = -1
    seen = decoder._seen(torch.randn(1, 5, 32), mask_features.flatten(2))
    assert seen.sum(2).eq(1).all() and seen[..., 0].all()


# pitfall 9: low precision


def test_masks_in_bfloat16_are_those_in_float32():
    """Offsets reach far here: rounded places would gather other pixels."""
    model = small_segmenter(p3=3).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, DeformableAttention):
                module.offsets.weight.normal_(std=0.05)
    images = F.interpolate(torch.rand(1, 3, 8, 8), (128, 128), mode="bilinear")
    with torch.inference_mode():
        exact = model.pixel_decoder(model.backbone(model.normalise(images)))[0]
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model.pixel_decoder(model.backbone(model.normalise(images)))[0]
        rounded = small_segmenter(p3=3)
        rounded.load_state_dict(model.state_dict())
        low = rounded.bfloat16()
        pixels = low.normalise(images)
        assert pixels.dtype == torch.float32, "bfloat16 would shift pixels by grey levels"
        lowest = low.pixel_decoder(low.backbone(pixels.bfloat16()))[0].float()
    for found in (mixed.float(), lowest):
        assert F.cosine_similarity(found.flatten(), exact.flatten(), dim=0) > 0.995
        same = ((found > 0) == (exact > 0)).float().mean()
        assert same > 0.97


def test_places_are_not_rounded(monkeypatch):
    """Whatever the model computes in, places reach the sampling in float32."""
    from dsflash_ros.model.segmenters.mask2former import deformable_attention

    seen = []
    sample = deformable_attention.sample_in_bags

    def note(values, places, weights, shapes):
        seen.append((places.dtype, weights.dtype))
        return sample(values, places, weights, shapes)

    monkeypatch.setattr(deformable_attention, "sample_in_bags", note)
    model = small_segmenter().bfloat16()
    with torch.inference_mode():
        found = model(torch.rand(1, 3, 96, 96))
    assert found.mask_logits.dtype == torch.bfloat16
    assert set(seen) == {(torch.float32, torch.float32)} and len(seen) == 3


# pitfall 10: the header


def test_a_config_survives_json():
    config = small_config(p2=4)
    assert config.segmenter_settings["p2"] == 4 and config.segmenter_settings["p3"] == 1
    assert (config.size, config.backbone) == ("", "lite0")
    again = ModelConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert set(again.segmenter_settings) == {
        "p1", "p2", "p3", "pixel_embedding", "recalibration", "dim", "encoder_ffn",
        "decoder_ffn", "decoder_layers", "feature_stride",
    }  # fmt: skip
    assert again.kind == "mask2former (1, 4, 1) with backbone lite0"
    assert ModelConfig(segmenter="mask2former").backbone == "swin_tiny"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 100}, r"image_size must be a multiple of 32, 64 or more, got 100"),
        ({"image_size": 32}, r"image_size must be a multiple of 32, 64 or more, got 32"),
        ({"backbone": "vgg"}, r"no backbone 'vgg', but swin_tiny or .* or lite0"),
        ({"p1": "1"}, r"p1 must be a whole number, 0 or more, got '1'"),
        ({"p3": True}, r"p3 must be a whole number, 0 or more, got True"),
        ({"p1": 0, "p2": 0, "p3": 0}, r"one of p1, p2, p3 must be 1 or more"),
        ({"dim": 40}, r"dim must be a multiple of 32, got 40"),
        ({"decoder_layers": 0}, r"decoder_layers must be a whole number, 1 or more, got 0"),
        ({"pixel_embedding": "heavy"}, r"pixel_embedding must be light or conv, got 'heavy'"),
        ({"recalibration": None}, r"recalibration must be paper or released or none, got None"),
        ({"feature_stride": 4}, r"feature_stride must be 16 or 8, got 4"),
        ({"layers": 3}, r"have no layers; there are dim, .*p1, p2, p3"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(WeightsError, match=message):
        small_config(**changes)


# the start


def test_heads_look_outwards_at_first():
    attention = DeformableAttention(32, 2)
    offsets = attention.offsets.bias.detach().view(8, 2, 4, 2)
    assert not attention.offsets.weight.any() and not attention.weights.weight.any()
    for head in range(8):
        for point in range(4):
            x, y = offsets[head, 1, point]
            assert math.isclose(max(abs(x), abs(y)), point + 1, rel_tol=1e-5)
    assert torch.equal(offsets[:, 0], offsets[:, 1])
    torch.testing.assert_close(offsets[1, 0, 2], torch.tensor([3.0, 3.0]))


def test_batch_normalisation_of_resnet_stays():
    model = small_segmenter("resnet50").train()
    before = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    model(torch.rand(2, 3, 64, 64))
    after = model.backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    norms = [name for name, p in model.backbone.named_parameters() if not p.requires_grad]
    assert norms and all("bn" in name or "downsample.1" in name for name in norms)
