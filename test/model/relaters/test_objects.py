import math

import pytest
import torch
import toy_registration  # noqa: F401
from segment_inputs import CELL, CHANNELS, CLASSES, GRID, PREDICATES, SIDE, inputs_of

from dsflash_ros.model.relaters.neck import PatchNeck
from dsflash_ros.model.relaters.objects import SETTINGS, ObjectRelations
from dsflash_ros.model.relaters.relater import PairInputs

OTHER = {"segmenter": "stripes", "relater": "objects"}
PARTS = tuple(SETTINGS["parts"])
NECK = (32, 2, 4)


def make_stage(parts=PARTS):
    torch.manual_seed(0)
    sizes = {"dim": 24, "depth": 2, "heads": 3, "pair_dim": 16, "neck_sizes": NECK}
    stage = ObjectRelations(CHANNELS, CELL, SIDE, CLASSES, PREDICATES, parts, **sizes)
    return stage.double().eval()


def plain_tokens(stage, inputs, mine):
    """Tokens of the segments `mine` of one image, one after the other, plain attention."""
    tokens = []
    for s in mine:
        x0, y0, x1, y1 = inputs.boxes[s].tolist()
        w, h = max((x1 - x0) / 2, 1e-3), max((y1 - y0) / 2, 1e-3)
        area = float(inputs.coverage[s].mean())
        logs = [math.log(v) / 4 for v in (w, h, max(area, 1e-6))]
        token = stage.place(
            torch.tensor([x0, y0, x1, y1, *logs, min(area / (w * h), 2), 1.0]).double()
        )
        token = token + stage.class_embedding(inputs.class_probabilities[s])
        mean = torch.zeros(CHANNELS, dtype=torch.float64)
        for cell in range(GRID * GRID):
            mean += inputs.coverage[s, cell] * inputs.prepared[inputs.images[s], cell]
        mean /= max(float(inputs.coverage[s].sum()), 1e-6)
        tokens.append(token + stage.pooled(mean))
    x = torch.stack(tokens)
    for block in stage.blocks:
        q, k, v = (block.norm1(x) @ block.qkv.weight.T).chunk(3, dim=1)
        heads = []
        for part in range(block.heads):
            s = slice(part * 8, (part + 1) * 8)
            heads.append((q[:, s] @ k[:, s].T / math.sqrt(8)).softmax(1) @ v[:, s])
        x = x + torch.cat(heads, dim=1) @ block.proj.weight.T + block.proj.bias
        x = x + block.mlp(block.norm2(x))
    return dict(zip(mine, stage.norm(x), strict=True))


def plain_contact(stage, inputs, a, b):
    """The contact's share of a pair's hidden layer, cell by cell; 0 when they do not touch."""

    def grown(s, y, x):
        cells = [
            float(inputs.coverage[s, v * GRID + u])
            for v in range(max(0, y - 1), min(GRID, y + 2))
            for u in range(max(0, x - 1), min(GRID, x + 2))
        ]
        return max(cells)

    features, where = torch.zeros(CHANNELS, dtype=torch.float64), [0.0, 0.0]
    total = 0.0
    for y in range(GRID):
        for x in range(GRID):
            weight = grown(a, y, x) * grown(b, y, x)
            features += weight * inputs.prepared[inputs.images[a], y * GRID + x]
            where[0] += weight * (x + 0.5) / GRID
            where[1] += weight * (y + 0.5) / GRID
            total += weight
    if total == 0:
        return 0
    inside = []
    for s in (a, b):
        x0, y0, x1, y1 = ((inputs.boxes[s] + 1) / 2).tolist()
        inside.append((where[0] / total - x0) / max(x1 - x0, 1e-3))
        inside.append((where[1] / total - y0) / max(y1 - y0, 1e-3))
    inside = [min(max(value, -2), 3) for value in inside]
    areas = [max(float(inputs.coverage[s].sum()), 0.1) for s in (a, b)]
    sizes = [math.log(value) / 4 for value in (total, total / areas[0], total / areas[1])]
    numbers = torch.tensor(inside + sizes, dtype=torch.float64)
    return stage.contact(torch.cat((stage.local(features / total), numbers)))


def plain_geometry(box_a, box_b):
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = box_a, box_b
    aw, ah = max(ax1 - ax0, 1e-3), max(ay1 - ay0, 1e-3)
    bw, bh = max(bx1 - bx0, 1e-3), max(by1 - by0, 1e-3)
    shared = max(0, min(ax1, bx1) - max(ax0, bx0)) * max(0, min(ay1, by1) - max(ay0, by0))
    offset = [(bx0 + bx1 - ax0 - ax1) / 2, (by0 + by1 - ay0 - ay1) / 2]
    shares = [shared / area for area in (aw * ah, bw * bh, aw * ah + bw * bh - shared)]
    differences = [b - a for a, b in zip(box_a, box_b, strict=True)]
    forth = [d / size for d, size in zip(differences, (aw, ah, aw, ah), strict=True)]
    back = [-d / size for d, size in zip(differences, (bw, bh, bw, bh), strict=True)]
    logs = [math.log(size) for size in (aw, ah, bw, bh)]
    edges = [min(max(value, -10), 10) for value in forth + back]
    return torch.tensor([*box_a, *box_b, *logs, *offset, *shares, *edges], dtype=torch.float64)


@torch.no_grad()
def test_it_is_what_loops_compute():
    stage = make_stage()
    inputs = inputs_of(stage, [5, 1, 3])
    found = stage.relate(inputs)
    assert len(inputs.pairs) == 13
    boxes = ((inputs.boxes + 1) / 2).tolist()
    for image, mine in enumerate(([0, 1, 2, 3, 4], [5], [6, 7, 8])):
        tokens = plain_tokens(stage, inputs, mine)
        for number, (a, b) in enumerate(inputs.pairs.tolist()):
            if inputs.images[a] != image:
                continue
            hidden = stage.first(tokens[a]) + stage.second(tokens[b])
            hidden = hidden + stage.geometry(plain_geometry(boxes[a], boxes[b]))
            x = stage.mix(hidden + plain_contact(stage, inputs, a, b))
            gate = 1 / (1 + torch.exp(-stage.gate(x)))
            expected = torch.stack((stage.head(gate * x), stage.head((1 - gate) * x)))
            torch.testing.assert_close(found.logits[number], expected, rtol=1e-6, atol=1e-7)


@torch.no_grad()
def test_a_pair_does_not_depend_on_other_pairs_or_images():
    stage = make_stage()
    inputs = inputs_of(stage, [4, 6])
    every = stage(inputs)
    order = torch.randperm(len(inputs.pairs))[:7]
    torch.testing.assert_close(stage(inputs._replace(pairs=inputs.pairs[order])), every[order])
    first = inputs.images == 0
    alone = PairInputs(inputs.prepared[:1], *(t[first] for t in inputs[1:6]), inputs.pairs[:6])
    torch.testing.assert_close(stage(alone), every[:6])


@torch.no_grad()
@pytest.mark.parametrize("pruning", [False, True])
def test_the_neck_is_that_of_the_paper(pruning):
    """Its class token is added to a pair's hidden layer, and patches are three cells wide."""
    stage = make_stage(("class", "neck"))
    inputs = inputs_of(stage, [4, 5])
    neck = PatchNeck(CHANNELS, 3, GRID // 3, *NECK).double()
    neck.load_state_dict(stage.neck.state_dict())
    maps = inputs.prepared.transpose(1, 2).reshape(2, CHANNELS, GRID, GRID)
    coverage = inputs.coverage.view(-1, 2, 3, 2, 3).mean((2, 4)).flatten(1)
    expected = neck.encode(inputs._replace(prepared=neck.prepare(maps), coverage=coverage), pruning)
    seen = {}
    stage.from_neck.register_forward_hook(lambda module, given, result: seen.update(x=given[0]))
    logits = stage.relate(inputs, pruning=pruning).logits
    torch.testing.assert_close(seen["x"], expected)
    for at_once in (3, 100):
        torch.testing.assert_close(stage(inputs, at_once, pruning=pruning), logits)
    with_other_neck = make_stage(("class", "neck"))
    with_other_neck.neck.class_token.zero_()
    assert not torch.allclose(with_other_neck(inputs), logits)


def test_dropout_is_for_training_alone():
    stage = make_stage().train()
    stage.dropout.p = 0.5
    inputs = inputs_of(stage, [5])
    assert not torch.equal(stage(inputs), stage(inputs))
    stage.eval()
    assert torch.equal(stage(inputs), stage(inputs))


@torch.no_grad()
@pytest.mark.parametrize("part", ["class", "pooled", "contact", "graph"])
def test_a_part_that_is_left_out_has_no_influence(part):
    """Without a part, what it looks at does not count; with all, it does."""
    for parts, counts in ((PARTS, True), (tuple(p for p in PARTS if p != part), False)):
        stage = make_stage(parts)
        inputs = inputs_of(stage, [4])
        before = stage(inputs)
        if part == "class":
            changed = inputs._replace(class_probabilities=inputs.class_probabilities.flip(0))
        elif part == "graph":  # another segment, which is in none of the pairs
            boxes = inputs.boxes.clone()
            boxes[3] *= 0.5
            changed = inputs._replace(boxes=boxes)
        else:  # features count through pooled and contact
            rest = {"pooled": "contact", "contact": "pooled"}[part]
            stage = make_stage(tuple(p for p in parts if p != rest))
            before = stage(inputs)
            changed = inputs._replace(prepared=inputs.prepared.flip(1))
        chosen = (inputs.pairs != 3).all(1)
        same = torch.equal(stage(changed)[chosen], before[chosen])
        assert same != counts


@torch.no_grad()
def test_odd_numbers_and_sizes_of_segments():
    stage = make_stage().float()
    for counts in ([0], [1], [0, 2, 0], [100]):
        inputs = inputs_of(stage.double(), counts)
        stage = stage.float()
        inputs = PairInputs(*(t.float() if t.is_floating_point() else t for t in inputs))
        logits = stage(inputs)
        assert logits.shape == (sum(n * (n - 1) // 2 for n in counts), 2, 1 + PREDICATES)
        assert logits.isfinite().all()
    nothing = inputs._replace(
        coverage=torch.zeros_like(inputs.coverage), boxes=torch.full_like(inputs.boxes, -1.0)
    )
    assert stage(nothing).isfinite().all()
    speck = nothing.coverage.clone()
    speck[:, 0] = 1e-6
    assert stage(nothing._replace(coverage=speck)).isfinite().all()


@pytest.mark.parametrize("mixed", [False, True])
def test_gradients_of_a_batch_with_an_image_without_segments(mixed):
    stage = make_stage()
    inputs = inputs_of(stage, [3, 0, 2])
    stage = stage.float()
    inputs = PairInputs(*(t.float() if t.is_floating_point() else t for t in inputs))
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        stage.relate(inputs).logits.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in stage.parameters())
    assert sum(float(parameter.grad.abs().sum()) for parameter in stage.parameters()) > 0


@torch.no_grad()
def test_rescaled_scores():
    stage = make_stage()
    inputs = inputs_of(stage, [5])
    before = stage(inputs)
    stage.rescale(1.5, -0.3)
    after = stage(inputs)
    torch.testing.assert_close(-after[..., 0], 1.5 * -before[..., 0] - 0.3)
    assert torch.equal(after[..., 1:], before[..., 1:])


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_numbers_stay_close(dtype):
    stage = make_stage()
    inputs = inputs_of(stage, [6])
    exact = stage(inputs)
    short = stage.to(dtype)
    short.keep_precise()
    rough = short(
        PairInputs(
            inputs.prepared.to(dtype),
            *(t.float() if t.is_floating_point() else t for t in inputs[1:]),
        )
    )
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()
    assert rough.float().unique().numel() > 0.9 * rough.numel()
