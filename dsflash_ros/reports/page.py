"""An HTML file with all in it, which needs no network: style, script, plots and pictures."""

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import dsflash_ros
from dsflash_ros.errors import missing_extra
from dsflash_ros.evaluation.phrases import NO_VALUE
from dsflash_ros.files import replacing


def check_extra() -> None:
    """Raise `MissingExtraError` unless jinja2 and plotly are here: before the work begins."""
    try:
        import jinja2  # noqa: F401
        import plotly  # noqa: F401
    except ImportError as error:
        raise missing_extra("report", error) from error


def write_page(path: Path, template: str, plots: Mapping[str, dict], **context) -> None:
    """Render a template into a file, whole or not at all. Every string of it is escaped.

    Args:
        path: of the file.
        template: its name in `templates/`.
        plots: figures of Plotly in plain JSON types; the page shows each where it has an element
            of that id.
        context: what else the template names.

    Raises:
        OutputError: it cannot be written.
        MissingExtraError: jinja2 or plotly is not installed.
    """
    check_extra()
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("dsflash_ros.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.filters |= {"percent": percent, "number": number}
    page = environment.get_template(template)
    made = datetime.now(timezone.utc)
    text = page.render(
        plots=plots,
        plotly=Markup(get_plotlyjs()),
        version=dsflash_ros.__version__,
        made=f"{made:%Y-%m-%d %H:%M} UTC",
        **{name: finite(value) for name, value in context.items()},
    )
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def percent(share: float | None) -> str:
    """A share, 0..1, as `46.3 %`."""
    return NO_VALUE if share is None else f"{100 * share:.1f} %"


def number(value: float | None, digits: int = 1) -> str:
    """A number as `1,234.5`; whole ones have no digits."""
    if value is None:
        return NO_VALUE
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def finite(value):
    """The same in plain JSON types, None in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
