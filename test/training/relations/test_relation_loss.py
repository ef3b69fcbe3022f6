import pytest
import torch
import torch.nn.functional as F
from pair_inputs import pair_inputs

from dsflash_ros.model.relaters.dsflash import DSFlashRelations
from dsflash_ros.training.relations.pairs import pair_targets
from dsflash_ros.training.relations.relation_loss import batch_losses, pair_losses


@pytest.fixture(params=[False, True], ids=["all patches", "pruned"])
def pruning(request):
    return request.param


def problem(dtype=torch.float64):
    """A stage, features of two images, `inputs_of` features, and targets."""
    torch.manual_seed(0)
    stage = DSFlashRelations(20, 48, 4, num_predicates=5, dim=48, depth=2, heads=4).to(dtype)
    coverage = torch.rand(7, 16, dtype=dtype) * (torch.rand(7, 16) > 0.6)
    boxes, images = torch.rand(7, 4, dtype=dtype) * 2 - 1, torch.tensor([0, 0, 0, 1, 1, 1, 1])
    pairs = torch.tensor([[0, 1], [0, 2], [1, 2], [3, 4], [5, 6]])
    relations = torch.tensor([[0, 1, 2], [0, 1, 4], [2, 1, 0], [6, 5, 1], [4, 3, 1], [3, 4, 2]])
    targets = pair_targets(relations, pairs, 5).to(dtype)

    def inputs_of(features):
        return pair_inputs(stage.prepare(features), coverage, boxes, images, pairs)

    return stage, torch.randn(2, 20, 12, 12, dtype=dtype), inputs_of, targets


def straightforward(stage, features, inputs_of, targets, weight, pruning, positive_weights=None):
    """Eqs. 2 to 7 and the cross entropy, pair by pair, each order from the features on."""
    pairs = inputs_of(features).pairs
    total = 0
    for (a, b), (y_ab, y_ba) in zip(pairs.tolist(), targets, strict=True):
        tokens = []
        for pair in ([a, b], [b, a]):
            inputs = inputs_of(features)._replace(pairs=torch.tensor([pair]))
            x = stage.encode(inputs, pruning)[0]
            g = torch.sigmoid(stage.gate(x))
            tokens.append((g * x, (1 - g) * x))
        (t_ab, t_ba), (u_ba, u_ab) = tokens  # the second pass has b first
        for t, y in ((t_ab, y_ab), (t_ba, y_ba), (u_ba, y_ba), (u_ab, y_ab)):
            loss = F.binary_cross_entropy_with_logits(stage.head(t), y, pos_weight=positive_weights)
            total = total + loss / (4 * len(pairs))
        consistency = sum(
            (t_ab[i] - u_ab[i]) ** 2 + (t_ba[i] - u_ba[i]) ** 2 for i in range(len(t_ab))
        ) / len(t_ab)
        total = total + weight * consistency / len(pairs)
    return total


@pytest.mark.parametrize("pairs_at_once", [1, 2, 100])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradients_against_a_straightforward_version(pairs_at_once, weighted, pruning):
    stage, features, inputs_of, targets = problem()
    weights = torch.rand(6, dtype=torch.float64) + 0.5 if weighted else None
    expected = straightforward(stage, features, inputs_of, targets, 0.7, pruning, weights)
    expected_gradients = torch.autograd.grad(expected, list(stage.parameters()))

    options = {"pruning": pruning, "positive_weights": weights}
    loss, parts = batch_losses(stage, inputs_of(features), targets, 0.7, pairs_at_once, **options)
    (3 * loss).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-10)
    assert (parts.cross_entropy + 0.7 * parts.consistency).item() == pytest.approx(
        expected.item(), rel=1e-10
    )
    for parameter, gradient in zip(stage.parameters(), expected_gradients, strict=True):
        assert torch.allclose(parameter.grad, 3 * gradient, atol=1e-12)


def test_gradient_reaches_every_parameter(pruning):
    stage, features, inputs_of, targets = problem()
    batch_losses(stage, inputs_of(features), targets, pruning=pruning)[0].backward()
    for name, parameter in stage.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_pairs_in_either_order_have_the_same_loss():
    stage, features, inputs_of, targets = problem()
    inputs = inputs_of(features)
    swapped = inputs._replace(pairs=inputs.pairs.flip(1))
    one = pair_losses(stage, inputs, targets)
    other = pair_losses(stage, swapped, targets.flip(1))
    assert torch.allclose(torch.stack(one), torch.stack(other), atol=1e-12)


def test_no_pairs_give_no_loss_and_zero_gradients():
    stage, features, inputs_of, targets = problem()
    inputs = inputs_of(features)
    loss, _ = batch_losses(stage, inputs._replace(pairs=inputs.pairs[:0]), targets[:0])
    loss.backward()
    assert loss.item() == 0
    assert all((parameter.grad == 0).all() for parameter in stage.parameters())


def test_bfloat16_keeps_head_and_residual_stream_precise():
    stage, features, inputs_of, targets = problem(torch.float32)
    exact, _ = batch_losses(stage, inputs_of(features), targets)
    with torch.autocast("cpu", torch.bfloat16):
        inputs = inputs_of(features)
        inputs = inputs._replace(prepared=inputs.prepared.float())
        x = stage.encode(inputs)
        loss, _ = batch_losses(stage, inputs, targets, pairs_at_once=2)
    loss.backward()
    assert x.dtype == torch.float32
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
    assert all(torch.isfinite(parameter.grad).all() for parameter in stage.parameters())


def test_scores_keep_their_precision_under_autocast():
    """In bfloat16 a quarter of all scores would be ties."""
    stage, features, inputs_of, _ = problem(torch.float32)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        inputs = inputs_of(features)
        logits = stage(inputs._replace(prepared=inputs.prepared.float()))
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())
