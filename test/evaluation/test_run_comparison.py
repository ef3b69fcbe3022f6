"""`dsflash compare`: planted changes are found, and chance is not taken for one."""

import json

import numpy as np
import pytest
from places import ROOT

from dsflash_ros.cli import main
from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.bootstrap import paired_difference
from dsflash_ros.evaluation.comparison_text import score_line
from dsflash_ros.evaluation.run_comparison import compare_runs
from dsflash_ros.evaluation.runs import Seen, read_run


def f1(counts):
    return 2 * counts[..., 0] / (counts[..., 1] + counts[..., 2])


def noisy_counts(random, frames, recall):
    """Counts of frames whose errors last: neighbouring frames are alike."""
    lasting = np.repeat(random.normal(0, 0.15, frames // 12 + 1), 12)[:frames]
    found = random.binomial(10, np.clip(recall + lasting, 0, 1))
    return np.stack((found, np.full(frames, 10), np.full(frames, 10)), axis=1)


def test_runs_that_differ_by_chance_alone_seldom_differ_surely():
    random = np.random.default_rng(0)
    sure = [
        paired_difference(
            noisy_counts(random, 240, 0.7), noisy_counts(random, 240, 0.7), f1, block=24
        ).is_sure
        for _ in range(100)
    ]
    assert sum(sure) <= 15  # 5 are expected, a few more as 10 blocks are few


def test_a_difference_is_found_and_its_interval_holds():
    random = np.random.default_rng(1)
    held = 0
    for seed in range(20):
        pair = noisy_counts(random, 480, 0.8), noisy_counts(random, 480, 0.6)
        found = paired_difference(*pair, f1, block=24, seed=seed)
        assert found.high < 0 and found.is_sure
        held += found.low <= -0.2 <= found.high
    assert held >= 17


def test_the_sums_are_scored_not_the_frames():
    first = np.array([[1, 1, 1], [0, 9, 9]])
    second = np.array([[0, 1, 1], [9, 9, 9]])
    found = paired_difference(first, second, f1, block=1)
    assert (found.first, found.second) == pytest.approx((0.1, 0.9))


def line(stamp, objects, relations=(), source="/image"):
    """`objects` are (id, label, x), `relations` (subject, predicate, object)."""
    nodes = [{"id": n, "label": label, "box": [x, 0, x + 10, 10]} for n, label, x in objects]
    edges = [
        {"subject": a, "predicate": p, "object": b, "source": "learned"} for a, p, b in relations
    ]
    latency = {"total": 10.0}
    return {
        "stamp": stamp,
        "source": source,
        "nodes": nodes,
        "relations": edges,
        "latency_ms": latency,
    }


CUP_ON_TABLE = ([(3, "cup", 0), (7, "table", 50)], [(3, "on", 7)])


def write(folder, lines):
    folder.mkdir()
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (folder / "scene_graph.jsonl").write_text(text)
    return folder


def test_what_changed(tmp_path, capsys):
    first = write(tmp_path / "a", [line(t / 6, *CUP_ON_TABLE) for t in range(12)])
    other = ([(1, "table", 51), (2, "cup", 1)], [(2, "in", 1)])
    changed = [line(t / 6, *(CUP_ON_TABLE if t < 6 else other)) for t in range(12)]
    changed[0]["nodes"].append({"id": 9, "label": "dog", "box": [80, 0, 90, 10]})
    second = write(tmp_path / "b", [*changed, line(9.0, *CUP_ON_TABLE)])
    assert main(["compare", str(first), str(second), "--json", str(tmp_path / "c.json")]) == 0
    told = capsys.readouterr().out
    assert "12 frames in both runs; 0 and 1 in one alone" in told
    assert "alike: 98.0 % of the objects, 50.0 % of the relations" in told
    assert "only the second has: 6 … in …, 1 dog" in told and "lost: 6 … on …" in told
    stored = json.loads((tmp_path / "c.json").read_text())
    assert stored["appeared"] == {"dog": 1, "… in …": 6} and stored["scores"] == {}


def test_of_nothing_there_are_no_shares(tmp_path, capsys):
    """Runs and a truth in which nothing is, then objects whose boxes are empty."""
    for name, objects in (("nothing", []), ("empty", [(0, "cup", 0)])):
        lines = [line(float(t), objects) for t in range(12)]
        for one in lines:
            one["nodes"] = [{**node, "box": [0, 0, 0, 0]} for node in one["nodes"]]
        folders = [str(write(tmp_path / f"{name}{n}", lines)) for n in range(2)]
        stored, page = tmp_path / f"{name}.json", tmp_path / f"{name}.html"
        assert main(["compare", *folders, "--json", str(stored), "--report", str(page)]) == 0
        assert "nan" not in capsys.readouterr().out
        same = json.loads(stored.read_text(), parse_constant=pytest.fail)["same"]
        assert same == {"objects": 0.0 if objects else None, "relations": None}
    run = read_run(tmp_path / "nothing0")
    found = compare_runs(run, run, {stamp: Seen([], set()) for _, stamp in run})
    told = [score_line(name, score) for name, score in found.scores.items()]
    assert told[0] == "F1 of objects: - to -: too little to say whether that is chance"
    assert len(told) == 2 and "nan" not in told[1]


def test_a_predicate_that_is_broken_is_worse_and_fails():
    truth = {round(1e6 * t / 6): Seen.of_line(line(t / 6, *CUP_ON_TABLE)) for t in range(60)}
    whole = {("/image", stamp): seen for stamp, seen in truth.items()}
    broken = {
        place: Seen(seen.objects, {(a, "under", b) for a, _, b in seen.relations})
        for place, seen in whole.items()
    }
    found = compare_runs(whole, broken, truth)
    assert found.scores["F1 of relations"][:2] == (1.0, 0.0)
    assert found.scores["F1 of relations"].is_sure
    assert not found.scores["F1 of objects"].is_sure
    assert len(found.worst) == 10 and found.worst[0] == 0.0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is no run"),
        ("not json\n", "is damaged"),
        ('{"stamp": 1}\n', "is damaged"),
        ("[]\n", "is damaged"),
        (json.dumps(line(1e9, *CUP_ON_TABLE)) + "\n", "no frame in common"),
        (json.dumps(line(0.0, *CUP_ON_TABLE, source="/rear")) + "\n", "no frame in common"),
        ("", "no frame in common"),
    ],
)
def test_runs_that_cannot_be_compared(content, sentence, tmp_path):
    first = write(tmp_path / "a", [line(0.0, *CUP_ON_TABLE)])
    if content is not None:
        write(tmp_path / "b", []).joinpath("scene_graph.jsonl").write_text(content)
    with pytest.raises(EvaluationError, match=sentence):
        compare_runs(read_run(first), read_run(tmp_path / "b"))


def test_each_frame_tells_what_is_lost_and_new():
    first = Seen.of_line(
        line(1.5, [(3, "cup", 0), (7, "table", 50), (8, "cup", 90)], [(3, "on", 7)])
    )
    second = Seen.of_line(
        line(1.5, [(1, "table", 50), (2, "cup", 1), (4, "dog", 70)], [(2, "in", 1), (4, "on", 1)])
    )
    true = Seen.of_line(line(1.5, [(0, "cup", 0), (1, "table", 51)], [(0, "on", 1)]))
    place = ("/image", 1_500_000)
    alone = compare_runs({place: first}, {place: second})
    assert alone.series[0].lost == ["cup", "cup on table"]
    assert alone.series[0].gained == ["dog", "cup in table"]
    assert alone.series[0].relations == (None, None) and alone.series[0].loss is None
    found = compare_runs({place: first}, {place: second}, {place[1]: true})
    (frame,) = found.series
    assert frame.lost == ["cup (wrong)", "cup on table (right)"]
    assert frame.gained == ["dog (wrong)", "cup in table (wrong)"]
    assert (frame.source, frame.stamp, frame.latency_ms) == ("/image", 1.5, (10.0, 10.0))
    assert frame.objects == (0.8, 0.8) and frame.relations == (1.0, 0.0) and frame.loss == 1.0
    assert frame.same_objects == pytest.approx(4 / 6) and frame.same_relations == 0.0
    assert found.per_class["cup"] == (2, 1, 1, 1, 1, 1)
    assert found.per_class["dog"] == (0, 1, 0, 0, 0, 0)
    assert found.per_predicate == {"on": (1, 1, 0, 1, 1, 0), "in": (0, 1, 0, 0, 0, 0)}


def test_scores_of_relations_are_held_against_the_truth():
    objects = [(0, "cup", 0), (1, "table", 50)]
    scored = line(0.0, objects, [(0, "on", 1), (1, "on", 0)])
    for relation, score in zip(scored["relations"], (0.85, 0.25), strict=True):
        relation["score"] = score
    seen, true = Seen.of_line(scored), Seen.of_line(line(0.0, objects, [(0, "on", 1)]))
    found = compare_runs({("", 0): seen}, {("", 0): true}, {0: true})
    assert found.score_bins[0] == [
        {"relations": 1, "score": 0.25, "true": 0.0},
        {"relations": 1, "score": 0.85, "true": 1.0},
    ]
    assert found.score_bins[1] == []  # without scores


def test_the_sums_of_the_frames_are_the_whole():
    random = np.random.default_rng(0)
    runs = [{}, {}, {}]
    for t in range(40):
        for run in runs:
            relations = [(a, "on", b) for a in range(4) for b in range(4) if random.random() < 0.3]
            objects = [(k, "cup", 20 * k + int(random.integers(8))) for k in range(4)]
            run["/image", t] = Seen.of_line(line(t / 6, objects, relations))
    first, second, truth = runs
    found = compare_runs(first, second, {stamp: seen for (_, stamp), seen in truth.items()})
    for name, counted in (("objects", found.per_class), ("relations", found.per_predicate)):
        (one,) = counted.values()
        score = found.scores[f"F1 of {name}"]
        assert score.first == pytest.approx(2 * one.first_right / (one.first + one.true))
        assert score.second == pytest.approx(2 * one.second_right / (one.second + one.true))
        assert found.same[name] == pytest.approx(2 * one.both / (one.first + one.second))


def test_weights_on_a_bag(capsys, tmp_path):
    drive, stored = str(ROOT / "examples" / "drive"), tmp_path / "c.json"
    given = ["--bag", drive, "--limit", "2", "--json", str(stored)]
    assert main(["compare", "toyroom", "toyroom", *given]) == 0
    told = capsys.readouterr().out
    assert "2 frames in both runs" in told and "alike: 100.0 % of the objects, 100.0 %" in told
    assert "too little to say whether that is chance" in told  # 0.3 seconds
    assert 0.3 < json.loads(stored.read_text())["scores"]["F1 of objects"]["first"] < 1


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--limit", "2"], "say what of --bag is meant"),
        (["--bag", "x", "--truth", "y"], "--bag has the truth, too"),
    ],
)
def test_wrong_usage_of_compare(given, sentence, capsys):
    with pytest.raises(SystemExit):
        main(["compare", "a", "b", *given])
    assert sentence in capsys.readouterr().err
