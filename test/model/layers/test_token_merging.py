import pytest
import torch

from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.layers.token_merging import match_tokens
from dsflash_ros.model.segmenters.eomt import make_eomt


def merge_and_unmerge_with_loops(tokens: torch.Tensor, grid: int, ratio: float) -> torch.Tensor:
    """One image, (N, C) float64: bipartite soft matching as ToMe describes it, token by token."""
    even = grid // 2 * 2
    destinations = [y * grid + x for y in range(0, even, 2) for x in range(0, even, 2)]
    sources = [i for i in range(grid * grid) if i not in set(destinations)]

    def cosine(i, j):
        return float(tokens[i] @ tokens[j] / tokens[i].norm() / tokens[j].norm())

    partner = {i: max(destinations, key=lambda j, i=i: cosine(i, j)) for i in sources}
    ranked = sorted(sources, key=lambda i: -cosine(i, partner[i]))
    merged = ranked[: min(int(ratio * grid * grid), len(sources))]
    result = tokens.clone()
    for j in destinations:
        group = [j] + [i for i in merged if partner[i] == j]
        result[group] = tokens[group].mean(0)
    return result


@pytest.mark.parametrize(("grid", "ratio"), [(4, 0.3), (7, 0.5), (8, 0.05), (6, 0.7), (5, 0.75)])
def test_agrees_with_a_loop(grid, ratio):
    tokens = torch.randn(2, grid * grid, 8, dtype=torch.float64)
    merging = match_tokens(tokens, grid, ratio)
    found = merging.unmerge(merging.merge(tokens))
    for image, result in zip(tokens, found, strict=True):
        torch.testing.assert_close(
            result, merge_and_unmerge_with_loops(image, grid, ratio), atol=1e-12, rtol=0
        )


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.6])
def test_agrees_with_tomesd(ratio):
    merge_module = pytest.importorskip("tomesd.merge")
    tokens = torch.randn(3, 64, 16)
    merge, unmerge = merge_module.bipartite_soft_matching_random2d(
        tokens, 8, 8, 2, 2, int(64 * ratio), no_rand=True
    )
    merging = match_tokens(tokens, 8, ratio)
    assert merging.merge(tokens).shape == merge(tokens).shape
    torch.testing.assert_close(merging.unmerge(merging.merge(tokens)), unmerge(merge(tokens)))


def test_ratio_zero_merges_nothing():
    tokens = torch.randn(1, 36, 4)
    merging = match_tokens(tokens, 6, 0.0)
    assert torch.equal(merging.merge(tokens), tokens)


@pytest.mark.parametrize(
    ("size", "backbone"), [("tiny", "plain"), ("small", "dinov2"), ("small", "dinov3")]
)
def test_model_runs_with_merging_and_ratio_zero_is_none(size, backbone):
    model = make_eomt(ModelConfig(size, backbone, 128)).eval()
    images = torch.rand(2, 3, 128, 128)
    with torch.inference_mode():
        plain, zero, merged = model(images), model(images, 0.0), model(images, 0.4)
    for a, b, c in zip(plain, zero, merged, strict=True):
        assert torch.equal(a, b)
        assert a.shape == c.shape
        assert torch.isfinite(c).all()
        assert not torch.allclose(a, c)


@pytest.mark.parametrize(("size", "backbone"), [("tiny", "plain"), ("small", "dinov3")])
def test_queries_and_prefix_tokens_stay_out_of_merging(size, backbone):
    """Attention sees half of the patches, and all other tokens as they were."""
    model = make_eomt(ModelConfig(size, backbone, 128)).eval().double()
    others = 7
    tokens = torch.randn(1, others + 64, model.q.embedding_dim, dtype=torch.float64)
    tokens[:, others:] = tokens[:, others : others + 1]
    seen = []
    attention = model.backbone._attention
    model.backbone._attention = lambda attn, x, *rest: seen.append(x) or attention(attn, x, *rest)
    with torch.inference_mode():
        plain = model.backbone.run_block(0, tokens, None)
        merged = model.backbone.run_block(0, tokens, None, 0.5)
    assert [x.shape[1] for x in seen] == [71, 71 - 32]
    torch.testing.assert_close(seen[0][:, :others], seen[1][:, :others])
    assert merged.shape == plain.shape


def test_merged_rotary_attention_agrees_with_the_plain_way():
    """DINOv3: patches merge, stand at the circular mean of their positions, and get their group's
    update.
    """
    torch.manual_seed(0)
    backbone = make_eomt(ModelConfig("small", "dinov3", 128)).eval().double().backbone
    block, others, merging_ratio = backbone.vit.blocks[0], 7, 0.5
    for parameter, low, high in (
        (block.gamma_1, 0.5, 1),
        (block.gamma_2, 0.5, 1),
        (block.norm1.weight, 0.2, 3),
    ):
        parameter.data.uniform_(low, high)  # as initialised, layer scale would hide the attention
    block.attn.qkv.weight.data.mul_(8)
    for bias in (block.attn.q_bias, block.attn.v_bias):
        bias.data.normal_()
    tokens = torch.randn(1, others + 64, 384, dtype=torch.float64)
    tokens[:, others:] += 2 * torch.randn(1, 64, 1, dtype=torch.float64)
    with torch.inference_mode():
        rope = backbone.embed(torch.rand(1, 3, 128, 128, dtype=torch.float64))[1].double()
        found = backbone.run_block(0, tokens, rope, merging_ratio)
        slots = match_tokens(tokens[:, others:], 8, merging_ratio).slot[0].tolist()
        expected = plain_merged_block(block, tokens[0], rope, slots, others)
    torch.testing.assert_close(found[0], expected, atol=1e-6, rtol=0)


def plain_merged_block(block, tokens, rope, slots, others):
    """One image through a block, group by group and head by head."""
    groups = [[i for i, s in enumerate(slots) if s == slot] for slot in range(max(slots) + 1)]
    normed = block.norm1(tokens)
    merged = torch.stack([*normed[:others], *(normed[others:][group].mean(0) for group in groups)])
    bias = torch.cat((block.attn.q_bias, torch.zeros_like(block.attn.q_bias), block.attn.v_bias))
    query, key, value = (merged @ block.attn.qkv.weight.T + bias).chunk(3, 1)

    def turned(rows, head):
        parts = [*rows[:others, head]]
        for row, group in zip(rows[others:, head], groups, strict=True):
            angle = torch.atan2(rope[group, :64].sum(0), rope[group, 64:].sum(0))
            parts.append(row * angle.cos() + torch.cat((-row[32:], row[:32])) * angle.sin())
        return torch.stack(parts)

    heads = [slice(64 * h, 64 * h + 64) for h in range(6)]
    attended = [(turned(query, h) @ turned(key, h).T / 8).softmax(1) @ value[:, h] for h in heads]
    update = block.attn.proj(torch.cat(attended, 1))
    tokens = tokens + block.gamma_1 * torch.cat((update[:others], update[others:][slots]))
    return tokens + block.gamma_2 * block.mlp(block.norm2(tokens))
