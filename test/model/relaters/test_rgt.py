"""SPADE's relation graph transformer against loops; all in float64 unless a test says otherwise."""

import pytest
import torch
import torch.nn.functional as F
from graph_loops import ALL_PARTS, DIM, EXACT, HEADS, plain_block
from segment_inputs import CELL, CHANNELS, CLASSES, GRID, PREDICATES, SIDE, inputs_of

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.relaters.graph_layers import neighbours_and_others
from dsflash_ros.model.relaters.objects import ObjectRelations
from dsflash_ros.model.relaters.relater import PairInputs
from dsflash_ros.model.relaters.rgt import PARTS, GraphRelations
from dsflash_ros.training.relations.relation_loss import batch_losses


def make_stage(parts=PARTS, pair_loss=0.6, similarity=0.1):
    torch.manual_seed(0)
    sizes = {"dim": DIM, "depth": 2, "heads": HEADS, "pair_dim": 16}
    counts = CLASSES, PREDICATES
    stage = GraphRelations(
        CHANNELS, CELL, SIDE, *counts, parts, **sizes, similarity=similarity, pair_loss=pair_loss
    )
    return stage.double().eval()


@torch.no_grad()
def test_tokens_and_pairs_are_those_of_objects():
    """With blocks that add nothing, the stage is `objects` without its transformer."""
    stage = make_stage()
    for block in stage.blocks:
        for part in (*block.attention.projections, block.mlp[-1], block.convolution):
            for parameter in part.parameters():
                parameter.zero_()
    parts = ("class", "pooled", "contact")
    sizes = {"dim": DIM, "depth": 1, "heads": HEADS, "pair_dim": 16}
    objects = ObjectRelations(CHANNELS, CELL, SIDE, CLASSES, PREDICATES, parts, **sizes).double()
    own = {name: t for name, t in stage.state_dict().items() if not name.startswith("blocks.")}
    objects.load_state_dict(own)
    inputs = inputs_of(stage, [5, 1, 3])
    torch.testing.assert_close(stage(inputs), objects.eval()(inputs), **EXACT)


@torch.no_grad()
def test_the_stage_runs_its_blocks_on_the_graph_of_touching_and_alike_segments():
    stage = make_stage()
    inputs = inputs_of(stage, [6])
    tokens = {}
    stage.blocks[0].register_forward_pre_hook(lambda _, given: tokens.update(given=given))
    stage.norm.register_forward_pre_hook(lambda _, given: tokens.update(last=given[0]))
    stage(inputs)
    x, members, _ = tokens["given"]
    shares = inputs.coverage / inputs.coverage.sum(1, keepdim=True)
    features = shares @ inputs.prepared[0]
    maps = inputs.coverage.view(-1, 1, GRID, GRID)
    grown = F.max_pool2d(maps, 3, stride=1, padding=1).flatten(1)
    overlaps = torch.tensor([[float((a * b).sum()) for b in grown] for a in grown])
    near, far = neighbours_and_others(features[None], overlaps[None], stage.similarity)
    assert torch.equal(members[0], torch.cat((near, far)))
    assert near.sum() > 4 and far.sum() > 4
    expected = x[0]
    for block in stage.blocks:
        expected = plain_block(block, expected, members[0])
    torch.testing.assert_close(tokens["last"], expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_numbers_of_segments_mean_nothing():
    stage = make_stage()
    inputs = inputs_of(stage, [7])
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    places = order.argsort()
    moved = PairInputs(inputs.prepared, *(t[order] for t in inputs[1:6]), places[inputs.pairs])
    torch.testing.assert_close(stage(moved), stage(inputs), **EXACT)


@torch.no_grad()
@pytest.mark.parametrize("parts", ALL_PARTS, ids=str)
def test_other_images_of_a_batch_have_no_influence(parts):
    stage = make_stage(parts)
    inputs = inputs_of(stage, [4, 0, 1, 6])
    every, start, first = stage(inputs), 0, 0
    for image, count in enumerate((4, 0, 1, 6)):
        mine = slice(start, start + count)
        pairs = torch.combinations(torch.arange(count))
        own = (t[mine] for t in inputs[1:5])
        images = torch.zeros(count, dtype=torch.long)
        alone = PairInputs(inputs.prepared[image : image + 1], *own, images, pairs)
        found = stage(alone)
        torch.testing.assert_close(found, every[first : first + len(pairs)], **EXACT)
        start, first = start + count, first + len(pairs)
    order = torch.randperm(len(inputs.pairs))[:7]
    some = stage(inputs._replace(pairs=inputs.pairs[order]))
    torch.testing.assert_close(some, every[order], **EXACT)


@torch.no_grad()
@pytest.mark.parametrize("parts", ALL_PARTS, ids=str)
@pytest.mark.parametrize("similarity", [-1.0, 0.2, 1.0])
def test_odd_numbers_of_segments(parts, similarity):
    """At -1 all are neighbours; at 1 only those that touch."""
    stage = make_stage(parts, similarity=similarity)
    for counts in ([0], [1], [2], [0, 2, 0], [0, 0], [100]):
        inputs = inputs_of(stage, counts)
        found = stage.relate(inputs)
        pairs = sum(n * (n - 1) // 2 for n in counts)
        assert found.logits.shape == (pairs, 2, 1 + PREDICATES)
        assert found.logits.isfinite().all() and found.relatedness.shape == (pairs,)
    nothing = inputs._replace(coverage=torch.zeros_like(inputs.coverage))
    assert stage(nothing).isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize("part", PARTS)
def test_each_part_counts(part):
    """Without its last layer's weights, a part gives nothing; with them, it does."""
    stage = make_stage()
    inputs = inputs_of(stage, [6])
    before = stage(inputs)
    for block in stage.blocks:
        layers = {"gcn": block.convolution}
        layers |= dict(zip(PARTS, block.attention.projections, strict=False))
        layers[part].weight.zero_()
    assert not torch.allclose(stage(inputs), before)


@pytest.mark.parametrize("mixed", [False, True])
def test_gradients_of_a_batch_with_an_image_without_segments(mixed):
    stage = make_stage()
    inputs = inputs_of(stage, [3, 0, 1, 5])
    stage = stage.float().train()
    inputs = PairInputs(*(t.float() if t.is_floating_point() else t for t in inputs))
    targets = torch.rand(len(inputs.pairs), 2, 1 + PREDICATES).round()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        loss, _ = batch_losses(stage, inputs, targets)
    loss.backward()
    for name, parameter in stage.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("weight", [0.0, 0.6])
def test_the_pair_loss_is_that_of_a_loop(weight):
    """Eq. 14 over all pairs of segments of an image, related in either direction or not."""
    stage = make_stage(pair_loss=weight)
    inputs = inputs_of(stage, [5, 3])
    random = torch.Generator().manual_seed(2)
    targets = (torch.rand(13, 2, 1 + PREDICATES, generator=random) > 0.9).double()
    related = targets[..., 1:].flatten(1).any(1)
    assert 3 < related.sum() < 10
    nodes = {}
    stage.norm.register_forward_hook(lambda _, given, result: nodes.update(found=result))
    loss, parts = batch_losses(stage, inputs, targets, consistency_weight=0.3)
    q, total = nodes["found"], 0.0
    for (a, b), is_related in zip(inputs.pairs.tolist(), related.tolist(), strict=True):
        cosine = q[a] @ q[b] / (q[a].norm() * q[b].norm())
        total = total + (cosine - float(is_related)) ** 2 / len(related)
    expected = parts.cross_entropy + 0.3 * parts.consistency
    if not weight:
        assert stage.relate(inputs).relatedness is None and parts.relatedness == 0
    else:
        assert parts.relatedness.item() == pytest.approx(total.item(), rel=1e-10)
        expected = expected + weight * total
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    found = torch.autograd.grad(loss, stage.blocks[0].mlp[0].weight)[0]
    assert found.abs().max() > 0


def test_the_pair_loss_s_gradient_does_not_depend_on_groups_of_pairs(monkeypatch):
    stage = make_stage()
    inputs = inputs_of(stage, [5, 3])
    targets = torch.rand(13, 2, 1 + PREDICATES, dtype=torch.float64).round()
    gradients = []
    for size in (13, 4):
        groups = torch.arange(13).split(size)
        monkeypatch.setattr(stage, "chunks", lambda *_, groups=groups: groups)
        stage.zero_grad()
        batch_losses(stage, inputs, targets)[0].backward()
        gradients.append([parameter.grad.clone() for parameter in stage.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_it_learns_a_few_images_by_heart():
    stage = make_stage().float().train()
    inputs = inputs_of(stage.double(), [5, 4, 6])
    stage.float()
    inputs = PairInputs(*(t.float() if t.is_floating_point() else t for t in inputs))
    random = torch.Generator().manual_seed(5)
    holds = (torch.rand(len(inputs.pairs), 2, PREDICATES, generator=random) > 0.8).float()
    targets = torch.cat((1 - holds.amax(2, keepdim=True), holds), dim=2)
    optimizer = torch.optim.AdamW(stage.parameters(), 3e-3, weight_decay=0.0)
    for _ in range(300):
        optimizer.zero_grad()
        loss, parts = batch_losses(stage, inputs, targets, consistency_weight=0.001)
        loss.backward()
        optimizer.step()
    found = stage.eval().relate(inputs)
    assert ((found.logits > 0) == (targets > 0.5)).all()
    related = holds.flatten(1).any(1)
    assert ((found.relatedness > 0.5) == related).float().mean() > 0.9
    assert parts.cross_entropy < 0.01


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_numbers_stay_close(dtype):
    stage = make_stage()
    inputs = inputs_of(stage, [6])
    shares = inputs.coverage / inputs.coverage.sum(1, keepdim=True)
    features = shares @ inputs.prepared[0]
    centred = F.normalize(features - features.mean(1, keepdim=True), dim=1)
    assert ((centred @ centred.T - stage.similarity).abs() > 0.01).all()  # the graph is the same
    exact = stage(inputs)
    short = stage.to(dtype)
    short.keep_precise()
    rest = (t.float() if t.is_floating_point() else t for t in inputs[1:])
    rough = short(PairInputs(inputs.prepared.to(dtype), *rest))
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()
    assert rough.float().unique().numel() > 0.9 * rough.numel()


def test_the_config_chooses_it():
    settings = {"parts": ["others"], "dim": 32, "depth": 3, "heads": 2, "pair_dim": 16}
    config = ModelConfig("tiny", image_size=96, relater="rgt", relater_settings=settings)
    stage = DSFlash(config).relations
    assert isinstance(stage, GraphRelations) and stage.pair_loss == 0.6
    assert len(stage.blocks) == 3 and stage.blocks[0].sets == [1]
    assert stage.blocks[0].convolution is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eta": 0.65}, "'rgt' have no eta; there are parts, dim, depth"),
        ({"parts": ["graph"]}, "parts must be a list of some of neighbours, others, gcn, got"),
        ({"depth": 0}, "depth must be a whole number, 1 or more, got 0"),
        ({"dim": 30, "heads": 4}, "dim 30 must be a multiple of heads 4"),
        ({"similarity": 1.5}, "similarity must be a cosine, -1 to 1, got 1.5"),
        ({"similarity": "near"}, "similarity must be a cosine, -1 to 1, got 'near'"),
        ({"pair_loss": -0.1}, "pair_loss must be 0 or more, got -0.1"),
        ({"pair_loss": float("nan")}, "pair_loss must be 0 or more, got nan"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    config = ModelConfig("tiny", image_size=96, relater="rgt", relater_settings=settings)
    with pytest.raises(WeightsError, match=message):
        DSFlash(config)


@torch.no_grad()
def test_asked_names_of_classes_and_predicates():
    """By text embeddings, in any order; what is said of a predicate does not depend on others."""
    torch.manual_seed(3)
    counts, sizes = (CLASSES, PREDICATES), {"dim": DIM, "depth": 1, "heads": HEADS, "pair_dim": 16}
    stage = GraphRelations(CHANNELS, CELL, SIDE, *counts, PARTS, **sizes, text_dims=(7, 6))
    stage = stage.double().eval()
    classes = F.normalize(torch.randn(CLASSES, 7, dtype=torch.float64), dim=1)
    predicates = F.normalize(torch.randn(8, 6, dtype=torch.float64), dim=1)
    inputs = inputs_of(stage, [5, 2])
    stage.name_classes(classes)
    stage.name_predicates(predicates)
    found = stage(inputs)
    assert stage.num_predicates == 8 and found.shape == (11, 2, 9)
    order, some = torch.tensor([2, 0, 3, 1]), torch.tensor([6, 1])
    stage.name_classes(classes[order])
    stage.name_predicates(predicates[some])
    moved = inputs._replace(class_probabilities=inputs.class_probabilities[:, order])
    expected = found[..., torch.cat((torch.tensor([0]), 1 + some))]
    torch.testing.assert_close(stage(moved), expected, **EXACT)
    assert not torch.allclose(stage(inputs), expected)
