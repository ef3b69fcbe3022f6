import json
import sys
from dataclasses import replace

import kept_pairs
import pytest
import torch
import torch.nn.functional as F

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model

SETTINGS = {"dim": 24, "depth": 1, "heads": 2, "pair_dim": 16}
CONFIG = ModelConfig.for_vocabulary(
    VOCABULARY, size="tiny", image_size=96, relater="rgt", relater_settings=SETTINGS
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    write_shapes(folder / "data", 6, seed=8, height=72, width=96, test_share=0.5)
    for name, pair_loss in (("with", 0.6), ("without", 0)):
        config = replace(CONFIG, relater_settings={**SETTINGS, "pair_loss": pair_loss})
        header = Header(config, VOCABULARY)
        save_checkpoint(folder / f"{name}.safetensors", random_model(header), header)
    return folder


def test_all_pairs_of_all_images_are_looked_at(folder):
    records = list(PsgDataset.open(folder / "data", "test"))
    model = random_model(Header(CONFIG, VOCABULARY)).eval()
    nodes = []
    model.relations.norm.register_forward_hook(lambda _, given, result: nodes.append(result))
    cosines, related, touching = kept_pairs.cosines_of(model, records)
    found = {}
    for image, (record, own) in enumerate(zip(records, nodes, strict=True)):
        count = len(record.class_ids)
        for a in range(count):
            for b in range(a + 1, count):
                cosine = float(F.cosine_similarity(own[a], own[b], dim=0))
                is_related = any({s, o} == {a, b} for s, o, _ in record.relations.tolist())
                found[image, a, b] = cosine, is_related
    expected = sorted(found.values())
    told = sorted(zip(cosines.tolist(), related.tolist(), strict=True))
    assert len(told) == len(expected) == len(touching)
    for (cosine, is_related), (own_cosine, own_related) in zip(told, expected, strict=True):
        assert cosine == pytest.approx(own_cosine, abs=1e-5) and is_related == own_related


def test_shares():
    cosines = torch.tensor([0.9, 0.5, 0.05, -0.2])
    related = torch.tensor([True, False, True, False])
    rows = kept_pairs.rows_of(cosines, related, torch.tensor([True, True, True, False]))
    found = {row["kept"]: (row["of all pairs"], row["of related pairs"]) for row in rows}
    assert found["cosine > -1"] == (1, 1) and found["cosine > 0"] == (0.75, 1)
    assert found["cosine > 0.65"] == (0.25, 0.5) and found["touching"] == (0.75, 1)


def test_the_command(monkeypatch, folder, capsys):
    def run(weights):
        given = [str(folder / f"{weights}.safetensors"), str(folder / "data")]
        given += ["--json", str(folder / "a.json")]
        monkeypatch.setattr(sys, "argv", ["kept_pairs", *given])
        return kept_pairs.main()

    assert run("with") == 0
    rows = json.loads((folder / "a.json").read_text())["rows"]
    assert rows[0]["of all pairs"] == rows[0]["of related pairs"] == 1
    assert "pairs kept on 3 images" in capsys.readouterr().out
    assert run("without") == 1
    assert "were trained without a pair_loss" in capsys.readouterr().err
