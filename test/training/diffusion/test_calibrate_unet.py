import json
import shutil

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
pytest.importorskip("peft", reason="the extra `diffusion` is not installed")
pytest.importorskip("pydantic", reason="the extra `train` is not installed")

from diffusion_folders import SCHEDULER, write_toy_folder
from safetensors.torch import load_file

from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import ConfigError, OutputError, TrainingError
from dsflash_ros.model.diffusion.attention_maps import recorded
from dsflash_ros.model.diffusion.deterministic_sampling import ddim_invert, ddim_sample
from dsflash_ros.model.diffusion.diffusion_folder import open_diffusion
from dsflash_ros.model.diffusion.noise_levels import NoiseLevels
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.diffusion.calibrate_unet import (
    CALIBRATED,
    MAPS,
    calibrate,
    train_calibration,
)
from dsflash_ros.training.diffusion.calibration_configuration import CalibrationConfig
from dsflash_ros.training.diffusion.examples import Examples
from dsflash_ros.training.diffusion.teacher_maps import (
    SAMPLERS,
    fill_teacher_maps,
    run_unet,
    teacher_map,
)

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibration")
    write_toy_folder(folder / "toy")
    write_shapes(folder / "data", 10, seed=3, height=72, width=96, test_share=0.2)
    return folder


def config_of(folder, out, *changes):
    given = [f"diffusion={folder / 'toy'}", f"dataset={folder / 'data'}", f"out={out}"]
    given += ["image_size=128", "steps=2", "epochs=2", "batch_size=4", f"map_side={SIDE}"]
    given += ["novel_predicates=[]", "device=cpu", *changes]
    return load_config(CalibrationConfig, "toyroom", given, "calibration")


@torch.no_grad()
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_maps_are_those_of_the_step_that_is_named(folder, sampler):
    found = open_diffusion(folder / "toy")
    unet, context = found.encoder.unet, found.tokens(["ball is on box", "star is inside cone"])
    levels, noise = NoiseLevels.of_scheduler(SCHEDULER, 4), torch.randn(2, 12, 16, 16)
    with recorded(unet) as maps:
        run_unet(unet, context, noise, levels.times[-1])
    first = teacher_map(unet, noise, context, levels, SIDE, sampler, "noise")
    torch.testing.assert_close(first, maps.mean(SIDE))
    states = []

    def watched(x, time):
        states.append((x, time))
        return run_unet(unet, context, x, time)

    SAMPLERS[sampler](noise, watched, levels)
    x, time = states[-1]
    assert time == levels.times[1] == 1 and len(states) == 4
    with recorded(unet) as maps:
        run_unet(unet, context, x, time)
    last = teacher_map(unet, noise, context, levels, SIDE, sampler, "image")
    torch.testing.assert_close(last, maps.mean(SIDE))
    assert (last - first).abs().max() > 1e-4
    torch.testing.assert_close(last.sum(1), torch.ones(2, SIDE, SIDE))


@torch.no_grad()
def test_maps_in_a_file_are_those_of_inverted_images(folder, tmp_path):
    found = open_diffusion(folder / "toy")
    unet, levels = found.encoder.unet, NoiseLevels.of_scheduler(SCHEDULER, 3)
    latents, captions = torch.randn(3, 12, 16, 16), ["ball is on box", "", "star is on bar"]
    given = (unet, latents, captions, found.tokens, levels, SIDE)
    maps = fill_teacher_maps(tmp_path / "a.npy", *given, batch=2)
    empty = found.tokens([""])
    inverted = ddim_invert(latents[2:], lambda x, time: run_unet(unet, empty, x, time), levels)
    expected = teacher_map(unet, inverted, found.tokens(captions[2:]), levels, SIDE)[0]
    np.testing.assert_allclose(maps[2], expected, atol=1e-3)
    drawn = fill_teacher_maps(tmp_path / "b.npy", *given, start="noise", batch=3)
    again = fill_teacher_maps(tmp_path / "c.npy", *given, start="noise", batch=1)
    np.testing.assert_allclose(drawn, again, atol=1e-3)
    assert np.abs(drawn - maps).max() > 1e-2


def test_maps_that_are_there_are_kept(folder, tmp_path):
    found = open_diffusion(folder / "toy")
    levels = NoiseLevels.of_scheduler(SCHEDULER, 2)
    given = (found.encoder.unet, torch.randn(3, 12, 16, 16), ["ball"] * 3, found.tokens, levels)
    maps = np.lib.format.open_memmap(tmp_path / MAPS, "w+", np.float16, (3, 24, SIDE, SIDE))
    maps[1] = 0.5
    del maps
    maps = fill_teacher_maps(tmp_path / MAPS, *given, SIDE)
    assert (maps[1] == 0.5).all()
    np.testing.assert_allclose(maps[[0, 2]].astype(float).sum(1), 1, atol=5e-3)
    with pytest.raises(OutputError, match="there are maps of another shape"):
        fill_teacher_maps(tmp_path / MAPS, *given, 4)


@torch.no_grad()
def test_the_prompt_of_the_sampling_alone_makes_inversion_a_detour(folder):
    """With one prompt for both ways, sampling comes back to the image: see `teacher_maps.py`."""
    found = open_diffusion(folder / "toy")
    unet, image = found.encoder.unet, torch.randn(1, 12, 16, 16)
    # As in a trained UNet, what it says changes little from step to step.
    for part in unet.conv_out.parameters():
        part.mul_(0.05)
    levels = NoiseLevels.of_scheduler(SCHEDULER, 50)
    context = found.tokens(["ball is on box"])

    def told(x, time):
        return run_unet(unet, context, x, time)

    back = ddim_sample(ddim_invert(image, told, levels), told, levels)
    assert (back - image).abs().max() < 0.1 * image.abs().max()


def learn(folder, teacher, rank):
    """An encoder calibrated to maps at will, what it was before, and its losses."""
    encoder = open_diffusion(folder / "toy").encoder
    random = torch.Generator().manual_seed(5)
    images = torch.randint(256, (4, 3, 64, 64), generator=random).byte()
    latents = torch.randn(4, 12, 16, 16, generator=random)
    changes = (f"rank={rank}", "epochs=25", "lr=5e-3")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    config = config_of(folder, "none", *changes)
    losses = calibrate(encoder, Examples(images, latents, []), teacher, config)
    return encoder, before, losses


@pytest.mark.parametrize("rank", [0, 4])
def test_captioner_and_lora_learn_and_nothing_else(folder, rank):
    torch.manual_seed(1)
    teacher = (4 * torch.randn(1, 24, SIDE, SIDE)).softmax(1).expand(4, -1, -1, -1).numpy()
    encoder, before, losses = learn(folder, teacher, rank)
    assert losses[-1] < losses[0] - 0.01
    after = encoder.state_dict()
    assert after.keys() == before.keys()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    learned = {name for name in changed if name.startswith("captioner.")}
    assert "captioner.opening" in learned and "captioner.uncond" not in learned
    projections = {name for name in after if ".attn2.to_k." in name or ".attn2.to_v." in name}
    last = "unet.up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_v.weight"
    assert changed - learned == (projections - {last} if rank else set())


def test_a_run_can_be_gone_on_with_and_is_the_same(folder, tmp_path):
    config = config_of(folder, tmp_path / "a")
    path = train_calibration(config)
    tensors = load_file(path)
    assert (tmp_path / "a" / "losses.json").exists()
    with pytest.raises(ConfigError, match="holds a run already; go on with it by --resume"):
        train_calibration(config)
    with pytest.raises(ConfigError, match="a run goes on as it was configured"):
        train_calibration(config_of(folder, tmp_path / "a", "lr=0.1"), resume=True)
    kept = (tmp_path / "a" / MAPS).stat().st_mtime_ns
    path.unlink()
    again = load_file(train_calibration(config, resume=True))
    assert (tmp_path / "a" / MAPS).stat().st_mtime_ns == kept
    assert all(torch.equal(tensors[name], again[name]) for name in tensors)
    base = open_diffusion(folder / "toy").encoder
    for name, tensor in base.embedding.state_dict().items():
        assert torch.equal(tensors[f"embedding.{name}"], tensor)


def test_images_with_something_novel_are_left_out(folder, tmp_path, caplog):
    names = json.dumps(VOCABULARY.predicates)
    everything = config_of(folder, tmp_path / "a", f"novel_predicates={names}")
    with pytest.raises(ConfigError, match="images shows something novel; name fewer"):
        train_calibration(everything)
    with pytest.raises(ConfigError, match="novel_classes: the data set has no 'dog'"):
        train_calibration(config_of(folder, tmp_path / "b", "novel_classes=[dog]"))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("image_size=100", "image_size is 100: input should be a multiple of 64"),
        ("sampler=euler", "sampler is 'euler': input should be 'obelm' or 'ddim'"),
        ("steps=1", "steps is 1: input should be greater than or equal to 2"),
        ("ranks=4", "unknown key 'ranks'; did you mean 'rank'?"),
    ],
)
def test_settings_that_cannot_be(folder, setting, told):
    with pytest.raises(ConfigError, match=told.replace("?", r"\?")):
        config_of(folder, "none", setting)


def test_a_loss_that_is_no_number_ends_the_run(folder, tmp_path):
    with pytest.raises(TrainingError, match="the loss became nan in step 2 of 4; nothing was"):
        train_calibration(config_of(folder, tmp_path / "a", "lr=1e30"))
    assert not (tmp_path / "a" / CALIBRATED).exists()


def test_maps_of_other_images_are_not_gone_on_with(folder, tmp_path):
    data = shutil.copytree(folder / "data", tmp_path / "data")
    config = config_of(folder, tmp_path / "a", f"dataset={data}")
    train_calibration(config)
    path = data / "psg.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "data": content["data"][::-1]}))
    with pytest.raises(TrainingError, match=r"has changed since the run began: its images or capt"):
        train_calibration(config, resume=True)
    path.write_text(json.dumps(content))
    train_calibration(config, resume=True)
