from collections import Counter
from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("lightning")
pytest.importorskip("pydantic")

import torch
from runs import CELLS, CONFIG, make_inputs

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.errors import TrainingError
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.relaters.dsflash import DSFlashRelations
from dsflash_ros.pipeline.resizing import fit_image
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.relations.feature_cache import FeatureCache
from dsflash_ros.training.relations.pairs import pair_targets
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations
from dsflash_ros.training.relations.relation_loss import pair_losses
from dsflash_ros.training.relations.relation_training import RelationTraining
from dsflash_ros.training.run.loaders import Loaders


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("relations")
    make_inputs(folder, 3)
    return folder


@pytest.fixture(scope="module")
def batch(folder):
    records = list(PsgDataset.open(folder / "data"))
    samples = RelationSamples(records, CONFIG, *CELLS, negative_share=1.0)
    return collate_relations([samples[index] for index in range(3)])


def configured(*settings, segmenter="s"):
    given = ["dataset=d", "out=o", f"segmenter={segmenter}", "augmentation=none", *settings]
    return load_config(RelationConfig, "tiny", given, "relations")


def make_training(*settings, weights=None):
    """A module without a trainer, and a dictionary that fills with what it logs."""
    torch.manual_seed(1)
    header = Header(CONFIG, VOCABULARY)
    training = RelationTraining(DSFlash(CONFIG), header, configured(*settings), weights)
    logged = {}
    training.log = lambda name, value, **_: logged.update({name: float(value)})
    return training.train(), logged


def test_images_change_from_epoch_to_epoch(folder):
    records = list(PsgDataset.open(folder / "data"))
    samples = RelationSamples(records, CONFIG, *CELLS, "deit3", seed=3)
    assert len({samples[epoch, 0].image.numpy().tobytes() for epoch in range(4)}) == 4


@pytest.mark.parametrize(("height", "width"), [(130, 90), (90, 130)], ids=["portrait", "landscape"])
def test_cached_mirror_images_keep_the_padding_where_it_is(height, width, tmp_path):
    write_shapes(tmp_path, 1, seed=5, height=height, width=width)
    record = PsgDataset.open(tmp_path)[0]
    torch.manual_seed(0)
    segmenter = DSFlash(CONFIG).segmenter.eval()
    cache = FeatureCache(tmp_path / "cache", segmenter, Header(CONFIG, VOCABULARY), "float32")
    cache.fill(segmenter, [record], (False, True), 1, 0)
    mirrored = fit_image(record.image()[:, ::-1], Letterbox(height, width, CONFIG.image_size))
    with torch.inference_mode():
        expected = segmenter.features(torch.from_numpy(mirrored).permute(2, 0, 1)[None] / 255)[0]
    error = (cache.load(record, True)[0].float() - expected).norm() / expected.norm()
    assert error < 0.01
    assert (cache.load(record, False)[0].float() - expected).norm() / expected.norm() > 0.05


def test_gate_head_and_loss_stay_float32_under_autocast(batch):
    torch.manual_seed(0)
    stage = DSFlashRelations(20, *CELLS, CONFIG.num_predicates, dim=32, depth=2, heads=2)
    features = torch.randn(3, 20, 6, 6)
    with torch.no_grad():
        stage.head[-1].weight.mul_(10)
        inputs = batch.pair_inputs(stage.prepare(features))
        targets = pair_targets(batch.relations, batch.pairs, CONFIG.num_predicates)
        with torch.autocast("cpu", torch.bfloat16):
            found = pair_losses(stage, inputs, targets)
            both = torch.cat((batch.pairs, batch.pairs.flip(1)))
            x = stage.encode(inputs._replace(pairs=both)).float()
        forward, backward = stage.disentangle(x).unbind(1)
        (t_ab, u_ba), (t_ba, u_ab) = forward.chunk(2), backward.chunk(2)
        losses = [
            torch.nn.functional.binary_cross_entropy_with_logits(
                stage.head(t), targets[:, direction]
            )
            for t, direction in ((t_ab, 0), (t_ba, 1), (u_ba, 1), (u_ab, 0))
        ]
        consistency = (t_ab - u_ab).square().mean() + (t_ba - u_ba).square().mean()
    assert found.cross_entropy.item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-6)
    assert found.consistency.item() == pytest.approx(consistency.item(), rel=1e-5)


@pytest.mark.parametrize("warmup_share", [0.5, 0.1])
def test_the_learning_rate_warms_up_over_a_share_of_all_steps(warmup_share):
    training, _ = make_training(
        "lr=0.02", "epochs=4", f"warmup_share={warmup_share}", "weight_decay=0.3"
    )
    training.trainer = SimpleNamespace(estimated_stepping_batches=40)
    made = training.configure_optimizers()
    (group,) = made["optimizer"].param_groups
    assert made["lr_scheduler"]["interval"] == "step"
    assert group["weight_decay"] == 0.3
    assert {id(p) for p in group["params"]} == {
        id(p) for p in training.model.relations.parameters()
    }
    rates = []
    for _ in range(41):
        rates.append(group["lr"])
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    warmup = 40 * warmup_share
    steps = np.arange(41)
    falling = (1 + np.cos(np.pi * (steps - warmup) / (40 - warmup))) / 2
    assert rates == pytest.approx(0.02 * np.where(steps < warmup, steps / warmup, falling))


class Keys(torch.utils.data.Dataset):
    """Each item is what was asked for."""

    def __len__(self):
        return 11

    def __getitem__(self, key):
        return key


def shares(world_size, seed=0):
    """What each process trains on in its first epoch, and validates on."""
    for rank in range(world_size):
        loaders = Loaders(
            configured(f"seed={seed}", "workers=0", "batch_size=2"),
            Keys(),
            Keys(),
            list,
            VOCABULARY,
        )
        loaders.trainer = SimpleNamespace(global_rank=rank, world_size=world_size, current_epoch=0)
        yield tuple(
            [key for keys in loader() for key in keys]
            for loader in (loaders.train_dataloader, loaders.val_dataloader)
        )


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_the_images(world_size):
    train, val = zip(*shares(world_size), strict=True)
    assert sorted(chain(*val)) == list(range(11)), "each once"
    assert {len(share) for share in train} == {-(-11 // world_size)}
    seen = Counter(chain(*train))
    assert set(seen) == {(0, index) for index in range(11)}
    assert sum(seen.values()) == 11 + -11 % world_size, (
        "only to make the shares equal does an image come twice"
    )


def test_the_order_follows_from_the_seed():
    orders = [next(shares(1, seed))[0] for seed in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1]


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, {}),
        ({}, {"positive_weights": torch.linspace(0.5, 9, CONFIG.num_predicates + 1)}),
        ({"pruning": "true"}, {"pruning": True}),
        ({"consistency_weight": "25"}, {}),
    ],
    ids=["plain", "weighted", "pruned", "consistent"],
)
def test_a_steps_loss_is_that_of_its_settings(settings, options, batch):
    weight = float(settings.get("consistency_weight", 0.5))
    given = [f"{key}={value}" for key, value in {"consistency_weight": 0.5, **settings}.items()]
    training, logged = make_training(*given, weights=options.get("positive_weights"))
    training.on_train_epoch_start()
    loss = training.training_step(batch, 0)
    stage = training.model.relations
    with torch.no_grad():
        prepared = stage.prepare(training.model.segmenter.features(batch.images / 255))
        inputs = batch.pair_inputs(prepared)
        targets = pair_targets(batch.relations, batch.pairs, CONFIG.num_predicates)
        parts = pair_losses(stage, inputs, targets, **options)
        plain = pair_losses(stage, inputs, targets)
    assert loss.item() == pytest.approx(
        (parts.cross_entropy + weight * parts.consistency).item(), rel=1e-5
    )
    assert logged["train/cross_entropy"] == pytest.approx(parts.cross_entropy.item(), rel=1e-5)
    assert logged["train/consistency"] == pytest.approx(parts.consistency.item(), rel=1e-4)
    if settings or options:
        other = (plain.cross_entropy + 0.5 * plain.consistency).item()
        assert abs(loss.item() / other - 1) > 1e-4, (
            "the setting changes something, so that the test can fail"
        )
    loss.backward()
    assert all(parameter.grad is not None for parameter in stage.parameters())
    assert all(parameter.grad is None for parameter in training.model.segmenter.parameters())


@pytest.mark.parametrize("pruning", [False, True])
def test_the_direction_gap_is_how_far_both_orders_of_a_pair_differ(pruning, batch):
    training, logged = make_training(f"pruning={str(pruning).lower()}")
    training.eval()
    with torch.no_grad():
        training.validation_step(batch, 0)
        training.on_validation_epoch_end()
        stage = training.model.relations
        prepared = stage.prepare(training.model.segmenter.features(batch.images / 255))
        gaps = []
        for a, b, _ in batch.relations.tolist():
            pair = batch.pair_inputs(prepared, torch.tensor([[a, b]]))
            ab, ba = stage(pair, pruning=pruning)[0]
            swapped = pair._replace(pairs=torch.tensor([[b, a]]))
            swapped_ba, swapped_ab = stage(swapped, pruning=pruning)[0]
            gaps.append((torch.stack((ab - swapped_ab, ba - swapped_ba))).abs().mean().item())
    assert logged["val/direction_gap"] == pytest.approx(np.mean(gaps), rel=1e-3)
    assert {"val/R@20", "val/mR@50"} <= set(logged)


def test_an_epoch_without_pairs_ends_the_run():
    training, _ = make_training()
    training.trainer = SimpleNamespace(current_epoch=2)
    training.on_train_epoch_start()
    with pytest.raises(TrainingError, match="no pair of segments to learn from in epoch 3"):
        training.on_train_epoch_end()
