"""What `dsflash bench` refuses before it measures, and what it stores after."""

import json

import pytest

from dsflash_ros.cli import bench_measures


@pytest.fixture
def measured(monkeypatch):
    """Measurements that take no time; gives the list of those that ran."""
    ran = []

    def measure(args):
        ran.append(args.what)
        return "a title", [{"ms": 1.0}]

    for name in bench_measures.MEASURES:
        monkeypatch.setitem(bench_measures.MEASURES, name, measure)
    return ran


def test_a_result_is_replaced_only_where_that_is_asked_for(bench, measured, tmp_path):
    path = tmp_path / "new" / "here.json"
    assert bench("frame", "--json", path)[0] == 0
    path.write_text("precious")
    code, _, err = bench("frame", "--json", path)
    assert code == 1 and "here.json is there already; give --overwrite" in err
    assert path.read_text() == "precious" and measured == ["frame"]
    assert bench("frame", "--json", path, "--overwrite")[0] == 0
    stored = json.loads(path.read_text())
    assert stored["rows"] == [{"ms": 1.0}]
    assert not {"json", "plot", "overwrite", "parser"} & set(stored["settings"])


def test_files_that_cannot_be_written_are_told_before_measuring(bench, measured, tmp_path):
    (tmp_path / "file").write_text("precious")
    for arguments, sentence in (
        (("frame", "--json", tmp_path), "is a folder; give a file name"),
        (("scaling", "--plot", tmp_path), "is a folder; give a file name"),
        (("scaling", "--plot", tmp_path / "file"), "file is there already; give --overwrite"),
        (("scaling", "--plot", tmp_path / "file" / "x.png"), "cannot write"),
    ):
        code, out, err = bench(*arguments)
        assert code == 1 and out == "" and sentence in err
    one = tmp_path / "one"
    code, _, err = bench("scaling", "--json", one, "--plot", one)
    assert code == 2 and "--json and --plot cannot both write" in err
    assert measured == [] and (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("frame --rate 5", "--rate is for node, not for frame"),
        ("frame --environment A=1", "--environment is for load, not for frame"),
        ("frame --duration 3", "--duration is for load and node, not for frame"),
        ("frame --workers 4", "--workers is for loader, not for frame"),
        ("frame --image-size 32", "--image-size is for loader, not for frame"),
        ("load --augmentation flip", "--augmentation is for loader, not for load"),
        ("relations --limit 3", "--limit is for segmenter, not for relations"),
        ("node --compare a b", "--compare is for segmenter and relations, not for node"),
        ("scaling --size 64x48", "segmenter, not for scaling"),
        ("frame --plot x.png", "--plot is for scaling, not for frame"),
        ("loader data --weights random", "--weights is for frame, load, node, segmenter,"),
        ("conversions --mask-threshold 0.5", "scaling, not for conversions"),
        ("node --duration 3", "--duration of node needs --rate"),
        ("segmenter --limit 3", "--limit needs a data set"),
        ("segmenter --compare a b --weights c", "with --compare or with --weights, not with both"),
    ],
)
def test_what_a_measurement_takes_no_notice_of_is_refused(bench, measured, arguments, sentence):
    code, out, err = bench(*arguments.split())
    assert code == 2 and out == "" and sentence in err and measured == []


@pytest.mark.parametrize(
    "arguments",
    [
        "frame photo.jpg --size 64x48 --threads 1 --repeat 2",
        "load --duration 3 --environment A=1",
        "node --rate 30 --duration 60 --size 64x48",
        "loader data --workers 4 --image-size 32 --augmentation flip",
        "segmenter data --compare a b --limit 3",
        "relations --compare a b --precision float32",
        "conversions --size 64x48",
    ],
)
def test_what_belongs_to_a_measurement_is_taken(bench, measured, arguments):
    assert bench(*arguments.split())[0] == 0
    assert measured == [arguments.split()[0]]
