import json
import string
import sys

import class_pairs
import compared_stages
import numpy as np
import pytest
import relation_stages

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, write_shapes
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.random_weights import random_model

CONFIG = ModelConfig.for_vocabulary(
    VOCABULARY,
    size="tiny",
    image_size=96,
    num_queries=20,
    neck_dim=16,
    neck_depth=1,
    neck_heads=2,
)


GIVEN = ["dataset=d", "segmenter=s", "out=o", "augmentation=none"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    write_shapes(folder / "data", 8, seed=8, height=72, width=96, test_share=0.5)
    header = Header(CONFIG, VOCABULARY, trained=("segmenter",))
    save_checkpoint(folder / "segmenter.safetensors", random_model(header), header)
    return folder


def run(monkeypatch, folder, *arguments):
    given = [str(folder / "data"), "--test", str(folder / "data"), "--seeds", "1"]
    given += ["--segmenter", str(folder / "segmenter.safetensors"), "--out", str(folder / "runs")]
    quick = ["epochs=1", "workers=0", "device=cpu", "precision=float32"]
    monkeypatch.setattr(sys, "argv", ["relation_stages", *given, *arguments, "--set", *quick])
    return relation_stages.main()


def test_stages_are_trained_once_and_compared(monkeypatch, folder, capsys):
    names = ["--only", "boxes", "objects", "rgt: + pair loss", "paper's neck"]
    assert run(monkeypatch, folder, *names, "--json", str(folder / "a.json")) == 0
    written = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/last.safetensors")}
    assert len(written) == 4
    assert run(monkeypatch, folder, *names, "--json", str(folder / "b.json")) == 0
    assert all(path.stat().st_mtime_ns == before for path, before in written.items())
    first, again = (json.loads((folder / f"{n}.json").read_text())["rows"] for n in "ab")
    assert [row["stage"] for row in first] == names[1:]
    for one, other in zip(first, again, strict=True):
        assert one["predcls mR@50"] == other["predcls mR@50"]
        assert one["ms at 50"] > 0 and one["ms at 10"] > 0
    assert first[0]["parameters"] < first[1]["parameters"]
    assert "relation stages on 4 images" in capsys.readouterr().out


def test_times_need_no_training(monkeypatch, folder, capsys):
    assert run(monkeypatch, folder, "--only", "rgt: none", "rgt: + gcn", "--times") == 0
    _, *rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows] == ["rgt: none", "rgt: + gcn"]
    assert not any(folder.glob("runs/rgt-*"))


def test_steps_of_the_graph_transformer():
    """Each has the parts of the one before, and one more."""
    names = list(compared_stages.GRAPHS)
    found = [compared_stages.configured(name, GIVEN, []).relater_settings for name in names]
    parts = [settings["parts"] for settings in found]
    assert parts == [[], *(["neighbours", "others", "gcn"][:n] for n in (1, 2, 3, 3))]
    assert [settings["pair_loss"] for settings in found] == [0, 0, 0, 0, 0.6]
    slugs = [compared_stages.slug(name) for name in compared_stages.STAGES]
    assert len(set(slugs)) == len(slugs)
    assert all(set(slug) <= set(string.ascii_lowercase + "_-+'") for slug in slugs)


def test_near_and_distant_relations_are_counted_apart(folder):
    """A stage that answers at random finds all relations within 1,000; each is near or distant."""
    record = PsgDataset.open(folder / "data", "test")[0]
    apart = class_pairs.are_distant(record, record.labels())
    labels = record.labels()
    for s, o, _ in record.relations.tolist():
        centres = [
            np.array([(x.min() + x.max() + 1) / 2, (y.min() + y.max() + 1) / 2])
            for y, x in ((labels == s).nonzero(), (labels == o).nonzero())
        ]
        expected = np.hypot(*(centres[0] - centres[1])) / record.width
        assert apart[s, o] == (expected > 1 / 3)


def test_what_cannot_be(monkeypatch, folder, capsys):
    assert run(monkeypatch, folder, "--only", "boxes", "--test", str(folder / "nowhere")) == 1
    assert capsys.readouterr().err.startswith("relation_stages: ")
