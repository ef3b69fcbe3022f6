"""`dsflash run --track`."""

import itertools

import numpy as np
import pytest
from media_files import picture, write_image
from places import ROOT
from run_command import lines_of, run

pytestmark = pytest.mark.slow


def test_objects_keep_their_numbers_with_track(tmp_path):
    """Of a drive; what comes from another source is not the same."""
    drive = ROOT / "examples" / "drive"
    options = ("--track", "--limit", "5", "--no-overlay")
    assert (
        run(drive, write_image(tmp_path / "a.png", picture(60, 80)), "--out", tmp_path, *options)
        == 0
    )
    *of_drive, alone = lines_of(tmp_path)
    ids = [{node["track_id"] for node in line["nodes"]} for line in of_drive]
    assert None not in set.union(*ids)
    assert all(len(one & other) >= 0.6 * len(one) for one, other in itertools.pairwise(ids))
    assert not {node["track_id"] for node in alone["nodes"]} & set.union(*ids)
    assert {r["source"] for line in of_drive for r in line["relations"]} == {"learned"}
    assert run(drive, "--out", tmp_path / "plain", "--limit", "1", "--no-overlay") == 0
    assert {node["track_id"] for node in lines_of(tmp_path / "plain")[0]["nodes"]} == {None}


def test_bags_with_depth_give_positions_with_track(tmp_path, capsys, caplog):
    drive = ROOT / "examples" / "drive"
    options = ("--track", "--target-frame", "map", "--limit", "3", "--no-overlay")
    assert run(drive, "--out", tmp_path, *options) == 0
    lines = lines_of(tmp_path)
    assert {line["position_frame"] for line in lines} == {"map"}
    nodes = [node for line in lines for node in line["nodes"]]
    placed = [node for node in nodes if node["position"]]
    assert len(placed) > 0.8 * len(nodes)
    assert all(0.1 < node["distance"] < 12 and len(node["extent"]) == 3 for node in placed)
    floors = [node["position"][2] for node in placed if node["label"].startswith("floor")]
    assert floors and np.abs(floors).max() < 0.1  # the floor is where z is 0
    assert run(drive, "--out", tmp_path / "moon", *options[:2], "moon", *options[3:]) == 0
    assert caplog.text.count("tells of the frame 'moon'") == 1
    with pytest.raises(SystemExit):
        run(drive, "--out", tmp_path / "no", "--target-frame", "map")
    assert "--target-frame goes with --track" in capsys.readouterr().err
