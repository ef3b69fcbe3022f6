"""`dsflash bench relations`, and DSFormer's stage against a plain loop over its pairs."""

import json

import pytest
import torch
import torch.nn.functional as F

from dsflash_ros import cli
from dsflash_ros.bench.dsformer import CHANNELS, GRID, SIDE, STRIDE, DSFormerStage
from dsflash_ros.bench.floor import flops_of
from dsflash_ros.bench.relations import BASELINE, SHARES, make_scene, measure
from dsflash_ros.errors import DeviceError


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    return DSFormerStage(num_classes=5, num_predicates=4, dim=32).eval()


def plain(stage, scene, subject, object_):
    """Logits of a directed pair, written from the description, with single-headed loops."""
    window, shares = SIDE // GRID, []
    for mask in (scene.masks[subject], scene.masks[object_]):
        cells = [
            mask[y : y + window, x : x + window].float().mean()
            for y in range(0, SIDE, window)
            for x in range(0, SIDE, window)
        ]
        shares.append(torch.stack(cells))
    shares.append((1 - shares[0] - shares[1]).clamp(min=0))
    embedding = stage.mask_embedding
    names = (embedding.token_a, embedding.token_b, embedding.token_background)
    patches = stage.patch_embed(scene.features)[0].flatten(1).T
    patches = patches + sum(
        share[:, None] * token / token.norm() for share, token in zip(shares, names, strict=True)
    )
    both = torch.cat((scene.boxes[subject], scene.boxes[object_]))
    classes = scene.class_ids[subject] * stage.num_classes + scene.class_ids[object_]
    x = torch.stack((stage.class_token, stage.semantics.weight[classes], stage.location(both)))
    x = torch.cat((x, patches))
    for block in stage.blocks:
        x = torch.cat((x[:3], x[3:] + stage.positions[0]))
        mixed = []
        for part in block.qkv(block.norm1(x)).view(len(x), 3, 8, -1).unbind(2):
            query, key, value = part.unbind(1)
            mixed.append((query @ key.T / query.shape[1] ** 0.5).softmax(1) @ value)
        x = x + block.proj(torch.cat(mixed, 1))
        x = x + block.mlp[2](F.gelu(block.mlp[0](block.norm2(x))))
    return stage.head(x[0])


@torch.inference_mode()
def test_dsformer_is_what_its_description_says(theirs):
    scene = make_scene(CHANNELS, STRIDE, SIDE, segments=4)
    scene = scene._replace(class_ids=torch.tensor([3, 0, 4, 0]))
    logits = theirs(*scene, pairs_at_once=5)
    assert logits.shape == (4, 4, 5) and not logits.diagonal().any()
    for subject, object_ in ((0, 1), (1, 0), (3, 2)):
        expected = plain(theirs, scene, subject, object_)
        torch.testing.assert_close(logits[subject, object_], expected, atol=2e-5, rtol=1e-4)
    assert (logits[0, 1] - logits[1, 0]).abs().max() > 1e-4


def test_operations_are_those_of_all_tokens(theirs):
    tokens, dim, pairs = GRID**2 + 3, 32, 12
    layers = 12 * dim * dim * tokens + 2 * tokens * tokens * dim
    head = dim * 2 * dim + 2 * dim * 5 + 8 * dim // 2 + dim // 2 * dim
    patches = GRID**2 * CHANNELS * 64 * dim
    scene = make_scene(CHANNELS, STRIDE, SIDE, segments=4)
    shares = 2 * 3 * dim * GRID**2 * pairs // 2
    expected = 2 * (pairs * (6 * layers + head) + patches + shares)
    assert flops_of(theirs, *scene, pairs_at_once=5) == pytest.approx(expected, rel=1e-3)


def test_a_scene_is_the_same_at_each_size():
    small, large = make_scene(8, 16, 128), make_scene(8, 16, 512)
    assert torch.equal(small.boxes, large.boxes)
    share = large.masks.float().mean((1, 2))
    torch.testing.assert_close(share, small.masks.float().mean((1, 2)), atol=0.02, rtol=0)
    assert SHARES[0] - 0.01 < share.min() < share.max() < SHARES[1] + 0.01
    size = (large.boxes[:, 2:] - large.boxes[:, :2]) / 2
    torch.testing.assert_close(size.prod(1), share, atol=0.01, rtol=0)


@pytest.mark.slow
def test_stages_side_by_side(tmp_path, capsys):
    out = tmp_path / "bench.json"
    command = ["bench", "relations", "--compare", "toyroom", "toyroom-neck", "--repeat", "1"]
    options = ["--device", "cpu", "--precision", "float32", "--json", str(out)]
    assert cli.main([*command, *options]) == 0
    rows = json.loads(out.read_text())["rows"]
    stages = [(row["weights"], row["stage"]) for row in rows]
    assert stages[:2] == [("random", BASELINE), ("toyroom", "objects")]
    assert stages[2:] == [("toyroom-neck", "dsflash"), ("toyroom-neck", "dsflash, pruned")]
    operations = [row["GFLOP"] for row in rows]
    assert operations[0] > operations[2] > operations[3] > operations[1] > 0
    assert all(row["median ms"] > row["floor ms"] > 0 for row in rows)
    assert rows[0]["DSFormer / it"] == 1 < min(row["DSFormer / it"] for row in rows[1:])
    assert "all pairs of 10 segments" in capsys.readouterr().out


def test_what_it_refuses(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "relations", "photo.jpg"])
    assert "relations makes its own images and takes no source" in capsys.readouterr().err

    class Exported:
        class backend:
            name = "openvino"

    with pytest.raises(DeviceError, match="not with openvino: give a checkpoint"):
        measure([Exported], 1)
