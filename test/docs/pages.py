"""Pages of the documentation, taken apart: code blocks, links, headings, tables."""

import re
import shlex
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from places import ROOT

PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

KINDS = ("not run", "needs", "shortened when run")
"""Comments that may stand above a code block; see `Block`."""

_FENCE = re.compile(r"```(\w*)")
_COMMENT = re.compile(r"<!-- ([\w ]+): (.+) -->")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Comments right above it, which readers do not see, say how it is tested:
    `<!-- not run: reason -->`, `<!-- needs: module, module -->`, and
    `<!-- shortened when run: text -> text; text -> text -->` for what would take too long.

    Attributes:
        page: relative to the repository.
        line: of the fence, from 1.
        language: what stands behind the fence.
        text: between the fences.
        marks: kind and text of the comments.
    """

    page: Path
    line: int
    language: str
    text: str
    marks: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def marked(self, kind: str) -> list[str]:
        """The texts of the comments of that kind."""
        return [text for mark, text in self.marks if mark == kind]

    @property
    def shortened(self) -> str:
        """The text as it is run."""
        text = self.text
        for mark in self.marked("shortened when run"):
            for change in mark.split("; "):
                old, new = change.split(" -> ")
                assert old in text, f"{self}: there is no {old!r} to be shortened"
                text = text.replace(old, new)
        return text


@dataclass(frozen=True)
class Page:
    """A page without its code blocks, and these.

    Attributes:
        path: relative to the repository.
        lines: all lines; those of code blocks are empty.
        blocks: the code blocks.
    """

    path: Path
    lines: tuple[str, ...]
    blocks: tuple[Block, ...]

    def __str__(self) -> str:
        return str(self.path)

    @property
    def links(self) -> list[str]:
        """Targets of links and pictures."""
        return [target for line in self.lines for target in _LINK.findall(line)]

    @property
    def inline_code(self) -> list[str]:
        """What stands between single backticks."""
        return [code for line in self.lines for code in _INLINE.findall(line)]

    @property
    def anchors(self) -> set[str]:
        """What links can point to, named as GitHub does."""
        seen: Counter[str] = Counter()
        anchors = set()
        for line in self.lines:
            if heading := re.fullmatch(r"#+ (.+)", line):
                text = re.sub(r"[`*]|\]\([^)]*\)", "", heading[1]).lower()
                name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
                anchors.add(f"{name}-{seen[name]}" if seen[name] else name)
                seen[name] += 1
        return anchors

    def table(self, heading: str, number: int = 0) -> list[list[str]]:
        """The rows, the header's first, of a table under a heading."""
        start = next(i for i, line in enumerate(self.lines) if re.fullmatch(rf"#+ {heading}", line))
        tables: list[list[list[str]]] = []
        before = ""
        for line in self.lines[start + 1 :]:
            if line.startswith("#"):
                break
            if line.startswith("|"):
                if not before.startswith("|"):
                    tables.append([])
                tables[-1].append([cell.strip() for cell in line.strip("|").split("|")])
            before = line
        rows = tables[number]
        return [rows[0], *rows[2:]]


@cache
def read_page(path: Path) -> Page:
    """Take a page apart."""
    name = path.relative_to(ROOT)
    lines, blocks, marks = [], [], []
    fence = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if fence is not None:
            if line == "```":
                start, language, text = fence
                blocks.append(Block(name, start, language, "\n".join(text), tuple(marks)))
                fence, marks = None, []
            else:
                fence[2].append(line)
            lines.append("")
            continue
        if opened := _FENCE.match(line):
            fence = (number, opened[1], [])
        elif comment := _COMMENT.fullmatch(line):
            marks.append((comment[1], comment[2]))
        else:
            marks = []
        lines.append("" if opened else line)
    assert fence is None, f"{name}: the code block of line {fence[0]} does not end"
    return Page(name, tuple(lines), tuple(blocks))


def pages() -> list[Page]:
    """All of them."""
    return [read_page(path) for path in PAGES]


def commands(text: str) -> list[list[str]]:
    """The words of each command of a shell script, without comments and `NAME=value` before it."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            end = words.index("&&") if "&&" in words else len(words)
            command, words = words[:end], words[end + 1 :]
            while command and re.match(r"[A-Z_]+=", command[0]):
                command = command[1:]
            if command:
                found.append(command)
    return found
