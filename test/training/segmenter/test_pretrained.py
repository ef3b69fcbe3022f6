import pytest
import timm
import torch
from places import SHARED
from safetensors.torch import load_file, save_file

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.eomt import make_eomt
from dsflash_ros.training.segmenter.pretrained import load_backbone

DEIT = SHARED / "weights/deit_tiny_patch16_224.safetensors"
needs_deit = pytest.mark.skipif(not DEIT.exists(), reason="the DeiT-Tiny weights are not here")

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def backbone_tokens(segmenter, images):
    """What the backbone alone makes of images, without queries."""
    backbone = segmenter.backbone
    normalised = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    tokens, rope = backbone.embed(normalised)
    for index in range(segmenter.depth):
        tokens = backbone.run_block(index, tokens, rope)
    return normalised, backbone.norm(tokens)


@needs_deit
@torch.inference_mode()
def test_deit_gives_what_timm_gives():
    segmenter = make_eomt(ModelConfig("tiny", image_size=224)).eval()
    load_backbone(segmenter.backbone, DEIT)
    reference = timm.create_model("deit_tiny_patch16_224").eval()
    reference.load_state_dict({name: tensor.float() for name, tensor in load_file(DEIT).items()})
    images, found = backbone_tokens(segmenter, torch.rand(1, 3, 224, 224))
    assert (found - reference.forward_features(images)).abs().max() < 1e-3
    assert {parameter.dtype for parameter in segmenter.parameters()} == {torch.float32}


@needs_deit
@torch.inference_mode()
def test_positions_are_scaled_as_timm_scales_them(tmp_path):
    segmenter = make_eomt(ModelConfig("tiny", image_size=128)).eval()
    load_backbone(segmenter.backbone, DEIT)
    # timm scales in the precision of the file; we in float32.
    save_file(
        {name: tensor.float() for name, tensor in load_file(DEIT).items()},
        tmp_path / "float.safetensors",
    )
    overlay = {"file": str(tmp_path / "float.safetensors")}
    reference = timm.create_model(
        "deit_tiny_patch16_224", img_size=128, pretrained=True, pretrained_cfg_overlay=overlay
    ).eval()
    images, found = backbone_tokens(segmenter, torch.rand(1, 3, 128, 128))
    assert (found - reference.forward_features(images)).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("backbone", "name", "image_size"),
    [
        ("dinov2", "vit_small_patch14_reg4_dinov2", 98),
        ("dinov3", "vit_small_patch16_dinov3_qkvb", 96),
        ("dinov3", "vit_small_patch16_dinov3", 96),
    ],
)
@torch.inference_mode()
def test_timm_checkpoints_of_other_patches_grids_and_biases(backbone, name, image_size, tmp_path):
    """Random weights of timm's own model, which timm loads into other image and patch sizes."""
    source = timm.create_model(name, img_size=image_size, num_classes=5)
    for (
        parameter
    ) in source.parameters():  # numbers that half precision has too: rounding is not what is tested
        parameter.copy_((parameter + 0.02 * torch.randn_like(parameter)).half())
    save_file(
        source.state_dict(), tmp_path / "vit.safetensors"
    )  # float32: timm resizes in the numbers of the file
    torch.save({"model": source.half().state_dict()}, tmp_path / "vit.pth")
    segmenter = make_eomt(ModelConfig("small", backbone, 128)).eval()
    overlay = {"file": str(tmp_path / "vit.safetensors"), "num_classes": 5}
    reference = timm.create_model(
        name,
        img_size=128,
        patch_size=16,
        num_classes=5,
        pretrained=True,
        pretrained_cfg_overlay=overlay,
    ).eval()
    for file in ("vit.pth", "vit.safetensors"):
        load_backbone(segmenter.backbone, tmp_path / file)
        images, found = backbone_tokens(segmenter, torch.rand(1, 3, 128, 128))
        assert (found - reference.forward_features(images)).abs().max() < 1e-3


def test_every_tensor_is_accounted_for(tmp_path):
    segmenter = make_eomt(ModelConfig("tiny", image_size=64))
    before = {name: tensor.clone() for name, tensor in segmenter.state_dict().items()}
    state = {name: tensor + 1 for name, tensor in segmenter.backbone.vit.state_dict().items()}
    del state["blocks.3.norm1.weight"]
    state["blocks.12.norm1.weight"] = torch.zeros(192)
    state["norm.bias"] = torch.zeros(7)
    save_file(state, tmp_path / "wrong.safetensors")
    with pytest.raises(WeightsError) as error:
        load_backbone(segmenter.backbone, tmp_path / "wrong.safetensors")
    for part in (
        "missing: blocks.3.norm1.weight",
        "left over: blocks.12.norm1.weight",
        "norm.bias is (7,), should be (192,)",
    ):
        assert part in str(error.value)
    assert all(torch.equal(before[name], tensor) for name, tensor in segmenter.state_dict().items())


@needs_deit
def test_another_size_is_refused():
    with pytest.raises(WeightsError, match="does not fit this backbone"):
        load_backbone(make_eomt(ModelConfig("small", "dinov2", 64)).backbone, DEIT)


@pytest.mark.parametrize(
    ("content", "suffix", "message"),
    [
        (None, ".pth", "no weights at"),
        (b"half", ".safetensors", "cannot read the weights"),
        (b"half", ".pth", "cannot read the weights"),
        (b"", ".pth", "cannot read the weights"),
        ([1, 2], ".pth", "holds no state dict"),
        (
            {"pos_embed": torch.zeros(3), "patch_embed.proj.weight": torch.zeros(2)},
            ".pth",
            "does not fit",
        ),
    ],
)
def test_files_that_are_no_weights(content, suffix, message, tmp_path):
    path = tmp_path / f"file{suffix}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(WeightsError, match=message) as error:
        load_backbone(make_eomt(ModelConfig("tiny", image_size=64)).backbone, path)
    assert "\n" not in str(error.value)


def test_a_name_that_timm_does_not_know():
    with pytest.raises(WeightsError, match="timm cannot give the weights 'timm:vit_of_nobody'"):
        load_backbone(make_eomt(ModelConfig("tiny", image_size=64)).backbone, "timm:vit_of_nobody")
