"""What pages say, read back from the browser."""

import json
from html.parser import HTMLParser

SAID = """
() => [...document.querySelectorAll("[data-path]")].map(
  (one) => [JSON.parse(one.dataset.path), JSON.parse(one.dataset.value), one.textContent.trim()])
"""


def said(page):
    """(path in the JSON, value, text) of all numbers that the page takes from there."""
    return page.evaluate(SAID)


def at(stored, path):
    """The value at that path of the JSON."""
    for key in path:
        stored = stored[key]
    return stored


def wrong_numbers(page, path):
    """The numbers of the page that differ from the JSON, also as they are shown."""
    stored = json.loads(path.read_text())
    wrong = []
    for where, value, text in said(page):
        expected = at(stored, where)
        digits = text.rstrip(" %ms").replace(",", "")
        factor = 100 if text.endswith("%") else 1
        is_shown = (
            digits == "-" if expected is None else abs(float(digits) - factor * expected) <= 0.0501
        )
        if value != expected or not is_shown:
            wrong.append((where, expected, value, text))
    return wrong


def addresses(text):
    """The sources and targets that an HTML text names, those within it and data apart."""
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            names = ("src", "href", "srcset", "action", "poster")
            found.extend(value for name, value in attributes if name in names and value)

    Reader().feed(text)
    return [one for one in found if not one.startswith(("#", "data:"))]


def is_narrow(page):
    """Whether nothing sticks out of the window."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def point_of_frame(page, number):
    """Where the mark of a frame is in the window: (x, y), pixels."""
    return page.evaluate(
        """(number) => {
          const plot = document.getElementById("timeline-plot");
          plot.scrollIntoView({block: "center"});
          const {_offset: left} = plot._fullLayout.xaxis;
          const {_offset: top, _length: height} = plot._fullLayout.yaxis2;
          const {x, y} = plot.getBoundingClientRect();
          return [x + left + plot._fullLayout.xaxis.l2p(number), y + top + height / 2];
        }""",
        number,
    )


def click_frame(page, number):
    """Click the mark of a frame. Plotly takes where the mouse was 50 ms ago."""
    place = point_of_frame(page, number)
    page.mouse.move(*place)
    page.wait_for_timeout(200)
    page.mouse.click(*place)


def panel(page):
    """The numbers of the frame that is shown, by row."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#numbers tbody tr")].map(
          (row) => [row.cells[0].textContent,
                    [...row.cells].slice(1).map((cell) => JSON.parse(cell.dataset.value))]))"""
    )
