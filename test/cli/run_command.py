"""`dsflash run` and what it writes."""

import json

from dsflash_ros.cli import main


def lines_of(folder):
    return [
        json.loads(line)
        for line in (folder / "scene_graph.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def run(*arguments):
    return main(["run", *map(str, arguments)])


def fails(capsys, *arguments):
    """The sentence with which the command fails."""
    capsys.readouterr()
    assert run(*arguments) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("dsflash run: ")
    return last
