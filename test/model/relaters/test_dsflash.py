import math

import pytest
import torch
from pair_inputs import pair_inputs

from dsflash_ros.model.relaters.coverage import label_coverage, mask_coverage
from dsflash_ros.model.relaters.dsflash import DSFlashRelations
from dsflash_ros.model.relaters.neck import sine_positions

CHANNELS, CELL, GRID, DIM, HEADS = 20, 48, 4, 48, 4
"""Features of 12 x 12 at stride 16, so that a patch is 3 x 3 of them: 16 patches of 48 pixels."""


def make_stage():
    return DSFlashRelations(CHANNELS, CELL, GRID, num_predicates=5, dim=DIM, depth=2, heads=HEADS)


def disjoint_masks(count, height, width):
    return torch.randint(-1, count, (height, width)) == torch.arange(count).view(-1, 1, 1)


def blob_masks(count, side):
    """Random rectangles, so that some patches are untouched."""
    masks = torch.zeros(count, side, side, dtype=torch.bool)
    for mask in masks:
        y, x = torch.randint(side - 4, (2,)).tolist()
        h, w = torch.randint(2, side // 2, (2,)).tolist()
        mask[y : y + h, x : x + w] = True
    return masks


def problem(segments=5, images=2, side=48):
    """A stage, features, and inputs of segments that are dealt out to images; in float64."""
    torch.manual_seed(segments)
    stage = make_stage().double().eval()
    masks = blob_masks(segments, side)
    coverage = mask_coverage(masks, CELL, GRID, 4).double()
    boxes = torch.rand(segments, 4, dtype=torch.float64) * 2 - 1
    image_of = torch.arange(segments) % images
    pairs = torch.tensor(
        [(a, b) for a in range(segments) for b in range(a) if image_of[a] == image_of[b]]
    )
    features = torch.randn(images, CHANNELS, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        prepared = stage.prepare(features)
    return stage, features, pair_inputs(prepared, coverage, boxes, image_of, pairs)


def coverage_with_loops(mask_a, mask_b, window):
    """DSFormer's way (supplement, algorithm 1): for each pair anew, patch by patch."""
    rows, columns = mask_a.shape[0] // window, mask_a.shape[1] // window
    shares = []
    for mask in (mask_a, mask_b):
        shares.append(
            [
                sum(
                    bool(mask[y * window + i, x * window + j])
                    for i in range(window)
                    for j in range(window)
                )
                / window**2
                for y in range(rows)
                for x in range(columns)
            ]
        )
    return shares


@pytest.mark.parametrize("side", [192, 208])  # 208: what lies beyond the last cell is left out
def test_coverage_of_a_label_map_is_that_of_its_masks(side):
    labels = torch.randint(-1, 4, (side, side), dtype=torch.int16)
    coverage = label_coverage(labels, 6, CELL, GRID)  # segments 4 and 5 are not in it
    masks = labels == torch.arange(6).view(-1, 1, 1)
    assert torch.allclose(coverage, mask_coverage(masks, CELL, GRID), atol=1e-6)
    assert (coverage[4:] == 0).all()
    labels[100:], labels[:, 130:] = -1, -1  # padding may be given or not
    without_padding = label_coverage(labels[:100, :130], 6, CELL, GRID)
    assert torch.equal(label_coverage(labels, 6, CELL, GRID), without_padding)


@pytest.mark.parametrize(("stride", "window"), [(1, 48), (4, 12)])
def test_pooling_once_equals_pooling_for_each_pair(stride, window):
    side = 192 // stride
    masks = disjoint_masks(3, side, side)
    coverage = mask_coverage(masks, CELL, GRID, stride)
    for a, b in ((0, 1), (2, 0)):
        expected = coverage_with_loops(masks[a], masks[b], window)
        torch.testing.assert_close(coverage[[a, b]], torch.tensor(expected))


def test_masks_without_padding_cover_nothing_there():
    masks = torch.ones(1, 30, 48, dtype=torch.bool)
    coverage = mask_coverage(masks, CELL, GRID, 4).view(4, 4)
    assert coverage[0].tolist() == [1, 1, 1, 1]
    assert coverage[2].tolist() == [0.5] * 4  # rows 24..30 of 24..36
    assert coverage[3].tolist() == [0, 0, 0, 0]


def test_sine_positions_follow_the_formula():
    found = sine_positions(3, 8)[0].view(3, 3, 8)
    for y in range(3):
        for x in range(3):
            expected = []
            for coordinate in (y + 1, x + 1):
                for k in range(2):
                    angle = coordinate / (3 + 1e-6) * 2 * math.pi / 10000 ** (2 * k / 4)
                    expected += [math.sin(angle), math.cos(angle)]
            assert found[y, x].tolist() == pytest.approx(expected, abs=1e-6)


def plain_relation_stage(stage, features, inputs, a, b, pruning=False):
    """One pair, written from the paper's equations with explicit attention; no batching, no fused
    kernels.
    """
    weight, bias = stage.patch_embed.weight, stage.patch_embed.bias
    coverage, boxes, image = inputs.coverage, inputs.boxes, inputs.images[a]
    tokens, positions = [], []
    unit = {name: p / p.norm() for name, p in stage.mask_embedding.named_parameters()}
    for y in range(GRID):
        for x in range(GRID):
            window = features[image, :, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3]
            patch = (weight * window).sum((1, 2, 3)) + bias
            r_a, r_b = coverage[a, y * GRID + x], coverage[b, y * GRID + x]
            if pruning and r_a == 0 and r_b == 0:
                continue
            rest = max(0.0, 1 - float(r_a) - float(r_b))
            embedding = (
                r_a * unit["token_a"] + r_b * unit["token_b"] + rest * unit["token_background"]
            )  # Eq. 1
            tokens.append(patch + embedding)
            positions.append(stage.positions[0, y * GRID + x].double())
    location = stage.location(torch.cat((boxes[a], boxes[b])))
    x = torch.stack([stage.class_token, location, *tokens])
    for block in stage.blocks:
        x = torch.stack(
            [*x[:2], *(token + position for token, position in zip(x[2:], positions, strict=True))]
        )
        normed = block.norm1(x)
        q, k, v = (normed @ block.qkv.weight.T).chunk(3, dim=1)
        heads = []
        for part in range(block.heads):
            s = slice(part * 12, (part + 1) * 12)
            attention = (q[:, s] @ k[:, s].T / math.sqrt(12)).softmax(1)
            heads.append(attention @ v[:, s])
        x = x + torch.cat(heads, dim=1) @ block.proj.weight.T + block.proj.bias
        x = x + block.mlp(block.norm2(x))
    x = x[0]
    gate = 1 / (1 + torch.exp(-stage.gate(x)))  # Eq. 2
    forward, backward = gate * x, (1 - gate) * x  # Eqs. 3, 4
    return torch.stack((stage.head(forward), stage.head(backward)))  # Eqs. 5, 6


@pytest.mark.parametrize("pruning", [False, True])
@pytest.mark.parametrize("segments", [4, 7])
def test_agrees_with_the_equations(segments, pruning):
    stage, features, inputs = problem(segments)
    with torch.inference_mode():
        found = stage(inputs, pairs_at_once=3, pruning=pruning)
        for (a, b), logits in zip(inputs.pairs.tolist(), found, strict=True):
            expected = plain_relation_stage(stage, features, inputs, a, b, pruning)
            torch.testing.assert_close(logits, expected, atol=1e-9, rtol=0)
    a, b = inputs.pairs.T
    touched = (inputs.coverage[a] + inputs.coverage[b] > 0).sum(1)
    assert touched.min() < touched.max(), "pairs of one length would not test the padding"


@pytest.mark.parametrize("pruning", [False, True])
def test_order_and_chunking_of_pairs_do_not_matter(pruning):
    stage, _, inputs = problem(6)
    order = torch.randperm(len(inputs.pairs))
    shuffled = inputs._replace(pairs=inputs.pairs[order])
    with torch.inference_mode():
        one = stage(inputs, pairs_at_once=100, pruning=pruning)
        other = stage(shuffled, pairs_at_once=2, pruning=pruning)
        together = stage.relate(inputs, pruning=pruning).logits
    torch.testing.assert_close(one[order], other, atol=1e-10, rtol=0)
    torch.testing.assert_close(one, together, atol=1e-10, rtol=0)


def test_swapping_a_pair_swaps_its_masks_and_boxes():
    """(b, a) must be what (a, b) gives when masks and boxes themselves are exchanged, and not the
    same as (a, b).
    """
    stage, _, inputs = problem(2, images=1)
    pair, swap = torch.tensor([[0, 1]]), torch.tensor([1, 0])
    exchanged = inputs._replace(coverage=inputs.coverage[swap], boxes=inputs.boxes[swap])
    with torch.inference_mode():
        forward = stage(inputs._replace(pairs=pair))
        swapped = stage(inputs._replace(pairs=pair.flip(1)))
        expected = stage(exchanged._replace(pairs=pair))
    torch.testing.assert_close(swapped, expected, atol=1e-12, rtol=0)
    assert not torch.allclose(swapped, forward)


def test_gate_and_head_stay_precise():
    stage = make_stage().bfloat16()
    stage.keep_precise()
    patches, coverage = torch.randn(1, 16, DIM).bfloat16(), torch.rand(9, 16)
    images, pairs = torch.zeros(9, dtype=torch.long), torch.combinations(torch.arange(9))
    inputs = pair_inputs(patches, coverage, torch.rand(9, 4), images, pairs)
    for pruning in (False, True):
        logits = stage(inputs, pruning=pruning)
        assert logits.dtype == torch.float32
        assert len(logits[..., 0].unique()) > 0.9 * logits[..., 0].numel()


def test_both_directions_share_what_the_gate_splits():
    stage, _, inputs = problem(3, images=1)
    forward, backward = stage.relate(inputs).directions.unbind(1)
    torch.testing.assert_close(forward + backward, stage.encode(inputs))
    assert not torch.allclose(forward, backward)


def test_pruning_without_prunable_patch_changes_nothing():
    stage, _, inputs = problem(5)
    inputs = inputs._replace(coverage=torch.rand(5, 16, dtype=torch.float64) / 2 + 0.01)
    with torch.inference_mode():
        torch.testing.assert_close(stage(inputs, pruning=True), stage(inputs), atol=1e-12, rtol=0)


def test_a_pair_that_touches_no_patch_still_gets_logits():
    stage, _, inputs = problem(5)
    with torch.inference_mode():
        found = stage(inputs._replace(coverage=inputs.coverage * 0), pruning=True)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("pruning", [False, True])
def test_no_pair_gives_no_logits(pruning):
    stage, _, inputs = problem(3)
    found = stage(inputs._replace(pairs=inputs.pairs[:0]), pruning=pruning)
    assert found.shape == (0, 2, 6)


def test_rescaled_scores_are_the_map_of_the_scores_and_the_rest_stays():
    """The score is 1 - P(no relation): its logit is minus output 0."""
    stage, _, inputs = problem(5)
    with torch.inference_mode():
        before = stage(inputs)
        stage.rescale(0.7, -1.8)
        after = stage(inputs)
    torch.testing.assert_close(-after[..., 0], 0.7 * -before[..., 0] - 1.8)
    assert torch.equal(after[..., 1:], before[..., 1:])
