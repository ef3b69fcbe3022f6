"""SPADE's relation graph transformer, one token and one edge after the other, in float64."""

import math

import torch
import torch.nn.functional as F

from dsflash_ros.model.relaters.rgt import PARTS

DIM, HEADS = 24, 3
EXACT = {"rtol": 1e-9, "atol": 1e-11}
ALL_PARTS = [(), ("neighbours",), ("others",), ("neighbours", "others"), ("gcn",), PARTS]


def random_graph(batch=3, places=7, share=0.4, seed=0):
    """Tokens, and neighbours and others, (B, 2, N, N), of random graphs.

    Segment 0 of the first image has no neighbours, segment 1 of the second nothing else.
    """
    random = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, places, DIM, generator=random, dtype=torch.float64)
    upper = (torch.rand(batch, places, places, generator=random) < share).triu(1)
    near = upper | upper.transpose(1, 2)
    near[0, 0], near[0, :, 0] = False, False
    near[1, 1], near[1, :, 1] = True, True
    eye = torch.eye(places, dtype=torch.bool)
    return tokens, torch.stack((near & ~eye, ~near & ~eye), dim=1)


def plain_attention(query, key, value, members, heads):
    """What each of the tokens gathers from its set, one head and one token after the other."""
    size = query.shape[1] // heads
    found = torch.zeros_like(query)
    for token in range(len(query)):
        mine = [other for other in range(len(query)) if members[token, other]]
        for head in range(heads):
            s = slice(head * size, (head + 1) * size)
            products = [float(query[token, s] @ key[i, s]) / math.sqrt(size) for i in mine]
            weights = [math.exp(p) for p in products]
            for weight, other in zip(weights, mine, strict=True):
                found[token, s] += weight / sum(weights) * value[other, s]
    return found


def plain_convolution(x, near, weight, bias):
    """Kipf and Welling's Eq. 2, edge by edge, before the nonlinearity."""
    count = len(x)
    linked = [[i == j or bool(near[i, j]) for j in range(count)] for i in range(count)]
    degrees = [sum(row) for row in linked]
    rows = []
    for i in range(count):
        total = torch.zeros_like(x[0])
        for j in range(count):
            if linked[i][j]:
                total = total + x[j] / math.sqrt(degrees[i] * degrees[j])
        rows.append(total @ weight.T + bias)
    return torch.stack(rows)


def plain_block(block, x, members):
    """Eqs. 8 to 12 of one image, as `GraphBlock` has them."""
    gathered = []
    if block.sets:
        normed = block.norm1(x)
        q, k, v = (normed @ block.attention.qkv.weight.T).chunk(3, dim=1)
        for number, members_of in enumerate(block.sets):
            s = slice(number * DIM, (number + 1) * DIM)
            mixed = plain_attention(q[:, s], k[:, s], v[:, s], members[members_of], HEADS)
            gathered.append(mixed @ block.attention.projections[number].weight.T)
        x = x + sum(gathered)
    x = x + block.mlp(torch.cat((block.norm2(x), *gathered), dim=1))
    if block.convolution is not None:
        w, b = block.convolution.weight, block.convolution.bias
        x = x + F.gelu(plain_convolution(block.norm3(x), members[0], w, b))
    return x
