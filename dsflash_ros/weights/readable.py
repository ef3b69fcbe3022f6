"""What `dsflash weights info` prints: a line for each value, blocks for nested ones, a table of
scores. No line is longer than 100 columns, unless a single word is.
"""

import json
import textwrap

WIDTH = 100
_KEY_WIDTH = 12
_INDENT = " " * (_KEY_WIDTH + 2)


def readable(about: dict) -> str:
    """The text for what `describe` found."""
    lines = []
    for key, value in about.items():
        texts = _scores(value) if _has_columns(value) else _lines(value)
        lines.append(f"{key.replace('_', ' '):>{_KEY_WIDTH}}  {texts[0]}".rstrip())
        lines += [f"{_INDENT}{text}".rstrip() for text in texts[1:]]
    return "\n".join(lines)


def _lines(value) -> list[str]:
    """The lines beside a key; the first is empty where a block is below."""
    if not isinstance(value, dict):
        return [_plain(value)]
    if not any(isinstance(inner, dict) for inner in value.values()):
        together = ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items()) or "-"
        if len(_INDENT) + len(together) <= WIDTH:
            return [together]
    return ["", *_block(value, "")]


def _plain(value) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    if isinstance(value, int) and value > 9999:
        return f"{value:,}"
    return str(value)


def _block(values: dict, indent: str) -> list[str]:
    """`key=value` as configurations of training are written, then a block for each nested value."""
    nested = {key: value for key, value in values.items() if isinstance(value, dict) and value}
    lines = _fill([f"{key}={_setting(values[key])}" for key in values if key not in nested], indent)
    for key, value in nested.items():
        lines += [f"{indent}{key}", *_block(value, indent + "  ")]
    return lines


def _setting(value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value and " " not in value:
        return value
    return json.dumps(value)


def _fill(words: list[str], indent: str) -> list[str]:
    """Lines of words with two spaces between them; a word that is too long is broken at its own."""
    room = WIDTH - len(_INDENT)
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 2 + len(word) <= room:
            lines[-1] += f"  {word}"
        else:
            lines += textwrap.wrap(
                word,
                room,
                initial_indent=indent,
                subsequent_indent=f"{indent}  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
    return lines


def _has_columns(value) -> bool:
    """Whether these are the scores of several protocols."""
    if not isinstance(value, dict) or not all(isinstance(c, dict) for c in value.values()):
        return False
    found = [score for column in value.values() for score in column.values()]
    is_plain = all(isinstance(score, str | int | float | None) for score in found)
    return is_plain and any(isinstance(score, float) for score in found)


def _scores(columns: dict[str, dict]) -> list[str]:
    """What the scores are of, then a table: a row for each score, a column for each protocol."""
    numbers = {
        name: {key: value for key, value in column.items() if not isinstance(value, str)}
        for name, column in columns.items()
    }
    found = [value for column in numbers.values() for value in column.values()]
    is_share = all(value is None or 0 <= value <= 1 for value in found)
    rows = list(dict.fromkeys(key for column in numbers.values() for key in column))
    width = max(map(len, rows))
    corner = "%" if is_share else ""
    lines = [*_texts(columns), " ".join([f"{corner:<{width}}", *(f"{n:>8}" for n in columns)])]
    for row in rows:
        cells = (_cell(column.get(row), is_share) for column in numbers.values())
        lines.append(" ".join([f"{row:<{width}}", *(f"{cell:>8}" for cell in cells)]))
    return lines


def _texts(columns: dict[str, dict]) -> list[str]:
    """A line for each text among the scores; one for all protocols where they agree."""
    lines = []
    for key in dict.fromkeys(key for column in columns.values() for key in column):
        texts = {name: column.get(key) for name, column in columns.items()}
        if not any(isinstance(text, str) for text in texts.values()):
            continue
        if len(set(texts.values())) == 1:
            lines.append(f"{key} {next(iter(texts.values()))}")
        else:
            lines += [f"{name}: {key} {text}" for name, text in texts.items() if text]
    return lines


def _cell(value: float | None, is_share: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if is_share else f"{value:.4g}"
