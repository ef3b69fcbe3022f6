import cv2
import numpy as np
import pytest

from dsflash_ros.tracking.track_masks import TrackMasks


class Apart:
    """The same with a mask for each track, as a reference."""

    def __init__(self):
        self.masks = {}

    def move(self, origin):
        how = cv2.INTER_NEAREST, None, cv2.BORDER_CONSTANT, 0
        self.masks = {t: cv2.remap(mask, origin, None, *how) for t, mask in self.masks.items()}

    def drop(self, tracks):
        self.masks = {t: mask for t, mask in self.masks.items() if t not in tracks}

    def show(self, labels, tracks):
        for place, track in enumerate(tracks):
            self.masks[track] = (labels == place).astype(np.uint8)

    def seen(self):
        return {t: mask for t, mask in self.masks.items() if mask.any()}


def blobs(random, count):
    """(30, 40) labels of so many rectangles, some of which are hidden behind others."""
    labels = np.full((30, 40), -1, np.int32)
    for place in range(count):
        y, x, height, width = random.integers((28, 38, 12, 16))
        labels[y : y + height + 1, x : x + width + 1] = place
    return labels


@pytest.mark.parametrize("seed", range(8))
def test_one_map_is_as_a_mask_for_each_track(seed):
    random = np.random.default_rng(seed)
    masks, apart = TrackMasks(), Apart()
    rows, columns = np.mgrid[:30, :40]
    for _ in range(30):
        shift = random.normal(0, 2, 2) + random.normal(0, 0.3, (30, 40, 2))
        origin = (np.stack((columns, rows), 2) + shift).astype(np.float32)
        tracks = random.permutation(14)[: random.integers(0, 10)].tolist()
        labels, old = blobs(random, len(tracks)), random.permutation(14)[:2].tolist()
        for one in (masks, apart):
            one.drop(old[:1])
            one.move(origin)
            one.drop(old)
        seen = apart.seen()
        assert masks.areas == {track: mask.sum() for track, mask in seen.items()}
        every = list(range(15))
        iou, part = masks.overlaps(every, labels, len(tracks))
        assert iou.shape == part.shape == (15, len(tracks))
        for track in every:
            mine = seen.get(track, np.zeros((30, 40))) > 0
            for place in range(len(tracks)):
                theirs = labels == place
                shared, union = (mine & theirs).sum(), (mine | theirs).sum()
                smaller = min(mine.sum(), theirs.sum())
                assert iou[track, place] == pytest.approx(shared / max(union, 1))
                assert part[track, place] == pytest.approx(shared / max(smaller, 1))
        for one in (masks, apart):
            one.show(labels, tracks)
        for track, mask in apart.seen().items():
            assert np.array_equal(masks.mask(track), mask)


def test_masks_move_with_the_image():
    labels = np.full((20, 30), -1)
    labels[5:9, 10:14] = 0
    masks = TrackMasks()
    masks.show(labels, [7])
    rows, columns = np.mgrid[:20, :30].astype(np.float32)
    masks.move(np.stack((columns - 3, rows + 2), 2))
    assert masks.areas == {7: 16} and masks.mask(7)[3:7, 13:17].all()
    masks.move(np.stack((columns - 100, rows), 2))
    assert masks.areas == {}


def test_nothing():
    masks = TrackMasks()
    masks.move(np.zeros((20, 30, 2), np.float32))
    iou, part = masks.overlaps([1, 2], np.full((20, 30), -1), 0)
    assert iou.shape == part.shape == (2, 0)
    iou, _ = masks.overlaps([], np.zeros((20, 30), int), 1)
    assert iou.shape == (0, 1)
    masks.show(np.full((20, 30), -1), [])
    assert masks.areas == {}
