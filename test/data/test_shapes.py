import hashlib
from collections import Counter

import numpy as np
import pytest

from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY, make_scene, write_shapes
from dsflash_ros.data.shapes.__main__ import main

SCENES = [make_scene(np.random.default_rng((7, number)), 120, 160) for number in range(25)]


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        (path.relative_to(folder), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files
    ]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for folder, count, seed in (("a", 4, 1), ("b", 4, 1), ("c", 4, 2), ("longer", 6, 1)):
        write_shapes(tmp_path / folder, count, seed, height=60, width=80)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert not set(digest(tmp_path / "a")) & set(digest(tmp_path / "c"))
    images = [file for file in digest(tmp_path / "a") if file[0].name != "psg.json"]
    assert len(images) == 8 and set(images) <= set(digest(tmp_path / "longer"))


def test_the_command_writes_splits(tmp_path, capsys):
    options = ["--count", "10", "--test-share", "0.3", "--height", "60", "--width", "80"]
    assert main([str(tmp_path), *options]) == 0
    sizes = {split: len(PsgDataset.open(tmp_path, split)) for split in ("train", "test", None)}
    assert sizes == {"train": 7, "test": 3, None: 10}
    assert PsgDataset.open(tmp_path)[0].image().shape == (60, 80, 3)
    assert capsys.readouterr().out == PsgDataset.open(tmp_path).report() + "\n"
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_the_command_keeps_a_data_set_that_is_there(tmp_path, capsys):
    size = ["--count", "1", "--height", "32", "--width", "32"]
    (tmp_path / "psg.json").write_text("precious")
    assert main([str(tmp_path), *size]) == 1
    assert "holds a data set already; give --overwrite" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["psg.json"]
    assert (tmp_path / "psg.json").read_text() == "precious"
    assert main([str(tmp_path), *size, "--overwrite"]) == 0
    assert ": 1 image, " in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--seed", "-1"),
        ("--seed", "x"),
        ("--test-share", "nan"),
        ("--test-share", "3"),
        ("--test-share", "x"),
    ],
)
def test_wrong_usage(tmp_path, wrong, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main([str(tmp_path), "--count", "1", "=".join(wrong)])
    assert (
        exit_info.value.code == 2
        and f"argument {wrong[0]}: {wrong[1]!r} is no " in capsys.readouterr().err
    )


def test_scenes_are_annotated_wholly():
    for scene in SCENES:
        assert set(np.unique(scene.labels)) == set(range(len(scene.class_ids)))
        things = scene.class_ids < len(VOCABULARY.things)
        assert 3 <= things.sum() <= 8 and (np.diff(things.astype(int)) <= 0).all()
        pairs = [tuple(relation[:2]) for relation in scene.relations.tolist()]
        assert len(pairs) == len(set(pairs)) and all(subject != object for subject, object in pairs)


def test_every_predicate_occurs_and_not_every_pair_is_related():
    counts = Counter(predicate for scene in SCENES for *_, predicate in scene.relations.tolist())
    assert sorted(counts) == list(range(len(VOCABULARY.predicates)))
    assert max(counts.values()) > 3 * min(counts.values())
    pairs = sum(len(scene.class_ids) * (len(scene.class_ids) - 1) for scene in SCENES)
    assert 0.1 < counts.total() / pairs < 0.6


def holds(predicate, a, b, shape=(120, 160)):
    """Whether the predicate is true of two segments; `a`, `b`: (N, 2), y and x of their pixels."""
    gaps = [max(a[:, i].min() - b[:, i].max(), b[:, i].min() - a[:, i].max()) - 1 for i in (0, 1)]
    close = max(gaps) < 0.1 * max(shape)
    if predicate == "inside":
        spans = [range(b[:, axis].min(), b[:, axis].max() + 1) for axis in (0, 1)]
        return all(set(a[:, axis]) <= set(spans[axis]) for axis in (0, 1))
    if predicate == "in front of":
        return np.abs(a[:, None] - b).sum(-1).min() <= 3
    if predicate == "on":
        lowest = a[a[:, 0] == a[:, 0].max()]
        return bool({(y + 1, x) for y, x in lowest.tolist()} & set(map(tuple, b.tolist())))
    if predicate == "above":
        return a[:, 0].max() < b[:, 0].min() and _overlap(a, b, 1) and close
    if predicate == "beside":
        return not _overlap(a, b, 1) and _overlap(a, b, 0) and close
    return len(a) >= 3 * len(b) and close  # larger than


def _overlap(a, b, axis):
    return a[:, axis].min() <= b[:, axis].max() and b[:, axis].min() <= a[:, axis].max()


@pytest.mark.parametrize("number", range(12))
def test_relations_follow_from_the_masks(number):
    scene = SCENES[number]
    pixels = [np.argwhere(scene.labels == index) for index in range(len(scene.class_ids))]
    related = {}
    for subject, object, predicate in scene.relations.tolist():
        related[subject, object] = VOCABULARY.predicates[predicate]
        assert holds(related[subject, object], pixels[subject], pixels[object]), related[
            subject, object
        ]
    things = np.flatnonzero(scene.class_ids < len(VOCABULARY.things)).tolist()
    for a in things:
        for b in things:
            certain = [
                name
                for name in ("on", "above", "beside", "larger than")
                if holds(name, pixels[a], pixels[b])
            ]
            if a != b and certain and related.get((a, b)) not in ("inside", "in front of"):
                assert related.get((a, b)) == certain[0]
            if a != b and not certain:
                assert related.get((a, b)) in (None, "inside", "in front of")
