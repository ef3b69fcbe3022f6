import logging

import numpy as np
import pytest

pytest.importorskip("lightning")

import lightning
import torch
from places import SHARED
from torch.utils.data import DataLoader

from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.data.views import EpochSampler
from dsflash_ros.errors import ConfigError, TrainingError
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.segmenter import Segmentation
from dsflash_ros.training.configuration import SegmenterConfig
from dsflash_ros.training.segmenter.pretrained import load_backbone
from dsflash_ros.training.segmenter.segmenter_data import (
    SegmenterBatch,
    SegmenterSamples,
    collate_segmenter,
)
from dsflash_ros.training.segmenter.segmenter_training import SegmenterTraining
from dsflash_ros.training.segmenter.set_loss import SetLoss

DEIT = SHARED / "weights/deit_tiny_patch16_224.safetensors"

QUICK = SegmenterConfig(dataset="d", out="o", lr=1e-3, warmup_steps=(2, 2), num_points=256)


def tiny_model(image_size=64, seed=0):
    torch.manual_seed(seed)
    sizes = {"num_things": 6, "num_stuff": 2, "num_predicates": 6, "num_queries": 20}
    return DSFlash(
        ModelConfig("tiny", image_size=image_size, **sizes, neck_dim=32, neck_depth=1, neck_heads=2)
    )


class Curve(lightning.Callback):
    """Notes the loss of each step and the scores of each validation."""

    def __init__(self):
        self.losses, self.scores = [], []

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.losses.append(trainer.callback_metrics["train/loss"].item())

    def on_validation_end(self, trainer, module):
        self.scores.append(trainer.callback_metrics["val/PQ"].item())


def fit(training, dataset, epochs, side=64, batch_size=4, checkpoint=None, **options):
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    samples = SegmenterSamples(dataset, side)
    curve = Curve()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        gradient_clip_val=0.01,
        callbacks=[curve],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )
    train = DataLoader(
        samples, batch_size, sampler=EpochSampler(range(len(samples))), collate_fn=collate_segmenter
    )
    trainer.fit(
        training, train, DataLoader(samples, 8, collate_fn=collate_segmenter), ckpt_path=checkpoint
    )
    return trainer, curve


def weights_of(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def test_a_short_run_learns_and_leaves_the_relation_stage_alone(shapes):
    model = tiny_model()
    relations = weights_of(model.relations)
    training = SegmenterTraining(model, VOCABULARY, QUICK)
    _, curve = fit(training, shapes, epochs=10, check_val_every_n_epoch=5)
    assert len(curve.losses) == 20
    assert np.mean(curve.losses[-4:]) < 0.7 * np.mean(curve.losses[:4])
    assert len(curve.scores) == 2
    assert all(
        torch.equal(relations[name], tensor)
        for name, tensor in model.relations.state_dict().items()
    )
    assert all(parameter.grad is None for parameter in model.relations.parameters())


@pytest.mark.parametrize(
    ("size", "backbone"), [("tiny", "plain"), ("small", "dinov2"), ("small", "dinov3")]
)
def test_every_parameter_of_the_segmenter_takes_part(size, backbone, shapes):
    """DDP demands it, too.

    Also in a batch without any segment, where gradients are zero but there.
    """
    config = ModelConfig(
        size, backbone, 64, num_things=6, num_stuff=2, num_predicates=6, num_queries=5
    )
    model = DSFlash(config)
    batch = collate_segmenter([SegmenterSamples(shapes, 64)[i] for i in range(2)])
    empty = batch._replace(
        labels=torch.full_like(batch.labels, -1), class_ids=(torch.zeros(0, dtype=torch.long),) * 2
    )
    for each in (batch, empty):
        model.zero_grad(set_to_none=True)
        predictions = model.segmenter.predict_each_block(each.images / 255, (1.0, 0.5, 0.0))
        SetLoss(num_points=64)(predictions, each.labels, each.class_ids).total.backward()
        assert [
            name for name, parameter in model.segmenter.named_parameters() if parameter.grad is None
        ] == []
    model.zero_grad(set_to_none=True)
    predictions = model.segmenter.predict_each_block(batch.images / 255, (1.0, 0.5, 0.0))
    SetLoss(num_points=64)(predictions, batch.labels, batch.class_ids).total.backward()
    still = [
        name for name, parameter in model.segmenter.named_parameters() if not parameter.grad.any()
    ]
    assert still == []


class StopAfter(lightning.Callback):
    """Ends a run early, as an interrupt between two epochs would."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_epoch_end(self, trainer, module):
        trainer.should_stop = trainer.current_epoch + 1 == self.epochs


@pytest.mark.slow
def test_a_resumed_run_goes_on_bit_for_bit(shapes, tmp_path):
    whole = SegmenterTraining(tiny_model(), VOCABULARY, QUICK)
    _, curve = fit(whole, shapes, epochs=4)
    interrupted = SegmenterTraining(tiny_model(), VOCABULARY, QUICK)
    lightning.seed_everything(77)  # no draw may come from the global generator
    samples = SegmenterSamples(shapes, 64)
    loader = DataLoader(samples, 4, sampler=EpochSampler(range(8)), collate_fn=collate_segmenter)
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
    }
    trainer = lightning.Trainer(
        max_epochs=4,
        gradient_clip_val=0.01,
        callbacks=[StopAfter(2)],
        enable_checkpointing=False,
        **quiet,
    )
    trainer.fit(interrupted, loader)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    resumed = SegmenterTraining(tiny_model(), VOCABULARY, QUICK)
    _, rest = fit(resumed, shapes, epochs=4, checkpoint=tmp_path / "last.ckpt")
    assert rest.losses == curve.losses[4:]
    expected = whole.model.state_dict()
    assert all(
        torch.equal(expected[name], tensor) for name, tensor in resumed.model.state_dict().items()
    )
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert not [name for name in saved if "relations" in name]


@pytest.mark.slow
def test_bfloat16_learns_too(shapes):
    training = SegmenterTraining(tiny_model(), VOCABULARY, QUICK)
    _, curve = fit(training, shapes, epochs=8, precision="bf16-mixed", check_val_every_n_epoch=8)
    assert np.mean(curve.losses[-4:]) < 0.7 * np.mean(curve.losses[:4])


def test_a_loss_that_is_no_number_ends_the_run(shapes):
    model = tiny_model()
    with torch.no_grad():
        model.segmenter.q.weight[0, 0] = torch.nan
    with pytest.raises(TrainingError, match="the loss became nan in epoch 1; no epoch had ended"):
        fit(SegmenterTraining(model, VOCABULARY, QUICK), shapes, epochs=3)


def test_a_run_shorter_than_its_warmup_is_refused(shapes):
    with pytest.raises(
        ConfigError, match=r"a run of 4 steps never ends its warm-up of 500 \+ 1000 steps"
    ):
        config = SegmenterConfig(dataset="d", out="o")
        fit(SegmenterTraining(tiny_model(), VOCABULARY, config), shapes, epochs=2)


def test_annealing_needs_a_pair_for_each_query_block():
    settings = QUICK.model_copy(update={"annealing": ((0.0, 0.5),)})
    with pytest.raises(
        ConfigError, match="annealing has 1 pairs, but a model of this size has 3 query blocks"
    ):
        SegmenterTraining(tiny_model(), VOCABULARY, settings)


class Perfect(torch.nn.Module):
    """Stands in for a segmenter that finds all, pixel by pixel (and takes crowds for things)."""

    def __init__(self, batch: SegmenterBatch):
        super().__init__()
        masks = (
            torch.nn.functional.one_hot(batch.labels.long() + 1, 21).permute(0, 3, 1, 2)[:, 1:]
            * 40.0
            - 20
        )
        classes = torch.zeros(len(masks), 20, 9)
        classes[:, :, -1] = 30
        for image, ids in enumerate(batch.class_ids):
            classes[image, torch.arange(len(ids)), -1] = 0
            classes[image, torch.arange(len(ids)), ids] = 30
            classes[image, len(ids) : len(ids) + len(batch.crowd_ids[image]), 2] = 60
        self.found = (masks, classes)

    def forward(self, images):
        return Segmentation(*self.found, features=images)


@pytest.mark.parametrize("with_crowds", [False, True])
def test_validation_of_a_perfect_segmenter(shapes, with_crowds):
    """Crowds cost nothing, whatever is found in them."""
    batch = collate_segmenter([SegmenterSamples(shapes, 128)[i] for i in range(8)])
    if with_crowds:  # the last segment of each image
        batch = batch._replace(
            class_ids=tuple(ids[:-1] for ids in batch.class_ids),
            crowd_ids=tuple(ids[-1:] for ids in batch.class_ids),
        )
    training = SegmenterTraining(tiny_model(128), VOCABULARY, QUICK)
    training.model.segmenter = Perfect(batch)
    logged = {}
    training.log = lambda name, value, **_: logged.update({name: value})
    training.on_validation_epoch_start()
    training.validation_step(batch, 0)
    training.on_validation_epoch_end()
    assert logged == pytest.approx({"val/PQ": 1, "val/SQ": 1, "val/RQ": 1})


@pytest.mark.slow
def test_overfits_eight_images(shapes):
    """A real run: 128 pixels, tiny, from DeiT-Tiny's weights; EoMT's recipe but for the length."""
    if not DEIT.exists():
        pytest.skip("the DeiT-Tiny weights are not here")
    model = tiny_model(128)
    load_backbone(model.segmenter.backbone, DEIT)
    settings = QUICK.model_copy(update={"lr": 5e-4, "warmup_steps": (10, 20), "num_points": 1024})
    training = SegmenterTraining(model, VOCABULARY, settings)
    _, curve = fit(training, shapes, epochs=60, side=128, batch_size=8, check_val_every_n_epoch=20)
    print(f"PQ every 20 steps: {[round(score, 3) for score in curve.scores]}")
    assert curve.scores[-1] > 0.8
