"""Texts of questions to their words and signs; `grammar` reads on from there."""

import re
from dataclasses import dataclass

from dsflash_ros.errors import QueryError

WORD = re.compile(r"[^\W\d][\w-]*")
"""What a name is that needs no quotes."""

_TOKEN = re.compile(
    rf"""\s*(?:
    (?P<variable>\?{WORD.pattern})
    | (?P<any>\?)
    | "(?P<quoted>(?:[^"\\]|\\.)+)"
    | \#(?P<number>\d{{1,9}})\b
    | (?P<value>-?\d{{1,9}}(?:\.\d{{1,9}})?)(?![\w.])
    | (?P<word>{WORD.pattern})
    | (?P<sign><=|>=|!=|[<>=:|.()])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A word or sign of a question, of a kind that the expression names, where it stands."""

    kind: str
    text: str
    position: int


def refusal(text: str, position: int, problem: str) -> QueryError:
    """What to raise for a text that is wrong at this position."""
    before, after = text[:position][-60:], text[position:][:60]
    shown = repr(f"{before}>>>{after}")[1:-1]  # line breaks and the like as escapes
    return QueryError(f"{problem}; see >>> in: {shown}")


def tokens(text: str) -> list[Token]:
    """The tokens of a text, the last of kind `end`; raises `QueryError` where there is none."""
    found, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            position += len(text[position:]) - len(text[position:].lstrip())
            raise refusal(text, position, _unreadable(text[position:]))
        kind = match.lastgroup
        found.append(Token(kind, match[kind], _start(match, kind)))
        position = match.end()
    return [*found, Token("end", "", len(text))]


def _start(match: re.Match, kind: str) -> int:
    """Where a token begins; its sign or quote belongs to it."""
    return match.start(kind) - (kind in ("quoted", "number"))


def _unreadable(rest: str) -> str:
    if rest[0] == '"':
        return "a name in quotes must not be empty, and ends with a quote"
    if rest[0] == "#":
        return "a number of a node belongs behind '#', as in #3"
    if rest[0].isdigit() or rest[0] == "-":
        return 'numbers are like 3 or 0.25; a name that begins so stands in quotes, as in "3d map"'
    return f"{rest[0]!r} means nothing here; names with such characters stand in quotes"
