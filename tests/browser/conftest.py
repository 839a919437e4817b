"""A real Chromium, Debian's, that looks at pages from the disk and may not speak to anybody."""

import shutil
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import sync_playwright

from tests.explorers import example_names, flood, network_table, nothing_published, page_of, trips

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/browser" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    if not shutil.which(CHROMIUM):
        pytest.fail(
            "There is no Chromium. Expected: /usr/bin/chromium. Remedy: apt-get install chromium", pytrace=False
        )
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Explorers: trips and a flood, hostile titles, before the flood, and nothing above the cut."""
    folder = tmp_path_factory.mktemp("pages")
    hostile = {
        "title": "</script><script>window.harmed=3</script>",
        "definition": "<img src=x onerror=window.harmed=4>",
    }
    made = {
        "both": page_of(trips() + flood(), names=example_names(), network=network_table(folder / "network.csv")),
        "hostile": page_of(trips(**hostile)[:2], names=example_names()),
        "before": page_of(flood()[:1]),
        "empty": page_of([nothing_published()]),
    }
    for name, content in made.items():
        (folder / f"{name}.html").write_bytes(content)
    return folder


@dataclass
class Watched:
    """A page and what it did that it should not."""

    page: object
    requests: list = field(default_factory=list)
    complaints: list = field(default_factory=list)


@pytest.fixture
def opened(chromium, pages):
    """Open a page at a view, watch what it asks for and complains of, and fail where it did either."""
    contexts, watched = [], []

    def opening(name, view="lang=en", **options):
        context = chromium.new_context(
            **({"viewport": {"width": 1280, "height": 900}, "accept_downloads": True} | options)
        )
        contexts.append(context)
        one = Watched(context.new_page())
        watched.append(one)
        one.page.on("request", lambda request: one.requests.append(request.url))
        one.page.on("console", lambda message: one.complaints.append(message.text))
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.goto(f"{(pages / f'{name}.html').as_uri()}#{view}")
        return one.page

    yield opening
    for context in contexts:
        context.close()
    for one in watched:
        assert [url for url in one.requests if not url.startswith(("file:", "blob:file:"))] == []
        assert one.complaints == []
