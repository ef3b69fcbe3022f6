import json

import pytest
import torch
import torch.nn.functional as F
from pair_inputs import pair_inputs
from torch import nn

from dsflash_ros.conversion.dsformer import convert_dsformer
from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, load_checkpoint, save_checkpoint
from dsflash_ros.model.config import ModelConfig

DIM, GRID = 64, 4
CONFIG = ModelConfig(
    "tiny", image_size=48 * GRID, num_queries=5, neck_dim=DIM, neck_depth=2, neck_heads=8
)


class DSFormer(nn.Module):
    """DSFormer after its backbone, written from its paper and its names, with nothing of ours."""

    def __init__(self, dim=DIM, depth=2, outputs=57):
        super().__init__()
        self.extractor = nn.Linear(2, 2)
        self.patch_embed = nn.Conv2d(8, dim, 3, 3)
        self.transformer_blocks = nn.ModuleList(_block(dim) for _ in range(depth))
        self.final_layers = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, outputs)
        )
        self.final_node = nn.Linear(dim, 2 * 133)
        self.pos_encoding = nn.Parameter(_sines(dim), requires_grad=False)
        self.sbjobj_encoder = nn.ParameterDict(
            {name: torch.rand(dim) for name in ("sbj_token", "obj_token", "background_token")}
        )
        self.coord_embed = nn.Module()
        self.coord_embed.coord_embed = nn.Sequential(
            nn.Linear(8, dim // 2), nn.ReLU(), nn.Linear(dim // 2, dim)
        )
        self.classification_token = nn.Parameter(torch.rand(dim))
        for parameter in self.parameters():
            if parameter.ndim == 1:
                nn.init.normal_(parameter, 0.5)
            elif parameter.requires_grad:
                parameter.data.mul_(3)  # so that attention is not the mean of all tokens

    @torch.inference_mode()
    def forward(self, patches, subject, object_, boxes):
        """Class token and logits of one directed pair.

        `patches` is (P, dim), `subject` and `object_` the shares of both masks (P,), `boxes` (8,).
        """
        tokens = {name: F.normalize(token, dim=0) for name, token in self.sbjobj_encoder.items()}
        rest = torch.clamp(1 - subject - object_, min=0)
        x = patches + sum(
            share[:, None] * tokens[f"{name}_token"]
            for share, name in ((subject, "sbj"), (object_, "obj"), (rest, "background"))
        )
        x = torch.cat(
            (self.classification_token[None], self.coord_embed.coord_embed(boxes)[None], x)
        )
        for block in self.transformer_blocks:
            x = torch.cat((x[:2], x[2:] + self.pos_encoding[0]))
            q, k, v = block.attn.qkv(block.norm1(x)).view(len(x), 3, 8, -1).permute(1, 2, 0, 3)
            weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1)
            x = x + block.attn.proj((weights @ v).transpose(0, 1).flatten(1))
            x = x + block.mlp.fc2(F.gelu(block.mlp.fc1(block.norm2(x))))
        return x[0], self.final_layers(x[0])


def _block(dim):
    block = nn.Module()
    block.norm1, block.norm2, block.attn, block.mlp = (
        nn.LayerNorm(dim),
        nn.LayerNorm(dim),
        nn.Module(),
        nn.Module(),
    )
    block.attn.qkv, block.attn.proj = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)
    block.mlp.fc1, block.mlp.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
    return block


def _sines(dim):
    """Number by number: half of the channels tell the row, half the column."""
    out = torch.zeros(1, GRID * GRID, dim)
    for row in range(GRID):
        for column in range(GRID):
            for half, place in enumerate((row, column)):
                for channel in range(dim // 2):
                    angle = torch.tensor((place + 1) / (GRID + 1e-6) * 2 * torch.pi)
                    angle = angle / 10000 ** (2 * (channel // 2) / (dim // 2))
                    value = angle.cos() if channel % 2 else angle.sin()
                    out[0, row * GRID + column, half * dim // 2 + channel] = value
    return out


@pytest.fixture(scope="module")
def into(tmp_path_factory):
    path = tmp_path_factory.mktemp("into") / "ours.safetensors"
    save_checkpoint(path, DSFlash(CONFIG), Header(CONFIG, Vocabulary.psg(), recipe={"epochs": 3}))
    return path


def saved(path, model):
    torch.save(
        {"epoch": 1, "model": model.state_dict(), "optim": {"state": {}}, "metric": 0.2}, path
    )
    return path


def test_class_token_and_logits_are_dsformers(tmp_path, into):
    theirs = DSFormer().eval()
    conversion = convert_dsformer(saved(tmp_path / "last_state.pth", theirs), into)
    save_checkpoint(tmp_path / "new.safetensors", conversion.model, conversion.header)
    ours = load_checkpoint(tmp_path / "new.safetensors")[0].relations
    patches, coverage = torch.randn(1, GRID * GRID, DIM), torch.rand(3, GRID * GRID)
    boxes, pairs = torch.rand(3, 4) * 2 - 1, torch.tensor([[0, 1], [1, 0], [2, 1]])
    with torch.inference_mode():
        images = torch.zeros(3, dtype=torch.long)
        tokens = ours.encode(pair_inputs(patches, coverage, boxes, images, pairs))
        logits = ours.head(tokens)  # without the gate, which DSFormer has not
    for (a, b), token, row in zip(pairs.tolist(), tokens, logits, strict=True):
        expected_token, expected = theirs(
            patches[0], coverage[a], coverage[b], torch.cat((boxes[a], boxes[b]))
        )
        assert (token - expected_token).abs().max() < 1e-4
        assert (row - expected).abs().max() < 1e-4
    assert (logits[0] - logits[1]).abs().max() > 1e-2, "who is the subject must matter"


def test_what_is_taken_and_what_stays(tmp_path, into):
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": {"bg_ratio_strategy": "onoff"}})
    )
    conversion = convert_dsformer(saved(tmp_path / "last_state.pth", DSFormer()), into)
    before, after = load_checkpoint(into)[0].state_dict(), conversion.model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    kept = ("segmenter.", "relations.gate.", "relations.patch_embed.")
    assert same == {name for name in before if name.startswith(kept)}
    assert conversion.header.trained == ("segmenter",)
    assert (
        conversion.header.recipe["epochs"] == 3
        and conversion.header.recipe["relations"]["taken"] == 34
    )
    summary = "\n".join(conversion.summary)
    for name in ("extractor", "patch_embed", "pos_encoding", "final_node"):
        assert f"no counterpart: {name} (" in summary
    assert "unknown" not in summary
    assert "untouched: patch_embed, gate" in summary
    assert "covered wholly or not at all" in summary


def test_without_location_and_with_other_predicates(tmp_path, into):
    theirs = DSFormer(outputs=51)
    del theirs.coord_embed
    theirs.freq_bias = nn.Embedding(4, DIM)
    conversion = convert_dsformer(saved(tmp_path / "last_state.pth", theirs), into)
    summary = "\n".join(conversion.summary)
    assert "not taken: final_layers.2.weight is (51, 128), here (57, 128)" in summary
    assert "no counterpart: freq_bias (a token of both classes" in summary
    assert "untouched: patch_embed, location, gate, head" in summary


def test_a_neck_of_another_width_or_no_dsformer(tmp_path, into):
    with pytest.raises(
        WeightsError, match=r"no block of .* fits a neck of width 64: classification_token is"
    ):
        convert_dsformer(saved(tmp_path / "wide.pth", DSFormer(dim=96)), into)
    torch.save({"lstm": torch.zeros(2)}, tmp_path / "lstm.pth")
    with pytest.raises(WeightsError, match="is no DSFormer"):
        convert_dsformer(tmp_path / "lstm.pth", into)
    broken = DSFormer()
    nn.init.constant_(broken.final_layers[0].bias, torch.inf)
    with pytest.raises(WeightsError, match="not finite"):
        convert_dsformer(saved(tmp_path / "inf.pth", broken), into)
    with pytest.raises(
        WeightsError, match=r"is not a dsflash_ros checkpoint|not a readable safetensors"
    ):
        convert_dsformer(
            saved(tmp_path / "last_state.pth", DSFormer()), tmp_path / "last_state.pth"
        )


def test_half_a_block_is_not_taken(tmp_path, into):
    theirs = DSFormer()
    del theirs.transformer_blocks[1].mlp.fc1
    conversion = convert_dsformer(saved(tmp_path / "last_state.pth", theirs), into)
    before, after = load_checkpoint(into)[0].relations.blocks, conversion.model.relations.blocks
    assert torch.equal(before[1].qkv.weight, after[1].qkv.weight)
    assert torch.equal(after[0].qkv.weight, theirs.transformer_blocks[0].attn.qkv.weight)
