import pytest
import torch
from reference_eomt import reference_model, weights_of

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.attention import attention
from dsflash_ros.model.segmenters.eomt import make_eomt
from dsflash_ros.model.segmenters.upscaling import UpscaleBlock

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PROBES = (
    "q.weight",
    "backbone.vit.blocks.10.mlp.fc1.weight",
    "backbone.vit.blocks.0.norm1.weight",
    "mask_head.0.bias",
)


def pair(backbone, image_size=96):
    """A random reference that trains with masked attention, and ours with its weights."""
    torch.manual_seed(
        0
    )  # a mask logit that is 0 up to rounding would open a patch in one model alone
    reference = reference_model("small", backbone, image_size, num_classes=7)
    with torch.no_grad():  # fresh weights attend to everything alike, and add little of it
        for name, parameter in reference.named_parameters():
            if name.endswith((".q_proj.weight", ".k_proj.weight")):
                parameter.mul_(4)
            if name.endswith("layer_scale1.lambda1"):
                parameter.fill_(1)
    ours = make_eomt(ModelConfig("small", backbone, image_size, num_things=4, num_stuff=3))
    ours.load_state_dict(weights_of(reference, backbone), strict=True)
    reference.train()
    if backbone == "dinov3":
        reference.rope_embeddings.eval()  # else it scales positions at random; timm does not
    return reference, ours


def reference_predictions(reference, images, probability):
    """What the reference predicts before each query block and at the end, as it keeps to itself."""
    found, predict = [], reference.predict
    reference.predict = lambda tokens: found.append(predict(tokens)) or found[-1]
    reference.attn_mask_probs.fill_(probability)
    reference((images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1))
    return found


def scalar(predictions):
    """Something that every output has a part in, each with a weight of its own."""
    generator = torch.Generator().manual_seed(0)
    return sum(
        (x * torch.randn(x.shape, generator=generator)).mean() for both in predictions for x in both
    )


@pytest.mark.parametrize("backbone", ["dinov2", "dinov3"])
def test_masked_attention_and_its_gradients_agree_with_transformers(backbone):
    reference, ours = pair(backbone)
    images = torch.rand(2, 3, 96, 96)
    expected = reference_predictions(reference, images, 1.0)
    found = ours.predict_each_block(images, (1.0, 1.0, 1.0))
    assert len(found) == len(expected) == 4
    for (masks, classes), (expected_masks, expected_classes) in zip(found, expected, strict=True):
        assert expected_masks.std() > 0.1, "a reference that says nothing proves nothing"
        assert (masks - expected_masks).abs().max() < 1e-3
        assert (classes - expected_classes).abs().max() < 1e-3
    assert (found[-1][0] - ours(images).mask_logits).abs().max() > 0.1, "masks made no difference"

    scalar(expected).backward()
    scalar(found).backward()
    gradients = {name: parameter.grad for name, parameter in reference.named_parameters()}
    expected_gradients = weights_of(_Gradients(gradients), backbone)
    for name in PROBES:
        gradient, wanted = ours.get_parameter(name).grad, expected_gradients[name]
        assert wanted.abs().max() > 0
        assert (gradient - wanted).abs().max() < 1e-3 * wanted.abs().max()


class _Gradients:
    """Looks like a model whose weights are gradients, so that `weights_of` renames them."""

    def __init__(self, gradients):
        self.gradients = gradients

    def state_dict(self):
        return self.gradients


@pytest.mark.parametrize("backbone", ["dinov2", "dinov3"])
def test_lifted_masks_agree_with_transformers(backbone):
    """Halfway through annealing both draw one number for each query; the same seed gives the same
    draws.
    """
    reference, ours = pair(backbone)
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        torch.manual_seed(5)
        expected = reference_predictions(reference, images, 0.5)[-1]
        found = ours.predict_each_block(images, (0.5, 0.5, 0.5), torch.Generator().manual_seed(5))[
            -1
        ]
        other = ours.predict_each_block(images, (0.5, 0.5, 0.5), torch.Generator().manual_seed(6))[
            -1
        ]
    assert (found[0] - expected[0]).abs().max() < 1e-3
    assert (found[1] - expected[1]).abs().max() < 1e-3
    assert (found[0] - other[0]).abs().max() > 0.1


@pytest.mark.parametrize(
    ("size", "backbone"), [("tiny", "plain"), ("small", "dinov2"), ("small", "dinov3")]
)
def test_after_annealing_the_last_prediction_is_inference(size, backbone):
    model = make_eomt(ModelConfig(size, backbone, 96, num_queries=11)).train()
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        masks, classes = model.predict_each_block(images, (0.0, 0.0, 0.0))[-1]
        expected = model.eval()(images)
    assert torch.equal(masks, expected.mask_logits)
    assert torch.equal(classes, expected.class_logits)


@pytest.mark.parametrize("tome_ratio", [0.0, 0.5])
def test_features_alone_are_those_of_a_segmentation(tome_ratio):
    model = make_eomt(ModelConfig("tiny", image_size=96, num_queries=11)).eval()
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        alone = model.features(images, tome_ratio=tome_ratio)
        assert torch.equal(alone, model(images, tome_ratio=tome_ratio).features)


def test_masked_attention_is_attention_under_one_full_mask():
    """The plain backbone, against scaled_dot_product_attention's own mask over all tokens."""
    model = make_eomt(ModelConfig("tiny", image_size=64, num_queries=5))
    backbone, (heads, dim) = model.backbone, (3, 64)
    tokens = torch.randn(2, 5 + 1 + 16, 192)
    mask = torch.rand(2, 5, 22) > 0.5
    mask[..., :6] = True
    full = torch.ones(2, 1, 22, 22, dtype=torch.bool)
    full[:, 0, :5] = mask
    block = backbone.vit.blocks[0]
    query, key, value = (
        part.view(2, 22, heads, dim).transpose(1, 2)
        for part in block.attn.qkv(block.norm1(tokens)).chunk(3, dim=-1)
    )
    mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=full)
    expected = tokens + block.attn.proj(mixed.transpose(1, 2).reshape(2, 22, 192))
    expected = expected + block.mlp(block.norm2(expected))
    assert (backbone.run_block(0, tokens, None, mask=mask) - expected).abs().max() < 1e-5


def test_upscaling_for_gradients_is_that_of_inference():
    block, x, weight = (
        UpscaleBlock(24),
        torch.randn(2, 24, 5, 7, requires_grad=True),
        torch.randn(2, 24, 10, 14),
    )
    y = block(x)
    expected = block.norm(block.conv2(block.act(block.conv1(x))))
    assert (y - expected).abs().max() < 1e-4
    inputs = (x, *block.parameters())
    gradients = [torch.autograd.grad((result * weight).sum(), inputs) for result in (y, expected)]
    for found, expected in zip(*gradients, strict=True):
        assert (found - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("masked", [False, True])
def test_attention_in_bfloat16_differs_from_float32_by_its_rounding_alone(masked):
    heads = torch.randn(3, 2, 3, 70, 64).bfloat16()
    mask = (torch.rand(2, 1, 70, 70) < 0.5) | torch.eye(70, dtype=torch.bool) if masked else None
    weight, results = torch.randn(2, 3, 70, 64), []
    for dtype in (torch.bfloat16, torch.float32):
        inputs = heads.to(dtype).requires_grad_()
        mixed = attention(*inputs, mask)
        assert mixed.dtype == dtype
        results.append((mixed, *torch.autograd.grad((mixed.float() * weight).sum(), inputs)))
    for found, expected in zip(*results, strict=True):
        assert (found.float() - expected.float()).norm() < 0.02 * expected.norm()
