import math

import pytest
import torch

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters.coverage import label_coverage, patch_coverage
from dsflash_ros.model.relaters.dsflash import RelationStage, sine_positions

CONFIG = ModelConfig(
    "tiny", image_size=192, neck_depth=2, neck_dim=48, neck_heads=4, num_predicates=5
)
"""Grid of 12, pair grid of 4: 16 patches of 48 pixels."""


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


def inputs(segments=5, images=2, side=48):
    """Arguments of `RelationStage.forward`, in float64, for segments dealt out to images."""
    torch.manual_seed(segments)
    stage = RelationStage(CONFIG).double().eval()
    masks = blob_masks(segments, side)
    coverage = patch_coverage(masks, CONFIG, 4).double()
    boxes = torch.rand(segments, 4, dtype=torch.float64) * 2 - 1
    image_of = torch.arange(segments) % images
    pairs = torch.tensor(
        [(a, b) for a in range(segments) for b in range(a) if image_of[a] == image_of[b]]
    )
    features = torch.randn(images, 4 * 192, 12, 12, dtype=torch.float64)
    return stage, features, coverage, boxes, image_of, pairs


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


@pytest.mark.parametrize(
    "side", [192, 208]
)  # 208: a grid of 13, of which the last backbone patch is left out
def test_coverage_of_a_label_map_is_that_of_its_masks(side):
    config = ModelConfig("tiny", image_size=side, neck_depth=1, neck_dim=48, neck_heads=4)
    labels = torch.randint(-1, 4, (side, side), dtype=torch.int16)
    coverage = label_coverage(labels, 6, config)  # segments 4 and 5 are not in it
    masks = labels == torch.arange(6).view(-1, 1, 1)
    assert torch.allclose(coverage, patch_coverage(masks, config, 1), atol=1e-6)
    assert (coverage[4:] == 0).all()
    labels[100:], labels[:, 130:] = -1, -1  # padding may be given or not
    assert torch.equal(
        label_coverage(labels, 6, config), label_coverage(labels[:100, :130], 6, config)
    )


@pytest.mark.parametrize(("stride", "window"), [(1, 48), (4, 12)])
def test_pooling_once_equals_pooling_for_each_pair(stride, window):
    side = 192 // stride
    masks = disjoint_masks(3, side, side)
    coverage = patch_coverage(masks, CONFIG, stride)
    for a in range(3):
        for b in range(3):
            expected = coverage_with_loops(masks[a], masks[b], window)
            torch.testing.assert_close(coverage[[a, b]], torch.tensor(expected))


def test_masks_without_padding_cover_nothing_there():
    masks = torch.ones(1, 30, 48, dtype=torch.bool)
    coverage = patch_coverage(masks, CONFIG, 4).view(4, 4)
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


def plain_relation_stage(stage, features, coverage, boxes, image, a, b, pruning=False):
    """One pair, written from the paper's equations with explicit attention; no batching, no fused
    kernels.
    """
    weight, bias = stage.patch_embed.weight, stage.patch_embed.bias
    grid = CONFIG.pair_grid
    tokens, positions = [], []
    unit = {name: p / p.norm() for name, p in stage.mask_embedding.named_parameters()}
    for y in range(grid):
        for x in range(grid):
            window = features[image, :, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3]
            patch = (weight * window).sum((1, 2, 3)) + bias
            r_a, r_b = coverage[a, y * grid + x], coverage[b, y * grid + x]
            if pruning and r_a == 0 and r_b == 0:
                continue
            rest = max(0.0, 1 - float(r_a) - float(r_b))
            embedding = (
                r_a * unit["token_a"] + r_b * unit["token_b"] + rest * unit["token_background"]
            )  # Eq. 1
            tokens.append(patch + embedding)
            positions.append(stage.positions[0, y * grid + x].double())
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
    stage, features, coverage, boxes, image_of, pairs = inputs(segments)
    with torch.inference_mode():
        found = stage(
            stage.embed_patches(features),
            coverage,
            boxes,
            image_of,
            pairs,
            pruning=pruning,
            pairs_at_once=3,
        )
        for (a, b), logits in zip(pairs.tolist(), found, strict=True):
            expected = plain_relation_stage(
                stage, features, coverage, boxes, image_of[a], a, b, pruning
            )
            torch.testing.assert_close(logits, expected, atol=1e-9, rtol=0)
    touched = (coverage[pairs[:, 0]] + coverage[pairs[:, 1]] > 0).sum(1)
    assert touched.min() < touched.max(), "pairs of one length would not test the padding"


@pytest.mark.parametrize("pruning", [False, True])
def test_order_and_chunking_of_pairs_do_not_matter(pruning):
    stage, features, coverage, boxes, image_of, pairs = inputs(6)
    patches = stage.embed_patches(features)
    order = torch.randperm(len(pairs))
    with torch.inference_mode():
        one = stage(patches, coverage, boxes, image_of, pairs, pruning, pairs_at_once=100)
        other = stage(patches, coverage, boxes, image_of, pairs[order], pruning, pairs_at_once=2)
    torch.testing.assert_close(one[order], other, atol=1e-10, rtol=0)


def test_swapping_a_pair_swaps_its_masks_and_boxes():
    """(b, a) must be what (a, b) gives when masks and boxes themselves are exchanged, and not the
    same as (a, b).
    """
    stage, features, coverage, boxes, image_of, _ = inputs(2, images=1)
    patches, pair, swap = (
        stage.embed_patches(features),
        torch.tensor([[0, 1]]),
        torch.tensor([1, 0]),
    )
    with torch.inference_mode():
        forward = stage(patches, coverage, boxes, image_of, pair)
        swapped = stage(patches, coverage, boxes, image_of, pair.flip(1))
        exchanged = stage(patches, coverage[swap], boxes[swap], image_of, pair)
    torch.testing.assert_close(swapped, exchanged, atol=1e-12, rtol=0)
    assert not torch.allclose(swapped, forward)


def test_gate_and_head_stay_precise():
    stage = RelationStage(CONFIG).bfloat16()
    stage.keep_head_precise()
    patches, coverage = torch.randn(1, 16, 48).bfloat16(), torch.rand(9, 16)
    images, pairs = torch.zeros(9, dtype=torch.long), torch.combinations(torch.arange(9))
    for pruning in (False, True):
        logits = stage(patches, coverage, torch.rand(9, 4), images, pairs, pruning)
        assert logits.dtype == torch.float32
        assert len(logits[..., 0].unique()) > 0.9 * logits[..., 0].numel()


def test_both_directions_share_what_the_gate_splits():
    stage = inputs(2, images=1)[0]
    x = torch.randn(9, 48, dtype=torch.float64)
    forward, backward = stage.disentangle(x)
    torch.testing.assert_close(forward + backward, x)


def test_pruning_without_prunable_patch_changes_nothing():
    stage, features, _, boxes, image_of, pairs = inputs(5)
    coverage = torch.rand(5, 16, dtype=torch.float64) / 2 + 0.01
    patches = stage.embed_patches(features)
    with torch.inference_mode():
        pruned = stage(patches, coverage, boxes, image_of, pairs, pruning=True)
        plain = stage(patches, coverage, boxes, image_of, pairs)
    torch.testing.assert_close(pruned, plain, atol=1e-12, rtol=0)


def test_a_pair_that_touches_no_patch_still_gets_logits():
    stage, features, coverage, boxes, image_of, pairs = inputs(5)
    with torch.inference_mode():
        found = stage(
            stage.embed_patches(features), coverage * 0, boxes, image_of, pairs, pruning=True
        )
    assert torch.isfinite(found).all()


def test_no_pair_gives_no_logits():
    stage, features, coverage, boxes, image_of, _ = inputs(3)
    found = stage(
        stage.embed_patches(features),
        coverage,
        boxes,
        image_of,
        torch.zeros(0, 2, dtype=torch.long),
    )
    assert found.shape == (0, 2, 6)
