"""Options that would do nothing are refused, and the sentence says what they go with."""

import pytest
from places import ROOT

from dsflash_ros.cli import main
from dsflash_ros.errors import SourceError
from dsflash_ros.sources import open_sources

DRIVE, PHOTO = str(ROOT / "examples" / "drive"), str(ROOT / "docs" / "demo.jpg")
TRACKS = "is of tracks, which --annotations and --protocol predcls leave out"
WITHOUT = "is of tracks and positions, which --no-track leaves out"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["run", PHOTO, "--track-hold-s", "2"], "--track-hold-s goes with --track"),
        (["run", PHOTO, "--target-frame", "map"], "--target-frame goes with --track"),
        (["view", PHOTO, "--save", "a.rrd", "--port", "80"], "--port is of a page, which --save"),
        (["view", "--save", "a.rrd", "--no-browser"], "--no-browser is of a page"),
        (["view", PHOTO, "--relation-hysteresis", "0"], "--relation-hysteresis goes with --track"),
        (["mcp", "--port", "80"], "--port goes with --http"),
        (["mcp", PHOTO, "--topic", "graphs"], "--topic is of a running node"),
        (["mcp", "--bag-topic", "image"], "--bag-topic goes with a SOURCE"),
        (["replay", DRIVE, "--no-track", "--target-frame", "map"], f"--target-frame {WITHOUT}"),
        (["replay", DRIVE, "--no-track", "--track-hold-s", "1"], f"--track-hold-s {WITHOUT}"),
        (["replay", DRIVE, "--ray", "--no-track", "--track-hold-s", "1"], WITHOUT),
        (["replay", DRIVE, "--start", "2", "--end", "2"], "--end 2 is not after --start 2"),
        (["eval", DRIVE, "--tracking", "--protocol", "predcls"], "--protocol does not go with"),
        (["eval", DRIVE, "--tracking", "--annotations", "x"], "--annotations does not go with"),
        (["eval", DRIVE, "--tracking", "--batch", "3"], "--batch says how to measure speed"),
        (["eval", DRIVE, "--split", "val"], "--split is of data sets"),
        (["eval", DRIVE, "--out", "x", "--images", "y"], "--images is of data sets"),
        (["eval", DRIVE, "--masks", "x"], "--masks is of data sets, and of a bag with --ann"),
        (["eval", DRIVE, "--protocol", "predcls", "--track-hold-s", "1"], f"hold-s {TRACKS}"),
        (
            ["eval", DRIVE, "--annotations", "x", "--target-frame", "map"],
            f"--target-frame {TRACKS}",
        ),
        (["eval", "psg.json", "--track-hold-s", "1"], "--track-hold-s is of bags, and psg.json"),
        (["eval", DRIVE, "--out", "x", "--timed", "3"], "--timed says how to measure speed"),
        (["bench", "node", "--rate", "5", "--repeat", "9"], "--repeat of node does not go with"),
        (["bench", "segmenter", "toy", "--size", "64x64"], "--size does not go with a data set"),
        (["bench", "load", "--size", "64x64", "--size", "32x32"], "load measures one --size"),
        (["toyroom", "show", "toy", "--size", "64x64"], "--size is of scenes of a --seed"),
        (
            ["toyroom", "camera", "--record", "x", "--duration", "1", "--compressed"],
            "--compressed is of a topic, and --record publishes none",
        ),
    ],
)
def test_refused(argv, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if argv[0] in ("run", "replay"):
        argv = [*argv, "--out", "results"]
    if argv[:2] == ["toyroom", "show"]:
        argv = [*argv, "--out", "sheet.png"]
    with pytest.raises(SystemExit) as end:
        main(argv)
    told = capsys.readouterr().err.splitlines()[-1]
    assert end.value.code == 2 and sentence in told
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]


def test_a_topic_without_a_bag():
    with pytest.raises(SourceError, match="the topic /image is of a bag, and none is given"):
        open_sources([PHOTO], "/image")
    for source in open_sources([PHOTO, DRIVE], "/image/compressed"):
        source.close()


@pytest.mark.parametrize(
    "argv", [["replay", DRIVE], ["eval", DRIVE], ["toyroom", "render", "--scenes", "1"]]
)
def test_results_have_a_folder(argv, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([*argv, "--out", ""])
    assert "--out: it is empty: name a folder for the results" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*argv, "--out", "~nobody-of-that-name/x"])
    assert "--out: '~nobody-of-that-name/x' cannot be: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
