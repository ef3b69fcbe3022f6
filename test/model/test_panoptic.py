import pytest
import torch

from dsflash_ros.model.panoptic import boxes_of, merge_panoptic

NUM_THINGS, NUM_CLASSES = 4, 7


def random_logits(queries=30, size=24, sure=12):
    """Blurry discs that overlap here and there; about `sure` queries are confident, several of one
    stuff class.
    """
    grid = torch.stack(
        torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"), dim=-1
    ).float()
    centre, radius = torch.rand(queries, 1, 1, 2) * size, torch.rand(queries, 1, 1) * size / 5 + 2
    mask_logits = radius - (grid - centre).norm(dim=-1) + torch.randn(queries, size, size) * 0.5
    class_logits = torch.randn(queries, NUM_CLASSES + 1)
    class_logits[:sure, :NUM_CLASSES] += (
        torch.nn.functional.one_hot(torch.randint(NUM_CLASSES, (sure,)), NUM_CLASSES) * 9
    )
    class_logits[sure:, -1] += 6
    return mask_logits, class_logits


def merge_with_loops(mask_logits, class_logits, mask_threshold, overlap_threshold):
    """The rule, pixel by pixel, in Python floats: [(class, score, set of pixels, best query)]."""
    probabilities = class_logits.double().softmax(-1)
    kept = []
    for query, row in enumerate(probabilities.tolist()):
        score = max(row)
        if row.index(score) < NUM_CLASSES and score > mask_threshold:
            kept.append((query, row.index(score), score))
    masks = mask_logits.double().sigmoid().tolist()
    height, width = mask_logits.shape[1:]
    pixels = [(y, x) for y in range(height) for x in range(width)]
    winner = (
        {p: max(kept, key=lambda k, p=p: k[2] * masks[k[0]][p[0]][p[1]]) for p in pixels}
        if kept
        else {}
    )
    segments = []
    for query, class_id, score in kept:
        mask = {(y, x) for y, x in pixels if masks[query][y][x] >= 0.5}
        won = {p for p in pixels if winner[p][0] == query}
        if not mask & won or len(won) / len(mask) < overlap_threshold:
            continue
        same = next((s for s in segments if s[0] == class_id and class_id >= NUM_THINGS), None)
        if same:
            if score > same[1]:
                same[1], same[3] = score, query
            same[2] = same[2] | (mask & won)
        else:
            segments.append([class_id, score, mask & won, query])
    return segments


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_a_loop(seed):
    torch.manual_seed(seed)
    mask_logits, class_logits = random_logits()
    overlap = [0.0, 0.5, 0.8][seed % 3]
    found = merge_panoptic(mask_logits, class_logits, NUM_THINGS, 0.8, overlap)
    expected = merge_with_loops(mask_logits, class_logits, 0.8, overlap)
    assert len(expected) > 0
    assert found.class_ids.tolist() == [s[0] for s in expected]
    assert found.scores.tolist() == pytest.approx([s[1] for s in expected], abs=1e-5)
    for mask, (_, _, pixels, _) in zip(found.masks(), expected, strict=True):
        assert {tuple(p) for p in mask.nonzero().tolist()} == pixels
    best = class_logits[[query for _, _, _, query in expected]].softmax(-1)
    torch.testing.assert_close(found.class_probabilities, best[:, :-1])


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_transformers(seed):
    """Its post-processing does not resize when the target size is that of the logits."""
    utils = pytest.importorskip("transformers.models.eomt.image_processing_eomt")
    torch.manual_seed(100 + seed)
    mask_logits, class_logits = random_logits()
    scores, classes = class_logits.softmax(-1).max(-1)
    kept = (classes < NUM_CLASSES) & (scores > 0.8)
    labels, segments = utils.compute_segments(
        mask_logits[kept],
        scores[kept],
        classes[kept],
        stuff_classes=list(range(NUM_THINGS, NUM_CLASSES)),
        mask_threshold=0.5,
        overlap_mask_area_threshold=0.8,
        target_size=tuple(mask_logits.shape[1:]),
    )
    found = merge_panoptic(mask_logits, class_logits, NUM_THINGS)
    assert found.class_ids.tolist() == [s["label_id"] for s in segments]
    assert torch.equal(found.labels, labels.long())


def test_upsampling_first_equals_merging_upsampled_logits():
    mask_logits, class_logits = random_logits(size=20)
    large = torch.nn.functional.interpolate(mask_logits[None], (80, 80), mode="bilinear")[0]
    expected = merge_panoptic(large[:, :50, :], class_logits, NUM_THINGS)
    found = merge_panoptic(mask_logits, class_logits, NUM_THINGS, side=80, crop=(50, 80))
    assert found.labels.shape == (50, 80)
    assert torch.equal(found.labels, expected.labels)


def test_what_lies_in_the_padding_does_not_count():
    """A segment that has lost most of its mask in the padding, but keeps it in the image, stays."""
    mask_logits = torch.full((2, 8, 8), -9.0)
    mask_logits[1] = -8.0
    mask_logits[0, :, :4], mask_logits[1, 2:, :4] = 5.0, 9.0
    class_logits = torch.zeros(2, NUM_CLASSES + 1)
    class_logits[0, 0] = class_logits[1, 1] = 20
    assert merge_panoptic(mask_logits, class_logits, NUM_THINGS).class_ids.tolist() == [1]
    assert merge_panoptic(
        mask_logits, class_logits, NUM_THINGS, crop=(2, 8)
    ).class_ids.tolist() == [0]


def test_nothing_confident_gives_no_segment():
    found = merge_panoptic(
        torch.randn(5, 6, 6), torch.zeros(5, NUM_CLASSES + 1), NUM_THINGS, side=12, crop=(9, 12)
    )
    assert len(found) == 0
    assert found.labels.shape == (9, 12)
    assert (found.labels == -1).all()
    assert found.masks().shape == (0, 9, 12)
    assert found.class_probabilities.shape == (0, NUM_CLASSES)


def test_select_renumbers():
    mask_logits, class_logits = random_logits()
    found = merge_panoptic(mask_logits, class_logits, NUM_THINGS, 0.5, 0.0)
    keep = torch.arange(len(found)) % 2 == 1
    selected = found.select(keep)
    assert torch.equal(selected.masks(), found.masks()[keep])
    assert torch.equal(selected.class_ids, found.class_ids[keep])
    assert torch.equal(selected.class_probabilities, found.class_probabilities[keep])


def test_boxes_of_masks():
    masks = torch.zeros(2, 7, 9, dtype=torch.bool)
    masks[0, 2:5, 3:4] = True
    masks[1, 0, 0] = masks[1, 6, 8] = True
    assert boxes_of(masks).tolist() == [[3, 2, 4, 5], [0, 0, 9, 7]]
