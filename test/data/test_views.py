import cv2
import numpy as np
import pytest
import torch
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils.data import DataLoader

from dsflash_ros.data import views as module
from dsflash_ros.data.psg import PsgDataset, PsgWriter
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.data.views import AUGMENTATIONS, EpochSampler, Views
from dsflash_ros.errors import ConfigError, DatasetError
from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.images.letterbox import Letterbox
from dsflash_ros.pipeline.resizing import fit_image


@pytest.fixture
def one(tmp_path):
    """A data set of one image with these labels: one(labels, crowd=())."""

    def make(labels, crowd=()):
        rgb = np.random.default_rng(0).integers(0, 256, (*labels.shape, 3), np.uint8)
        writer = PsgWriter(tmp_path, VOCABULARY, "png")
        with writer:
            record = writer.add("a", rgb, labels, [0] * (int(labels.max()) + 1), [])
            for segment in crowd:
                record["segments_info"][segment]["iscrowd"] = 1
        return PsgDataset.open(tmp_path)

    return make


def same(a, b):
    fields = ("index", "image_id", "height", "width", "flipped")
    arrays = ("image", "labels", "boxes")
    return all(getattr(a, f) == getattr(b, f) for f in fields) and all(
        np.array_equal(getattr(a, f), getattr(b, f)) for f in arrays
    )


@pytest.mark.parametrize("image_size", [16, 50, 96, 200])
@pytest.mark.parametrize(("height", "width"), [(37, 96), (96, 41), (64, 64)])
def test_a_plain_view_is_what_inference_sees(one, height, width, image_size):
    random = np.random.default_rng(height)
    coarse = random.integers(0, 5, (5, 6), np.uint8)
    data = one(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST).astype(int) - 1)
    record, box = data[0], Letterbox(height, width, image_size)
    view = Views(data, image_size)[0]
    assert np.array_equal(view.image, fit_image(record.image(), box))
    assert (view.height, view.width, view.flipped, view.index, view.image_id) == (
        box.height,
        box.width,
        False,
        0,
        "a",
    )

    labels = record.labels()
    expected = np.full((image_size, image_size), -1)
    for y in range(box.height):
        for x in range(box.width):
            expected[y, x] = labels[
                int((y + 0.5) * height / box.height), int((x + 0.5) * width / box.width)
            ]
    assert view.labels.dtype == np.int16 and np.array_equal(view.labels, expected)

    scale = np.array([box.width / width, box.height / height] * 2)
    assert view.boxes.dtype == np.float32
    np.testing.assert_allclose(
        view.boxes, label_boxes(labels, len(record.segment_ids)) * scale, rtol=1e-6
    )


def test_a_segment_too_small_for_the_labels_has_a_box(one):
    labels = np.zeros((80, 160), int)
    labels[41, 81] = 1
    view = Views(one(labels), 16)[0]
    assert 1 not in view.labels
    np.testing.assert_allclose(view.boxes[1], [8.1, 4.1, 8.2, 4.2], rtol=1e-5)


@pytest.mark.parametrize("augmentation", ["flip", "deit3"])
def test_flips_mirror_the_content_where_it_is(shapes, augmentation):
    plain, flipping = Views(shapes, 64), Views(shapes, 64, augmentation)
    flips = 0
    for epoch in range(20):
        view, still = flipping[epoch, 1], plain[epoch, 1]
        height, width = view.height, view.width
        assert (height, width) == (still.height, still.width) == (48, 64)
        labels, boxes, image = (
            still.labels[:height, :width],
            still.boxes.copy(),
            still.image[:height, :width],
        )
        if view.flipped:
            labels, image = labels[:, ::-1], image[:, ::-1]
            boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
        assert np.array_equal(view.labels[:height, :width], labels)
        np.testing.assert_allclose(view.boxes, boxes, atol=1e-4)
        around = label_boxes(view.labels, len(boxes))
        is_visible = around[:, 2] > 0
        # A source pixel is 2/3 of a pixel here.
        assert np.abs(view.boxes - around)[is_visible].max() <= 1
        if augmentation == "flip":
            assert np.array_equal(view.image[:height, :width], image)
        flips += view.flipped
    assert 3 <= flips <= 17


def test_flips_of_a_tall_image_stay_at_the_left(one):
    labels = np.zeros((60, 30), int)
    labels[:, :5] = 1
    views = Views(one(labels), 64, "flip")
    flipped = next(view for view in (views[epoch, 0] for epoch in range(50)) if view.flipped)
    assert (
        flipped.width == 32
        and (flipped.labels[:, 32:] == -1).all()
        and not flipped.image[:, 32:].any()
    )
    np.testing.assert_allclose(flipped.boxes[1], [32 * 25 / 30, 0, 32, 64], rtol=1e-5)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_padding_is_black_and_belongs_to_nothing(shapes, augmentation):
    views = Views(shapes, 56, augmentation, seed=1)
    for epoch in range(15):
        view = views[epoch, epoch % len(shapes)]
        assert view.image.shape == (56, 56, 3) and view.image.dtype == np.uint8
        outside = np.ones((56, 56), bool)
        outside[: view.height, : view.width] = False
        assert not view.image[outside].any() and (view.labels[outside] == -1).all()
        assert view.image[: view.height, : view.width].any()


def test_solarised_padding_stays_black(shapes, monkeypatch):
    monkeypatch.setattr(module, "deit3_colours", lambda rgb, random: np.full_like(rgb, 255))
    view = Views(shapes, 64, "deit3")[0]
    assert (view.image[: view.height] == 255).all() and not view.image[view.height :].any()


def test_crops_show_image_and_labels_alike(one, monkeypatch):
    """The image is its own label map here, so that each crop can be compared with itself."""
    labels = np.zeros((48, 64), int)
    labels[10:30, 20:50] = 1
    labels[35:, :30] = 2
    data = one(labels)
    colours = np.array([[40, 80, 120], [200, 30, 90], [10, 220, 60]], np.uint8)
    monkeypatch.setattr(module.Record, "image", lambda record: colours[labels])
    sizes, flips, corners = [], set(), set()
    for epoch in range(60):
        view = Views(data, 40, "eomt")[epoch, 0]
        content = view.labels[: view.height, : view.width]
        shown = view.image[: view.height, : view.width].astype(int)
        is_other = np.abs(shown - colours[content]).sum(-1) > 60
        inner = cv2.erode(is_other.astype(np.uint8), np.ones((3, 3)), borderValue=0)
        assert not inner.any(), "only borders blend"
        assert np.array_equal(view.boxes, label_boxes(view.labels, 3))
        assert (view.labels >= 0).any()
        sizes.append(max(view.height, view.width))
        flips.add(view.flipped)
        corners.add(content.shape == (40, 40))
    assert min(sizes) <= 12 and max(sizes) == 40 and flips == corners == {True, False}


def test_crops_lie_anywhere(one):
    views = Views(one(np.kron(np.arange(64).reshape(8, 8), np.ones((6, 6), int))), 48, "eomt")
    corners = {
        int(view.labels[0, 0])
        for view in (views[epoch, 0] for epoch in range(60))
        if not view.flipped
    }
    assert (
        len({corner // 8 for corner in corners}) >= 3
        and len({corner % 8 for corner in corners}) >= 3
    )


@pytest.mark.parametrize("crowd", [(), (1,)])
def test_crops_show_a_segment_that_is_no_crowd(one, crowd):
    labels = np.full((40, 60), -1)
    labels[:6, :6] = 0
    labels[30:, 30:] = 1
    data = one(labels, crowd)
    for epoch in range(40):
        found = set(np.unique(Views(data, 32, "eomt")[epoch, 0].labels).tolist())
        assert (found & {0, 1}) - set(crowd)


def test_a_crop_of_an_image_without_segments_ends(one):
    view = Views(one(np.full((20, 30), -1)), 32, "eomt")[0]
    assert (view.labels == -1).all() and view.boxes.shape == (0, 4)


@pytest.mark.parametrize("augmentation", ["deit3", "eomt"])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_views_follow_from_seed_epoch_and_index_alone(shapes, augmentation, workers):
    torch.manual_seed(workers)
    np.random.seed(workers)
    sampler = EpochSampler(range(len(shapes)), seed=4)
    sampler.set_epoch(2)
    views = Views(shapes, 48, augmentation, seed=9)
    loaded = list(
        DataLoader(views, sampler=sampler, batch_size=2, num_workers=workers, collate_fn=list)
    )
    loaded = [view for batch in loaded for view in batch]
    assert sorted(view.index for view in loaded) == list(range(len(shapes)))
    assert all(same(view, views[2, view.index]) for view in loaded)
    assert not any(same(view, views[3, view.index]) for view in loaded)
    assert not any(
        same(view, Views(shapes, 48, augmentation, seed=10)[2, view.index]) for view in loaded
    )
    assert same(views[1], views[0, 1])


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_damaged_file_says_the_same_from_a_worker(folder, workers):
    data = PsgDataset.open(folder)
    data[1].mask_path.write_bytes(b"damaged")
    with pytest.raises(DatasetError) as expected:
        data[1].labels()
    with pytest.raises(DatasetError) as error:
        list(DataLoader(Views(data, 32), num_workers=workers, collate_fn=list))
    assert str(error.value) == str(expected.value)
    assert "panoptic/2.png" in str(error.value) and "\n" not in str(error.value)


def test_an_unknown_augmentation(shapes):
    with pytest.raises(ConfigError, match="'deit4'; there are none, flip, deit3, eomt"):
        Views(shapes, 32, "deit4")


def test_the_sampler_shuffles_by_epoch():
    sampler = EpochSampler([3, 5, 7, 9, 11, 13, 15], seed=1)
    epochs = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert epochs[0] == epochs[2] != [(0, index) for _, index in epochs[1]]
    assert {epoch for epoch, _ in epochs[1]} == {1}
    assert sorted(index for _, index in epochs[1]) == [3, 5, 7, 9, 11, 13, 15] and len(sampler) == 7
    assert list(EpochSampler(range(3), shuffle=False)) == [(0, 0), (0, 1), (0, 2)]


def test_processes_share_an_epoch():
    parts = [list(EpochSampler(range(10), seed=2, rank=rank, world_size=2)) for rank in (0, 1)]
    assert sorted(parts[0] + parts[1]) == [(0, index) for index in range(10)]
    together = list(EpochSampler(range(10), seed=2))
    assert [item for pair in zip(*parts, strict=True) for item in pair] == together


def test_the_sampler_asks_torch_distributed():
    torch.distributed.init_process_group("fake", store=FakeStore(), rank=1, world_size=3)
    try:
        assert list(EpochSampler(range(9), shuffle=False)) == [(0, 1), (0, 4), (0, 7)]
    finally:
        torch.distributed.destroy_process_group()
