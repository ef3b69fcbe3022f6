import pytest
import torch

pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
pytest.importorskip("lightning", reason="the extra `train` is not installed")

from diffusion_folders import write_toy_folder

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import write_shapes
from dsflash_ros.errors import WeightsError
from dsflash_ros.model.diffusion.diffusion_folder import open_diffusion
from dsflash_ros.model.diffusion.image_embedding import ImageEmbedding
from dsflash_ros.training.diffusion import toy_diffusion
from dsflash_ros.training.diffusion.examples import Examples, read_examples
from dsflash_ros.training.diffusion.toy_diffusion import encode_captions, train_image_encoder
from dsflash_ros.training.diffusion.toy_folder import make_toy_folder

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    write_toy_folder(folder / "random")
    write_shapes(folder / "data", 6, seed=3, height=72, width=96)
    return folder


def test_examples_are_images_latents_and_captions(folder):
    found = open_diffusion(folder / "random")
    dataset = PsgDataset.open(folder / "data")
    records = [record for record in dataset if len(record.relations)]
    latents, tokens = found.encoder.latents, found.tokens
    examples = read_examples(records, dataset.vocabulary, latents, tokens, 128, 64, shuffled=2)
    count = len(records)
    assert examples.images.shape == (count, 3, 64, 64)
    assert examples.latents.shape == (count, 12, 16, 16)
    # the bottom of the letterbox is black: (0 - 0.5) * 4
    assert torch.equal(examples.latents[:, :, 13:], torch.full((count, 12, 3, 16), -2.0).half())
    assert all(len(texts) == 3 for texts in examples.captions)
    for texts in examples.captions:
        assert all(1 < tokens.count(text) <= 24 and " is " in text for text in texts)
    contexts = encode_captions(tokens, examples.captions, batch=4)
    assert contexts.shape == (count, 3, 24, 384)
    expected = tokens([examples.captions[1][2]])[0]
    torch.testing.assert_close(contexts[1, 2].float(), expected, atol=2e-3, rtol=2e-3)


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    """The second of four steps is the last that was stored."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    monkeypatch.setattr(toy_diffusion, "STATE_EVERY", 2)
    random = torch.Generator().manual_seed(1)
    images = torch.randint(256, (6, 3, 16, 16), generator=random).byte()
    contexts = torch.randn(6, 2, 4, 8, generator=random).half()
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2, "image_size": 16, "patch_size": 8, "projection_dim": 8}

    def train(state, stop=None):
        torch.manual_seed(0)
        embedding = ImageEmbedding(CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes)))
        if stop:
            calls = []

            def stopping(*given):
                calls.append(given)
                if len(calls) > stop:
                    raise KeyboardInterrupt

            embedding.register_forward_pre_hook(stopping)
        examples = Examples(images, torch.empty(0), [])
        train_image_encoder(embedding, examples, contexts, state, 4, batch=3)
        return embedding.state_dict()

    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", stop=3)
    assert torch.load(tmp_path / "parts", weights_only=True)["done"] == 2
    parts = train(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_folder_is_made_and_kept(folder, tmp_path):
    """A few steps of both trainings; what comes out is read as Stable Diffusion would be."""
    text = folder / "text"
    for part in ("tokenizer", "text_encoder"):
        for path in (folder / "random" / part).iterdir():
            text.mkdir(exist_ok=True)
            (text / path.name).write_bytes(path.read_bytes())
    dataset = PsgDataset.open(folder / "data")
    made = make_toy_folder(dataset, text, tmp_path, 128, unet_steps=3, encoder_steps=3)
    found = open_diffusion(made)
    assert found.encoder.architecture == "toy" and found.scheduler["steps_offset"] == 1
    before = (made / "unet" / "config.json").stat().st_mtime_ns
    assert make_toy_folder(dataset, text, tmp_path, 128, unet_steps=3) == made
    assert (made / "unet" / "config.json").stat().st_mtime_ns == before
    with pytest.raises(WeightsError, match="the diffusion model lacks absent/: there is no"):
        make_toy_folder(dataset, tmp_path / "absent", tmp_path / "other")
