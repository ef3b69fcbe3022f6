import math

import pytest

pytest.importorskip("scipy")
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F

from dsflash_ros.training.segmenter.set_loss import SetLoss, sample_masks

SIDE, CLASSES = 64, 9


def random_labels(counts, side=SIDE):
    """Maps of rectangles upon nothing, each segment visible, and class ids."""
    labels = torch.full((len(counts), side, side), -1, dtype=torch.int16)
    for image, count in enumerate(counts):
        for segment in range(count):
            y, x = torch.randint(0, side - 12, (2,)).tolist()
            labels[image, y : y + 20, x : x + 25] = segment
        for segment in range(count):
            labels[image, segment, : segment + 3] = segment
    return labels, [torch.randint(0, CLASSES, (count,)) for count in counts]


def random_predictions(blocks, images, queries):
    return [
        (3 * torch.randn(images, queries, 16, 16), 2 * torch.randn(images, queries, CLASSES + 1))
        for _ in range(blocks)
    ]


def reference_losses(loss, predictions, labels, class_ids):
    """transformers', summed over the predictions, on masks as images of floats."""
    transformers = pytest.importorskip("transformers")
    from transformers.models.eomt.modeling_eomt import EomtLoss

    config = transformers.EomtConfig(
        num_labels=CLASSES, train_num_points=loss.num_points, oversample_ratio=loss.oversample
    )
    criterion = EomtLoss(config, {})
    masks = [
        (image == torch.arange(len(ids)).view(-1, 1, 1)).float()
        for image, ids in zip(labels, class_ids, strict=True)
    ]
    sums = {"loss_mask": 0, "loss_dice": 0, "loss_cross_entropy": 0}
    for mask_logits, class_logits in predictions:
        for name, value in criterion(mask_logits, class_logits, masks, class_ids).items():
            sums[name] = sums[name] + value
    return sums["loss_mask"], sums["loss_dice"], sums["loss_cross_entropy"]


@pytest.mark.parametrize("counts", [(5, 3), (4, 0, 7), (0, 0), (1,)])
@pytest.mark.parametrize("num_points", [200, 12544])
def test_agrees_with_transformers(counts, num_points):
    loss = SetLoss(num_points=num_points)
    labels, class_ids = random_labels(counts)
    predictions = random_predictions(3, len(counts), 12)
    for prediction in predictions:
        for tensor in prediction:
            tensor.requires_grad_()
    found = loss(predictions, labels, class_ids, torch.Generator().manual_seed(3))
    gradients = torch.autograd.grad(
        found.total, [tensor for both in predictions for tensor in both]
    )
    torch.manual_seed(3)
    mask, dice, classes = reference_losses(loss, predictions, labels, class_ids)
    total = 5 * mask + 5 * dice + 2 * classes
    assert [
        found.mask.item(),
        found.dice.item(),
        found.classes.item(),
        found.total.item(),
    ] == pytest.approx([mask.item(), dice.item(), classes.item(), total.item()], rel=1e-4)
    expected = torch.autograd.grad(total, [tensor for both in predictions for tensor in both])
    for gradient, wanted in zip(gradients, expected, strict=True):
        assert (gradient - wanted).norm() <= 1e-3 * wanted.norm()


def test_masks_sampled_from_labels_are_masks_sampled_bilinearly():
    labels, _ = random_labels((6, 2), side=48)
    images, segments = torch.tensor([0, 0, 1, 0]), torch.tensor([5, 0, 1, 3])
    points = torch.rand(4, 500, 2)
    masks = (labels[images] == segments.view(-1, 1, 1)).float().unsqueeze(1)
    expected = F.grid_sample(masks, 2 * points.unsqueeze(2) - 1, align_corners=False)[:, 0, :, 0]
    found = sample_masks(labels, images, segments, points)
    assert ((expected > 0) & (expected < 1)).any()
    assert (found - expected).abs().max() < 1e-4


def perfect_predictions(labels, class_ids, queries, order):
    """Queries in an order of their own that are sure of the segments."""
    masks = (
        F.one_hot(labels.long() + 1, queries + 1).permute(0, 3, 1, 2)[:, 1:].float()[:, order] * 40
        - 20
    )
    classes = torch.zeros(len(labels), queries, CLASSES + 1)
    classes[..., -1] = 20
    for image, ids in enumerate(class_ids):
        for query, segment in enumerate(order.tolist()):
            if segment < len(ids):
                classes[image, query, -1] = 0
                classes[image, query, ids[segment]] = 20
    return masks, classes


def test_finds_the_queries_of_segments_and_their_loss_vanishes():
    labels, class_ids = random_labels((5, 8))
    order = torch.randperm(10)
    prediction = perfect_predictions(labels, class_ids, 10, order)
    # Every point drawn evenly: a mask on pixels and one between them differ along the borders,
    # where points gather.
    loss = SetLoss(num_points=4000, importance=0.0)
    matches = loss.match(*prediction, labels, class_ids)
    assert matches.images.tolist() == [0] * 5 + [1] * 8
    assert torch.equal(order[matches.queries], matches.segments)
    found = loss([prediction], labels, class_ids)
    assert found.classes < 1e-6
    inverted = loss([(-prediction[0], prediction[1])], labels, class_ids)
    assert found.mask < 0.01 * inverted.mask
    assert found.dice < 0.2 * inverted.dice


def test_crowds_and_nothing_are_no_targets():
    """Numbers from n on are crowds: the loss is the same as with nothing there."""
    labels, class_ids = random_labels((6,))
    class_ids = [class_ids[0][:4]]
    without = torch.where(labels >= 4, -1, labels)
    predictions = random_predictions(1, 1, 8)
    losses = [
        SetLoss(num_points=300)(predictions, x, class_ids, torch.Generator().manual_seed(0))
        for x in (labels, without)
    ]
    assert torch.equal(losses[0].total, losses[1].total)


def test_more_segments_than_queries():
    labels, class_ids = random_labels((20,))
    found = SetLoss(num_points=300).match(*random_predictions(1, 1, 6)[0], labels, class_ids)
    assert sorted(found.queries.tolist()) == list(range(6))
    assert len(set(found.segments.tolist())) == 6


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_are_matched_last(bad):
    labels, class_ids = random_labels((4,))
    masks, classes = perfect_predictions(labels, class_ids, 6, torch.arange(6))
    masks[0, 5] = bad
    classes[0, 5] = math.nan
    found = SetLoss(num_points=500).match(masks, classes, labels, class_ids)
    assert found.queries.tolist() == [0, 1, 2, 3]
    masks[:], classes[:] = bad, math.nan
    assert len(SetLoss(num_points=500).match(masks, classes, labels, class_ids).queries) == 4


def test_the_same_seed_gives_the_same_loss():
    labels, class_ids = random_labels((5, 3))
    predictions = random_predictions(2, 2, 7)
    first, again, other = (
        SetLoss(num_points=100)(
            predictions, labels, class_ids, torch.Generator().manual_seed(seed)
        ).total
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_is_computed_in_float32_under_autocast():
    labels, class_ids = random_labels((5, 3))
    predictions = [tuple(x.bfloat16() for x in both) for both in random_predictions(2, 2, 7)]
    exact = [tuple(x.float() for x in both) for both in predictions]
    with torch.autocast("cpu", torch.bfloat16):
        found = SetLoss(num_points=100)(
            predictions, labels, class_ids, torch.Generator().manual_seed(0)
        )
    expected = SetLoss(num_points=100)(exact, labels, class_ids, torch.Generator().manual_seed(0))
    assert found.total.dtype == torch.float32
    assert torch.equal(found.total, expected.total)


def _loss_in_a_process(rank, rendezvous, results, predictions, targets):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2
    )
    losses = SetLoss(num_points=100)(
        predictions[rank], *targets[rank], torch.Generator().manual_seed(0)
    )
    torch.save([x.item() for x in losses], f"{results}/{rank}")
    torch.distributed.destroy_process_group()


def test_processes_share_the_mean_number_of_masks(tmp_path):
    """One with 6 masks and one with 2 both divide by 4."""
    targets = [random_labels((4, 2)), random_labels((1, 1))]
    predictions = [random_predictions(1, 2, 7) for _ in range(2)]
    arguments = (tmp_path / "rendezvous", tmp_path, predictions, targets)
    mp.start_processes(_loss_in_a_process, arguments, nprocs=2, start_method="fork")
    for rank, own in enumerate((6, 2)):
        alone = SetLoss(num_points=100)(
            predictions[rank], *targets[rank], torch.Generator().manual_seed(0)
        )
        _, mask, dice, classes = torch.load(tmp_path / str(rank))
        assert [mask, dice] == pytest.approx(
            [alone.mask.item() * own / 4, alone.dice.item() * own / 4], rel=1e-5
        )
        assert classes == pytest.approx(alone.classes.item(), rel=1e-5)
