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
