import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.diffusion.attention_maps import recorded
from dsflash_ros.model.diffusion.captioner import Captioner
from dsflash_ros.model.diffusion.diffusion_encoder import DiffusionEncoder, side_by_side
from dsflash_ros.model.diffusion.diffusion_folder import open_diffusion
from dsflash_ros.model.diffusion.latents import AutoencoderLatents, PixelLatents

diffusers = pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
transformers = pytest.importorskip("transformers", reason="the extra `words` is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from diffusion_folders import write_toy_folder

    return write_toy_folder(tmp_path_factory.mktemp("toy"))


def test_captions_of_images_start_at_the_empty_caption():
    uncond = torch.randn(5, 8)
    captioner = Captioner(uncond, 6)
    embeddings = torch.randn(3, 6)
    assert torch.equal(captioner(embeddings), uncond.expand(3, 5, 8))
    with torch.no_grad():
        captioner.opening.fill_(0.7)
    found = captioner(embeddings)
    hidden = captioner.inputs(embeddings[1]) + captioner.positions[4]
    expected = uncond[4] + torch.tensor(0.7).tanh() * captioner.outputs(nn.functional.gelu(hidden))
    torch.testing.assert_close(found[1, 4], expected)
    assert "uncond" not in dict(captioner.named_parameters())


def test_a_vector_that_all_tokens_share_is_invisible_to_attention():
    """Why the captioner is no Linear + positions: the image would move all tokens alike."""
    query, key = torch.randn(7, 4), nn.Linear(8, 4, bias=False)
    tokens, of_image = torch.randn(5, 8), torch.randn(8)
    read = (query @ key(tokens).T).softmax(1)
    torch.testing.assert_close((query @ key(tokens + of_image).T).softmax(1), read)
    captioner = Captioner(tokens, 6)
    with torch.no_grad():
        captioner.opening.fill_(1.0)
    one, other = captioner(torch.randn(2, 6))
    assert ((query @ key(one).T).softmax(1) - (query @ key(other).T).softmax(1)).abs().max() > 1e-3


def test_pixels_as_latents_can_be_undone():
    latents = PixelLatents(12)
    images = torch.rand(2, 3, 64, 48)
    found = latents(images)
    assert found.shape == (2, 12, 8, 6)
    small = nn.functional.avg_pool2d(images, 4)
    torch.testing.assert_close(nn.functional.pixel_shuffle(found, 2) / 4 + 0.5, small)


@torch.no_grad()
def test_latents_are_those_of_the_autoencoder():
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 4, "norm_num_groups": 8}
    blocks["up_block_types"] = ["UpDecoderBlock2D"] * 4
    model = diffusers.AutoencoderKL(block_out_channels=[8, 8, 16, 16], **blocks).eval()
    images = torch.rand(2, 3, 64, 64)
    expected = model.encode(images * 2 - 1).latent_dist.mode() * model.config.scaling_factor
    latents = AutoencoderLatents(model)
    torch.testing.assert_close(latents(images), expected)
    assert latents.channels == expected.shape[1] and expected.shape[2:] == (8, 8)


@torch.no_grad()
def test_maps_are_what_the_up_blocks_give_at_t_0(folder):
    encoder = open_diffusion(folder).encoder
    images = torch.rand(2, 3, 128, 128)
    maps = encoder(images)
    assert [image.shape[1] for image in maps] == encoder.channels == [128, 64, 32]
    assert [128 // image.shape[2] for image in maps] == encoder.strides == [16, 8, 8]
    kept = []
    encoder.unet.up_blocks[1].register_forward_hook(lambda block, given, out: kept.append(out))
    context = encoder.captioner.uncond.expand(2, -1, -1)
    encoder.unet(encoder.latents(images), 0, context)
    torch.testing.assert_close(maps[1], kept[0])
    assert [len(block._forward_hooks) for block in encoder.unet.up_blocks] == [0, 1, 0]


def test_strides_of_stable_diffusion():
    """SD's UNet halves 64 x 64 latents of 512 pixels three times."""
    with torch.device("meta"):
        encoder = DiffusionEncoder("sd15")
        maps = encoder.see(torch.empty(1, 4, 64, 64), torch.empty(1, 768))
    assert [512 // image.shape[2] for image in maps] == encoder.strides == [32, 16, 8, 8]
    assert [image.shape[1] for image in maps] == encoder.channels == [1280, 1280, 640, 320]


def test_maps_side_by_side():
    maps = [torch.randn(2, 6, 4, 4), torch.randn(2, 5, 8, 8), torch.randn(2, 4, 16, 16)]
    found = side_by_side(maps, 8)
    assert found.shape == (2, 15, 8, 8)
    expected = (maps[1] - maps[1].mean(1, keepdim=True)) / maps[1].std(1, False, keepdim=True)
    torch.testing.assert_close(found[:, 6:11], expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_an_empty_caption_says_what_the_text_encoder_says(folder):
    found = open_diffusion(folder)
    expected = found.tokens([""])[0]
    assert torch.equal(found.encoder.captioner.uncond, expected)
    assert found.tokens(["ball", "star is on box"]).shape == (2, 24, 384)
    assert found.tokens.count("ball is on box") == 6
    assert not any(part.requires_grad for part in found.encoder.parameters())


@torch.no_grad()
def test_words_reach_the_attention(folder):
    """Token k of the text is what a place's share k reads."""
    found = open_diffusion(folder)
    unet, latents = found.encoder.unet, torch.randn(1, 12, 8, 8)
    tokens = found.tokens(["ball is on box"])
    with recorded(unet) as maps:
        unet(latents, 3, tokens)
    straight = maps.mean(4)
    order = torch.randperm(24)
    with recorded(unet) as maps:
        unet(latents, 3, tokens[:, order])
    torch.testing.assert_close(maps.mean(4), straight[:, order], atol=1e-5, rtol=1e-4)


def test_folders_that_are_none(folder, tmp_path):
    with pytest.raises(WeightsError, match="is no folder of a diffusion model: it has no unet/"):
        open_diffusion(tmp_path / "absent")
    for part in ("text_encoder", "scheduler", "image_encoder"):
        lacking = shutil.copytree(folder, tmp_path / part)
        shutil.rmtree(lacking / part)
        with pytest.raises(WeightsError, match=f"the diffusion model lacks {part}/: there is no"):
            open_diffusion(lacking)
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"none")
    with pytest.raises(WeightsError, match=r"cannot read .*unet"):
        open_diffusion(damaged)
    other = shutil.copytree(folder, tmp_path / "other")
    diffusers.UNet2DConditionModel(
        in_channels=3, block_out_channels=(32, 32, 32, 32), cross_attention_dim=8
    ).save_pretrained(other / "unet")
    with pytest.raises(WeightsError, match="is none that is known here: toy, sd15, sd21"):
        open_diffusion(other)


def test_folders_whose_parts_are_not_whole_or_do_not_fit(folder, tmp_path):
    for part in ("unet", "text_encoder", "image_encoder"):
        lacking = shutil.copytree(folder, tmp_path / part)
        (path,) = (lacking / part).glob("*.safetensors")
        tensors = load_file(path)
        tensors.pop(min(name for name in tensors if name.endswith("weight")))
        save_file(tensors, path, {"format": "pt"})
        with pytest.raises(WeightsError, match=rf"{part} holds no whole .*it lacks 1 of its"):
            open_diffusion(lacking)
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(WeightsError, match=rf"cannot read .*{part}: "):
            open_diffusion(lacking)
    sizes = {"num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8}
    for size, told in (
        ({"hidden_size": 32}, r"makes \(24, 32\) numbers .* UNet 'toy' reads \(24, 384\)"),
        ({"hidden_size": 384, "max_position_embeddings": 8}, "cannot read 24 tokens"),
    ):
        other = shutil.copytree(folder, tmp_path / f"text{size['hidden_size']}")
        text = transformers.BertConfig(vocab_size=60, **sizes, **size)
        transformers.BertModel(text).save_pretrained(other / "text_encoder")
        with pytest.raises(WeightsError, match=f"text_encoder {told}"):
            open_diffusion(other)
