"""A real browser for the pages."""

import shutil

import pytest


@pytest.fixture(scope="module")  # while it is there, nothing else can run an asyncio loop
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip(f"there is no Chromium here ({', '.join(names)})")
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = started.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Opens a page; at the end it must have asked nobody for anything, and had no error."""
    contexts, complaints, requests = [], [], []

    def visit(path, width=1280, scheme="light", touch=False):
        size = {"width": width, "height": 900}
        context = chromium.new_context(viewport=size, color_scheme=scheme, has_touch=touch)
        contexts.append(context)
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"file://{path}")
        page.wait_for_function("[...document.querySelectorAll('.plot')].every((plot) => plot.data)")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []
    abroad = [url[:100] for url in requests if not url.startswith(("file:///", "data:"))]
    assert requests and abroad == []
