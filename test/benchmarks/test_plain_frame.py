import json
import sys

import pytest

pytest.importorskip("transformers", reason="transformers is not installed")

import plain_frame

from dsflash_ros.bench import turns


@pytest.mark.slow
def test_our_frame_is_faster_than_its_plain_parts(monkeypatch, tmp_path, capsys):
    out = tmp_path / "frame.json"
    monkeypatch.setattr(turns, "WARM_UP", 0)
    monkeypatch.setattr(sys, "argv", ["plain_frame", "--repeat", "1", "--json", str(out)])
    plain_frame.main()
    rows = {row["frame"]: row for row in json.loads(out.read_text())["rows"]}
    assert list(rows) == [*plain_frame.PLAIN, *plain_frame.OURS, "plain"]
    parts = sum(rows[name]["median ms"] for name in plain_frame.PLAIN)
    assert rows["plain"]["median ms"] == pytest.approx(parts, abs=0.01)
    assert rows["ours"]["segments"] == rows["ours, pruned"]["segments"] == 10
    assert rows["ours, pruned"]["plain / it"] > 1
    assert "small at 640 pixels in float32" in capsys.readouterr().out
