import pytest
import torch
from reference_eomt import reference_model, weights_of

from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.eomt import make_eomt

# ImageNet's, as everybody prints them
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Sizes that a unit test can afford on a CPU; one case at the model's real resolution.
CASES = [
    ("small", "dinov2", 160),
    pytest.param("small", "dinov2", 640, marks=pytest.mark.slow),
    ("small", "dinov3", 160),
    pytest.param("base", "dinov3", 160, marks=pytest.mark.slow),
    pytest.param("large", "dinov2", 96, marks=pytest.mark.slow),
]


def without_values(config):
    """An EoMT whose weights are about to be loaded; random ones take seconds for large."""
    if config.backbone == "dinov3":  # timm computes its rotary positions with the weights
        return make_eomt(config)
    with torch.device("meta"):
        return make_eomt(config).to_empty(device="cpu")


@pytest.mark.parametrize(("size", "backbone", "image_size"), CASES)
def test_agrees_with_transformers(size, backbone, image_size):
    reference = reference_model(size, backbone, image_size, num_classes=133)
    ours = without_values(ModelConfig(size, backbone, image_size)).eval()
    ours.load_state_dict(weights_of(reference, backbone), strict=True)
    images = torch.rand(2 if image_size < 640 else 1, 3, image_size, image_size)
    normalised = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.inference_mode():
        expected = reference(normalised)
        found = ours(images)
    assert found.mask_logits.shape == expected.masks_queries_logits.shape
    assert (found.mask_logits - expected.masks_queries_logits).abs().max() < 1e-3
    assert (found.class_logits - expected.class_queries_logits).abs().max() < 1e-3
    assert expected.masks_queries_logits.std() > 0.1, "a reference that says nothing proves nothing"


@pytest.mark.parametrize("backbone", ["dinov2", "dinov3"])
def test_features_are_the_patch_tokens_after_the_four_blocks(backbone):
    config = ModelConfig("small", backbone, 160)
    model = make_eomt(config).eval()
    blocks, outputs = model.backbone.vit.blocks, []
    original = model.backbone.run_block
    model.backbone.run_block = lambda *args: outputs.append(original(*args)) or outputs[-1]
    with torch.inference_mode():
        features = model(torch.rand(1, 3, 160, 160)).features
    assert len(outputs) == len(blocks) == 12
    assert features.shape == (1, 4 * 384, 10, 10)
    for channel, index in zip((0, 384, 768, 1152), (2, 5, 8, 11), strict=True):
        patches = outputs[index][0, -100:]
        expected = patches.reshape(10, 10, 384).permute(2, 0, 1)
        assert torch.equal(features[0, channel : channel + 384], expected)
    # Queries join before block 9: 200 more tokens.
    assert [o.shape[1] for o in outputs] == [105] * 9 + [305] * 3


def test_feature_and_query_blocks_of_large():
    with torch.device("meta"):
        model = make_eomt(ModelConfig("large"))
    assert (model.feature_blocks, model.query_block, model.depth) == ((5, 11, 17, 23), 20, 24)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_pixels_are_normalised_in_float32(dtype):
    model = make_eomt(ModelConfig("tiny", image_size=64)).to(dtype)
    pixels = model.normalise
    assert pixels.mean.dtype == pixels.std.dtype == torch.float32
    assert pixels.mean.flatten().tolist() == pytest.approx(MEAN)
    assert pixels.std.flatten().tolist() == pytest.approx(STD)
    assert model(torch.rand(1, 3, 64, 64)).mask_logits.dtype == dtype
    assert not [name for name in model.state_dict() if "normalise" in name]


def test_plain_tiny_backbone_has_one_prefix_token_and_runs():
    model = make_eomt(ModelConfig("tiny", image_size=160)).eval()
    with torch.inference_mode():
        found = model(torch.rand(1, 3, 160, 160))
        tokens, _ = model.backbone.embed(torch.rand(1, 3, 160, 160))
    assert tokens.shape == (1, 1 + 100, 192)
    assert found.mask_logits.shape == (1, 200, 40, 40)
    assert found.class_logits.shape == (1, 200, 134)


@pytest.mark.parametrize(
    ("size", "backbone", "millions"),
    [
        ("small", "dinov3", 40.0),
        ("small", "dinov2", 40.6),
        ("base", "dinov3", 114.4),
        ("base", "dinov2", 115.6),
        ("large", "dinov3", 340.5),
        ("large", "dinov2", 342.2),
    ],
)
def test_parameter_counts(size, backbone, millions):
    """Table 1 of the paper prints 40, 116 and 340 million."""
    with torch.device("meta"):
        model = DSFlash(ModelConfig(size, backbone))
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == millions
