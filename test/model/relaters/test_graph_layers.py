"""The layers of `rgt` against loops; all in float64 unless a test says otherwise."""

import math

import pytest
import torch
from graph_loops import (
    ALL_PARTS,
    DIM,
    EXACT,
    HEADS,
    plain_attention,
    plain_block,
    plain_convolution,
    random_graph,
)

from dsflash_ros.model.relaters.graph_layers import (
    GraphBlock,
    SetAttention,
    neighbours_and_others,
    normalised,
)


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
def test_attention_to_both_sets_is_what_loops_compute(seed):
    torch.manual_seed(seed)
    layer = SetAttention(DIM, HEADS, 2).double()
    x, members = random_graph(seed=seed)
    found = layer(x, members)
    for image in range(len(x)):
        q, k, v = (x[image] @ layer.qkv.weight.T).chunk(3, dim=1)
        for number in range(2):
            s = slice(number * DIM, (number + 1) * DIM)
            mixed = plain_attention(q[:, s], k[:, s], v[:, s], members[image, number], HEADS)
            expected = mixed @ layer.projections[number].weight.T
            torch.testing.assert_close(found[number][image], expected, **EXACT)
    assert (found[0][0, 0] == 0).all() and (found[1][1, 1] == 0).all()  # their sets are empty


@pytest.mark.parametrize("seed", range(3))
def test_the_graph_convolution_is_what_loops_compute(seed):
    x, members = random_graph(seed=seed)
    near = members[:, 0]
    weight, bias = torch.randn(DIM, DIM).double(), torch.randn(DIM).double()
    graph = normalised(near)
    assert graph.dtype == torch.float32
    for image in range(len(x)):
        expected = plain_convolution(x[image], near[image], weight, bias)
        found = graph[image].double() @ x[image] @ weight.T + bias
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # of float32


@torch.no_grad()
@pytest.mark.parametrize("parts", ALL_PARTS, ids=str)
def test_a_block_is_what_loops_compute(parts):
    torch.manual_seed(1)
    block = GraphBlock(DIM, HEADS, parts).double()
    x, members = random_graph(seed=4)
    found = block(x, members, normalised(members[:, 0]))
    for image in range(len(x)):
        expected = plain_block(block, x[image], members[image])
        tolerance = {"rtol": 1e-5, "atol": 1e-6} if "gcn" in parts else EXACT
        torch.testing.assert_close(found[image], expected, **tolerance)


def test_the_printed_attention_does_not_see_the_neighbours():
    """Eqs. 8 and 9: the softmax of a single number, whatever W_K, W_Q and the neighbours are."""
    x, members = random_graph()
    w_q, w_k, w_v = torch.randn(3, DIM, DIM, dtype=torch.float64)
    for neighbours in (members[0, 0], members[0, 1], ~members[0, 0]):
        for r, mine in enumerate(neighbours):
            if not mine.any():
                continue
            mean = x[0, mine].mean(0)  # phi[P(r)]
            product = (w_k @ mean) @ (w_q @ x[0, r]) / math.sqrt(int(mine.sum()))
            printed = product.reshape(1).softmax(0) * (w_v @ x[0, r])
            assert torch.equal(printed, w_v @ x[0, r])


def test_neighbours_touch_or_are_alike():
    random = torch.Generator().manual_seed(3)
    features = torch.randn(2, 6, 5, generator=random, dtype=torch.float64)
    overlaps = torch.rand(2, 6, 6, generator=random).double() * (torch.rand(2, 6, 6) > 0.7)
    overlaps = overlaps + overlaps.transpose(1, 2)
    taken = torch.tensor([[True] * 6, [True, True, True, True, False, False]])
    near, far = neighbours_and_others(features, overlaps, 0.3, taken)
    counted = {True: 0, False: 0}
    for image in range(2):
        for i in range(6):
            for j in range(6):
                a, b = (features[image, n] - features[image, n].mean() for n in (i, j))
                alike = float(a @ b) / float(a.norm() * b.norm()) > 0.3
                is_near = alike or bool(overlaps[image, i, j] > 0)
                counts = i != j and bool(taken[image, i] and taken[image, j])
                assert bool(near[image, i, j]) == (counts and is_near)
                assert bool(far[image, i, j]) == (counts and not is_near)
                counted[is_near] += counts
    assert min(counted.values()) > 5
