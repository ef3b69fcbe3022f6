"""The code blocks of README and docs run as they stand there, or say why not."""

import runpy
import shutil
import subprocess
import sys

import pytest
from media_files import raw_images, write_bag, write_video
from pages import KINDS, commands, pages
from places import ROOT

from dsflash_ros import cli

pytestmark = pytest.mark.slow

BLOCKS = [block for page in pages() for block in page.blocks]
CODE = [block for block in BLOCKS if block.language in ("bash", "python")]
TEXT = ("text", "json")
"""Languages of what is only looked at."""

namespaces: dict[str, dict] = {}
"""Of the Python blocks of each page, which follow each other as in one program."""


def test_every_block_says_what_it_is():
    unknown = [str(b) for b in BLOCKS if b.language not in ("bash", "python", *TEXT)]
    assert unknown == [], "a fence must name its language: bash, python, text or json"
    assert [f"{b}: {kind}" for b in BLOCKS for kind, _ in b.marks if kind not in KINDS] == []


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each page, with the files that its blocks name; later blocks find the results
    of earlier ones.
    """
    made = {}

    def folder_of(block):
        if block.page not in made:
            folder = made[block.page] = tmp_path_factory.mktemp(block.page.stem)
            (folder / "examples").symlink_to(ROOT / "examples")
            shutil.copy(ROOT / "examples/photos/chelsea.jpg", folder / "photo.jpg")
            write_video(folder / "clip.mp4", frames=8)
            write_bag(folder / "bag", {"/camera/image_raw": raw_images(2)})
        return made[block.page]

    return folder_of


@pytest.mark.parametrize("block", CODE, ids=str)
def test_the_block_runs(block, folders, monkeypatch, capfd):
    for reason in block.marked("not run"):
        pytest.skip(f"{block} is not run: {reason}")
    for names in block.marked("needs"):
        for name in names.split(", "):
            pytest.importorskip(name, reason=f"{block} needs {name}")
    monkeypatch.chdir(folders(block))
    if block.language == "python":
        namespace = namespaces.setdefault(str(block.page), {})
        code = "\n" * block.line + block.shortened
        exec(compile(code, str(block.page), "exec"), namespace)
        return
    for words in commands(block.shortened):
        code = run_command(words)
        assert code == 0, f"{block}: {' '.join(words)} ended with {code}: {capfd.readouterr().err}"


def run_command(words: list[str]) -> int:
    """Run one command of a block, in this process where it can be. Returns the exit code."""
    if words[:2] == ["dsflash", "toyroom"]:
        return run_apart(words)
    if words[0] == "dsflash":
        return cli.main(words[1:])
    if words[:2] == ["python", "-m"]:
        return run_module(*words[2:])
    raise AssertionError(
        f"{words[0]} is not run here: mark the block with <!-- not run: reason -->"
    )


def run_module(name: str, *arguments: str) -> int:
    """Run a module as `python -m` does. Returns the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [name, *arguments])
        try:
            runpy.run_module(name, run_name="__main__")
        except SystemExit as end:
            return end.code or 0
    return 0


def run_apart(words: list[str]) -> int:
    """Render in a process of its own: OSMesa's LLVM and that of Triton do not go together."""
    from dsflash_ros.toyroom.physics.backend import INSTALL

    command = [sys.executable, "-m", "dsflash_ros.cli", *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    if INSTALL in done.stderr:
        pytest.skip(f"nothing to render with: {INSTALL}")
    print(done.stderr, file=sys.stderr)
    return done.returncode
