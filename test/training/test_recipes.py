from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("lightning")
pytest.importorskip("pydantic")

import timm
import torch
from runs import CONFIG, make_inputs

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import ConfigError, WeightsError
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, load_checkpoint, save_checkpoint
from dsflash_ros.model.segmenters.segmenter import Segmentation
from dsflash_ros.training.configuration import SegmenterConfig
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.segmenter.segmenter_data import SegmenterSamples, collate_segmenter
from dsflash_ros.training.segmenter.segmenter_training import SegmenterTraining
from dsflash_ros.training.segmenter.train_segmenter import prepare_model

STEPS = 7391
"""Of an epoch of COCO in batches of 16."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    make_inputs(folder, 2)
    return folder


@pytest.fixture(scope="module")
def model():
    """For tests that do not look at its weights."""
    return DSFlash(CONFIG)


def configured(*settings, name="tiny"):
    return load_config(SegmenterConfig, name, ["dataset=d", "out=o", *settings], "segmenter")


@pytest.mark.parametrize(
    ("size", "epochs", "starts", "ends"),
    [
        ("small", 24, (0, 73910, 118256), (3000, 103474, 147820)),
        ("base", 24, (0, 73910, 118256), (3000, 103474, 147820)),
        ("large", 12, (0, 29564, 44346, 59128), (3000, 44346, 59128, 73910)),
    ],
)
def test_eomts_recipe_for_dinov3(size, epochs, starts, ends):
    """The numbers of its configurations for COCO, and the defaults of its code."""
    config = configured(name=size)
    assert (config.size, config.backbone, config.image_size, config.num_queries) == (
        size,
        "dinov3",
        640,
        200,
    )
    assert (config.epochs, config.batch_size, config.gradient_clip, config.precision) == (
        epochs,
        16,
        0.01,
        "bfloat16",
    )
    assert (config.lr, config.weight_decay, config.llrd, config.decay_query_blocks) == (
        2e-4,
        0.05,
        0.8,
        False,
    )
    assert (config.warmup_steps, config.poly_power) == ((2000, 3000), 0.9)
    assert (config.num_points, config.no_object_weight) == (12544, 0.1)
    assert (config.mask_weight, config.dice_weight, config.class_weight) == (5, 5, 2)
    assert (config.start, config.augmentation) == ("timm", "eomt")
    total = epochs * STEPS
    for (start, end), first, last in zip(config.annealing, starts, ends, strict=True):
        assert (start, end) == pytest.approx((first / total, last / total), abs=5e-5)


def test_the_defaults_are_eomts_for_dinov2(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("{}")
    config = configured(name=str(path))
    assert (config.lr, config.weight_decay, config.llrd, config.decay_query_blocks) == (
        1e-4,
        0.05,
        0.8,
        True,
    )
    assert (config.warmup_steps, config.annealing, config.gradient_clip) == (
        (500, 1000),
        None,
        0.01,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 3e-3),
        ("weight_decay", 0.33),
        ("llrd", 0.33),
        ("decay_query_blocks", False),
        ("poly_power", 0.33),
        ("warmup_steps", (33, 44)),
        ("annealing", ((0.33, 0.44), (0.33, 0.44), (0.33, 0.44))),
        ("num_points", 33),
        ("mask_weight", 33.0),
        ("dice_weight", 33.0),
        ("class_weight", 33.0),
        ("no_object_weight", 0.33),
    ],
)
def test_every_setting_of_the_recipe_changes_the_training(name, value, model):
    def behaviour(config):
        training = SegmenterTraining(model, VOCABULARY, config)
        training.trainer = SimpleNamespace(estimated_stepping_batches=2000, global_step=1000)
        made = training.configure_optimizers()
        groups = [
            (group["initial_lr"], group["weight_decay"]) for group in made["optimizer"].param_groups
        ]
        factors = [
            factor(step)
            for factor in made["lr_scheduler"]["scheduler"].lr_lambdas
            for step in (30, 60, 1900)
        ]
        segmenter = training.model.segmenter
        probabilities = segmenter.recipe.mask_probabilities(segmenter, 0.5)
        return groups, factors, probabilities, training.loss

    config = configured()
    assert behaviour(config) == behaviour(config)
    assert behaviour(config.model_copy(update={name: value})) != behaviour(config)


def test_the_optimizer_is_as_configured(model):
    settings = configured("lr=3e-3", "weight_decay=0.07", "llrd=0.5", "warmup_steps=[4, 6]")
    training = SegmenterTraining(model, VOCABULARY, settings)
    training.trainer = SimpleNamespace(estimated_stepping_batches=20)
    made = training.configure_optimizers()
    groups = {group["name"]: group for group in made["optimizer"].param_groups}
    assert made["lr_scheduler"]["interval"] == "step"
    assert {group["weight_decay"] for group in groups.values()} == {0.07}
    assert groups["new"]["initial_lr"] == 3e-3
    assert groups["block9"]["initial_lr"] == pytest.approx(3e-3 * 0.25)
    rates = {"new": [], "block11": []}
    for _ in range(20):
        for name, seen in rates.items():
            seen.append(groups[name]["lr"])
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    assert rates["new"][:5] == pytest.approx([0, 7.5e-4, 1.5e-3, 2.25e-3, 3e-3])
    assert rates["block11"][:11] == pytest.approx(
        [0, 0, 0, 0, 0, 5e-4, 1e-3, 1.5e-3, 2e-3, 2.5e-3, 3e-3]
    )
    assert rates["new"][12] == pytest.approx(3e-3 * 0.5**0.9)
    assert rates["block11"][15] == pytest.approx(3e-3 * 0.5**0.9)


def some_batch(folder, side=CONFIG.image_size):
    samples = SegmenterSamples(PsgDataset.open(folder / "data"), side)
    return collate_segmenter([samples[0], samples[1]])


def test_each_step_process_and_seed_draws_anew(folder):
    batch = some_batch(folder)
    torch.manual_seed(0)
    training = SegmenterTraining(DSFlash(CONFIG), VOCABULARY, configured("num_points=32"))
    training.log = lambda *_, **__: None

    def loss(step, rank=0, seed=0):
        training.config = training.config.model_copy(update={"seed": seed})
        # The share of the run that is over is always 0: only what is drawn may differ.
        training.trainer = SimpleNamespace(
            global_step=step, global_rank=rank, current_epoch=0, estimated_stepping_batches=10**9
        )
        with torch.no_grad():
            return training.training_step(batch, 0).item()

    assert loss(0) == loss(0)
    assert len({loss(0), loss(1), loss(2), loss(0, rank=1), loss(0, seed=1)}) == 5


def test_what_is_void_in_the_truth_excuses_what_is_found_there(folder):
    """A segmenter that finds all, and more where the truth says nothing."""
    batch = some_batch(folder, 128)
    masks = (
        torch.nn.functional.one_hot(batch.labels.long() + 1, 21).permute(0, 3, 1, 2)[:, 1:] * 40.0
        - 20
    )
    classes = torch.zeros(2, 20, CONFIG.num_classes + 1)
    classes[:, :, -1] = 30
    for image, ids in enumerate(batch.class_ids):
        classes[image, torch.arange(len(ids)), ids] = 60
    training = SegmenterTraining(DSFlash(replace(CONFIG, image_size=128)), VOCABULARY, configured())
    training.model.segmenter.forward = lambda images: Segmentation(masks, classes, images)
    logged = {}
    training.log = lambda name, value, **_: logged.update({name: value})
    batch.labels[:, 20:50] = -1
    training.on_validation_epoch_start()
    training.validation_step(batch, 0)
    training.on_validation_epoch_end()
    assert logged == pytest.approx({"val/PQ": 1, "val/SQ": 1, "val/RQ": 1})


def start_from(folder, vocabulary=VOCABULARY, *settings):
    start = folder / "segmenter.safetensors"
    config = configured("image_size=96", "num_queries=10", "seed=5", f"start={start}", *settings)
    model, header = prepare_model(config, vocabulary)
    before = load_checkpoint(start)[0].segmenter.state_dict()
    after = model.segmenter.state_dict()
    changed = {
        name
        for name in after
        if before[name].shape != after[name].shape or (before[name] != after[name]).any()
    }
    return changed, header


def test_a_start_of_the_same_classes_is_taken_over_whole(folder):
    changed, header = start_from(folder)
    assert changed == set()
    assert header.trained == ("segmenter",)
    assert header.vocabulary == VOCABULARY
    assert header.recipe["segmenter"]["seed"] == 5
    predicates = ("near", "far")
    assert start_from(folder, replace(VOCABULARY, predicates=predicates))[0] == set(), (
        "classes are what matters"
    )


@pytest.mark.parametrize(
    "things", [VOCABULARY.things[::-1], VOCABULARY.things[1:]], ids=["as many", "fewer"]
)
def test_a_start_of_other_classes_gives_all_but_the_class_head(folder, things):
    changed, header = start_from(folder, replace(VOCABULARY, things=things))
    assert changed == {"class_head.weight", "class_head.bias"}
    assert header.vocabulary.things == things


@pytest.mark.parametrize(
    ("size", "backbone"), [("tiny", "plain"), ("small", "dinov2"), ("small", "dinov3")]
)
def test_a_start_of_another_image_size_has_its_positions_scaled_as_timm_scales_them(
    size, backbone, tmp_path
):
    config = replace(CONFIG, size=size, backbone=backbone)
    start = DSFlash(config)
    save_checkpoint(
        tmp_path / "start.safetensors", start, Header(config, VOCABULARY, trained=("segmenter",))
    )
    settings = (
        f"size={size}",
        f"backbone={backbone}",
        f"start={tmp_path / 'start.safetensors'}",
        "num_queries=10",
    )
    finer = prepare_model(configured("image_size=128", *settings), VOCABULARY)[0].segmenter

    expected = start.segmenter.state_dict()
    if backbone != "dinov3":  # whose rotary positions are computed, not learned
        timms = timm.create_model(
            config.timm_name, img_size=config.image_size, patch_size=16, num_classes=0
        )
        timms.load_state_dict(start.segmenter.backbone.vit.state_dict(), strict=False)
        timms.set_input_size((128, 128))
        expected |= {"backbone.vit.pos_embed": timms.pos_embed}
    found = finer.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_start_of_another_size_and_impossible_sizes(folder):
    with pytest.raises(
        WeightsError, match="cannot be the start: it is tiny plain with 10 queries; set size"
    ):
        start_from(folder, VOCABULARY, "num_queries=11")
    with pytest.raises(ConfigError, match="image_size must be a multiple of 16"):
        start_from(folder, VOCABULARY, "image_size=100")
