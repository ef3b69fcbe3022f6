from dataclasses import replace

import numpy as np
import pytest
import torch
from runs import CELLS, CONFIG
from torch.utils.data import DataLoader

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.data.views import Views
from dsflash_ros.errors import DatasetError
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.model.random_weights import random_model
from dsflash_ros.model.relaters.coverage import mask_coverage
from dsflash_ros.model.segmenters.segmenter import Segmentation
from dsflash_ros.training.relations.feature_cache import FeatureCache
from dsflash_ros.training.relations.found_batches import with_found_segments
from dsflash_ros.training.relations.relation_data import RelationSamples, collate_relations

SIDE = CONFIG.image_size
HEADER = Header(CONFIG, VOCABULARY)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_shapes(folder, 4, seed=5, height=90, width=130)
    return list(PsgDataset.open(folder))


def test_a_sample_says_what_its_view_shows(records):
    samples = RelationSamples(records, CONFIG, *CELLS, "flip", seed=3, with_labels=True)
    views = Views(records, SIDE, "flip", seed=3)
    for key in ((0, 0), (1, 0), (5, 2)):
        sample, view = samples[key], views[key]
        count = len(records[key[1]].class_ids)
        assert np.array_equal(sample.image.permute(1, 2, 0), view.image)
        assert np.array_equal(sample.labels, view.labels)
        masks = sample.labels == torch.arange(count).view(-1, 1, 1)
        assert torch.allclose(sample.coverage, mask_coverage(masks, *CELLS), atol=1e-6)
        assert torch.allclose(
            sample.boxes, torch.from_numpy(view.boxes) / (SIDE / 2) - 1, atol=1e-6
        )
        assert torch.equal(sample.class_probabilities.argmax(1), sample.class_ids)
        assert (sample.class_probabilities.sort(1).values[:, -2:] == torch.tensor([0, 1])).all()
        assert sample.content.tolist() == [view.height, view.width]
        assert np.array_equal(sample.relations, records[key[1]].relations)


def test_samples_change_with_epoch_and_seed_only(records):
    def of(seed):
        return RelationSamples(records, CONFIG, *CELLS, "deit3", seed, negative_share=2.0)

    one, same, other = of(1)[3, 0], of(1)[3, 0], of(2)[3, 0]
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one.image, other.image)
    assert len({tuple(of(1)[epoch, 0].pairs.flatten().tolist()) for epoch in range(8)}) > 1


def test_a_batch_numbers_segments_through(records):
    samples = [RelationSamples(records, CONFIG, *CELLS)[index] for index in range(4)]
    batch = collate_relations(samples)
    start = 0
    for index, sample in enumerate(samples):
        count = len(sample.class_ids)
        relations, class_ids = batch.of_image(index)
        assert torch.equal(relations, sample.relations)
        assert torch.equal(class_ids, sample.class_ids)
        assert torch.equal(batch.coverage[start : start + count], sample.coverage)
        assert (batch.image_of[start : start + count] == index).all()
        mine = batch.pairs[(batch.pairs[:, 0] >= start) & (batch.pairs[:, 0] < start + count)]
        assert torch.equal(mine - start, sample.pairs)
        start += count
    assert start == len(batch.class_ids) == len(batch.boxes) == int(batch.counts.sum())


def perfect_segmentation(batch, config, keep):
    """What a segmenter would say that finds the true segments of `keep`, (image, segment), in the
    opposite order.
    """
    side, queries = config.image_size // 4, 20
    masks = torch.full((len(batch.counts), queries, side, side), -9.0)
    classes = torch.zeros(len(batch.counts), queries, config.num_classes + 1)
    classes[..., -1] = 30
    for image, small in enumerate(batch.labels[:, 2::4, 2::4]):
        _, class_ids = batch.of_image(image)
        for segment, class_id in enumerate(class_ids.tolist()):
            if (image, segment) in keep:
                query = queries - 1 - segment
                masks[image, query] = torch.where(small == segment, 9.0, -9.0)
                classes[image, query, class_id] = 60
    return Segmentation(masks, classes, torch.zeros(len(batch.counts), 1))


def test_found_segments_take_over_the_relations_of_those_they_match(tmp_path):
    write_shapes(tmp_path, 4, seed=5, height=270, width=390)
    config = replace(CONFIG, image_size=384)  # large enough for masks at a quarter of it to match
    cells = (48, 8)
    records = list(PsgDataset.open(tmp_path))
    samples = RelationSamples(records, config, *cells, with_labels=True)
    batch = collate_relations([samples[index] for index in range(4)])
    segments = [(image, s) for image in range(4) for s in range(int(batch.counts[image]))]
    lost = set(segments[::5])
    segmentation = perfect_segmentation(batch, config, set(segments) - lost)
    random = np.random.default_rng(0)
    found = with_found_segments(
        batch, segmentation, Header(config, VOCABULARY), *cells, 0.2, random
    )
    for image in range(4):
        relations, class_ids = batch.of_image(image)
        new_relations, new_class_ids = found.of_image(image)
        order = [s for s in reversed(range(len(class_ids))) if (image, s) not in lost]
        assert new_class_ids.tolist() == class_ids[order].tolist()
        assert sorted(new_relations.tolist()) == sorted(
            [order.index(s), order.index(o), p]
            for s, o, p in relations.tolist()
            if s in order and o in order
        )
        rows = slice(int(found.starts[image]), int(found.starts[image]) + len(order))
        old = [int(batch.starts[image]) + s for s in order]
        assert torch.allclose(found.coverage[rows], batch.coverage[old], atol=0.1)
        assert torch.allclose(found.boxes[rows], batch.boxes[old], atol=0.05)
        assert torch.allclose(
            found.class_probabilities[rows], batch.class_probabilities[old], atol=1e-6
        )
    related = {tuple(sorted(pair)) for pair in found.relations[:, :2].tolist()}
    assert related <= {tuple(pair) for pair in found.pairs.tolist()}
    assert 0 < len(found.relations) < len(batch.relations)


def test_half_of_the_images_with_found_segments(records):
    samples = RelationSamples(records, CONFIG, *CELLS, with_labels=True)
    batch = collate_relations([samples[index] for index in range(4)])
    nothing = perfect_segmentation(batch, CONFIG, set())  # so that images with found ones are empty
    seen = set()
    for seed in range(8):
        random = np.random.default_rng(seed)
        mixed = with_found_segments(batch, nothing, HEADER, *CELLS, 0.2, random, share=0.5)
        for image in range(4):
            kept = int(mixed.counts[image]) > 0
            seen.add((image, kept))
            if kept:
                before, after = batch.part(image), mixed.part(image)
                assert all(torch.equal(after[name], before[name]) for name in before)
    assert len(seen) == 8


@pytest.mark.parametrize("flipped", [False, True])
def test_cached_segments_are_those_that_the_segmenter_finds(tmp_path, flipped):
    """The loader's samples of them are the batches that training makes without a cache."""
    segmenter = random_model(HEADER).segmenter.eval()
    write_shapes(tmp_path / "data", 2, seed=5, height=90, width=130)
    records = list(PsgDataset.open(tmp_path / "data"))
    cache = FeatureCache(tmp_path / "cache", segmenter, HEADER, "float32", with_segments=True)
    cache.fill(segmenter, records, (flipped,), 2, 0)
    augmentation = "flip" if flipped else "none"
    views = Views(records, SIDE, augmentation)
    epoch = next(e for e in range(99) if all(views[e, i].flipped == flipped for i in (0, 1)))
    cells = {"cell": CELLS[0], "grid": CELLS[1], "augmentation": augmentation}
    cached = RelationSamples(records, CONFIG, **cells, cache=cache, found_share=1.0)
    plain = RelationSamples(records, CONFIG, **cells, with_labels=True)
    ours = collate_relations([cached[epoch, index] for index in (0, 1)])
    batch = collate_relations([plain[epoch, index] for index in (0, 1)])
    with torch.inference_mode():
        seen = segmenter(batch.images / 255)
    random = np.random.default_rng(0)
    expected = with_found_segments(batch, seen, HEADER, *CELLS, 0.2, random)
    assert int(ours.counts.sum()) > 2
    for name in ("counts", "coverage", "boxes", "class_ids", "class_probabilities", "relations"):
        torch.testing.assert_close(getattr(ours, name), getattr(expected, name))


def test_cached_features_are_those_of_the_image_and_its_mirror_image(records, tmp_path):
    segmenter = DSFlash(CONFIG).segmenter.eval()
    cache = FeatureCache(tmp_path / "cache", segmenter, HEADER, "float32")
    cache.fill(segmenter, records, (False, True), 2, 0)
    cached = RelationSamples(records, CONFIG, *CELLS, "flip", seed=1, cache=cache)
    plain = RelationSamples(records, CONFIG, *CELLS, "flip", seed=1)
    flipped = {plain.views[epoch, 1].flipped for epoch in range(4)}
    assert flipped == {False, True}
    for epoch in range(4):
        with torch.inference_mode():
            expected = segmenter.features(plain[epoch, 1].image[None] / 255)[0]
        assert torch.allclose(
            cached[epoch, 1].image.float(), expected, rtol=1e-2, atol=1e-2
        )  # bfloat16 on the disk
        assert torch.equal(cached[epoch, 1].coverage, plain[epoch, 1].coverage)


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_features_are_one_sentence_also_from_a_worker(records, tmp_path, workers):
    segmenter = DSFlash(CONFIG).segmenter.eval()
    cache = FeatureCache(tmp_path, segmenter, HEADER, "float32")
    cache.fill(segmenter, records, (False,), 2, 0)
    for path in tmp_path.rglob("*.safetensors"):
        path.unlink()
    loader = DataLoader(
        RelationSamples(records, CONFIG, *CELLS, cache=cache),
        2,
        num_workers=workers,
        collate_fn=list,
    )
    with pytest.raises(
        DatasetError, match=r"^the cached features of image \S+ cannot be read .* start again$"
    ):
        next(iter(loader))


def test_cached_samples_read_no_image(records, tmp_path, monkeypatch):
    segmenter = DSFlash(CONFIG).segmenter.eval()
    cache = FeatureCache(tmp_path, segmenter, HEADER, "float32")
    cache.fill(segmenter, records, (False,), 2, 0)
    monkeypatch.setattr(type(records[0]), "image", lambda record: pytest.fail("it was read"))
    assert len(RelationSamples(records, CONFIG, *CELLS, cache=cache)[2].coverage) == len(
        records[2].class_ids
    )


def test_an_image_that_changed_is_computed_again(records, tmp_path):
    segmenter = DSFlash(CONFIG).segmenter.eval()
    cache = FeatureCache(tmp_path / "cache", segmenter, HEADER, "float32")
    path = tmp_path / "image.jpg"
    path.write_bytes(records[0].image_path.read_bytes())
    record = replace(records[0], image_path=path)
    cache.fill(segmenter, [record], (False,), 1, 0)
    before, _ = cache.load(record, False)
    path.write_bytes(records[1].image_path.read_bytes())
    cache.fill(segmenter, [record], (False,), 1, 0)
    assert not torch.equal(cache.load(record, False)[0], before)


def test_the_cache_tells_models_sizes_and_precisions_apart_and_names_damaged_files(
    records, tmp_path
):
    segmenter, other = DSFlash(CONFIG).segmenter, DSFlash(CONFIG).segmenter
    FeatureCache(tmp_path, segmenter, HEADER, "float32").fill(
        segmenter.eval(), records[:1], (False,), 1, 0
    )
    for cache in (
        FeatureCache(tmp_path, other, HEADER, "float32"),
        FeatureCache(
            tmp_path, segmenter, Header(replace(CONFIG, image_size=2 * SIDE), VOCABULARY), "float32"
        ),
        FeatureCache(tmp_path, segmenter, HEADER, "bfloat16"),
    ):
        with pytest.raises(DatasetError, match="cannot be read"):
            cache.load(records[0], False)
    (path,) = tmp_path.rglob("*.safetensors")
    before = path.stat().st_mtime_ns
    FeatureCache(tmp_path, segmenter, HEADER, "float32").fill(
        segmenter, records[:1], (False,), 1, 0
    )
    assert path.stat().st_mtime_ns == before, "what is there is not computed again"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetError, match=r"if that file is there, delete it"):
        FeatureCache(tmp_path, segmenter, HEADER, "float32").load(records[0], False)
