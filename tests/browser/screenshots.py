"""Draws the pictures of docs/explorer.md, of releases that never were.

python -m tests.browser.screenshots docs/images
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.explorers import flood, network_table, page_of, trips

VIEWS = {
    "flood-en": "lang=en&product=displacement/flood-2026-04&period=2026-04-11",
    "left-fr": "lang=fr&product=displacement/flood-2026-04&period=2026-04-11&layer=left&table=origins",
    "network-ar": "lang=ar&product=displacement/flood-2026-04&period=2026-04-09&layer=network&table=zones",
    "trips-en": "lang=en&product=od_trips/week&period=2026-W16&most=50",
    "zone-fr": "lang=fr&product=od_trips/week&period=2026-W16&level=h6&zone={zone}",
    "series-ar": "lang=ar&product=od_trips/week&period=2026-W16&level=h6&zone={zone}&table=series",
}
COLOURS = 96
"""Of a picture: few enough to be small, enough for the scales."""


def main(folder):
    """Write one picture a view."""
    sources = trips() + flood()
    rows = sources[0].table.to_pandas()
    zone = rows[rows["res_from"] == 6].groupby("origin")["value"].sum().idxmax()
    with tempfile.TemporaryDirectory() as work, sync_playwright() as driver:
        path = Path(work) / "explorer.html"
        path.write_bytes(page_of(sources, network=network_table(Path(work) / "network.csv")))
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": 1200, "height": 1500})
        tab.clock.set_fixed_time("2026-05-25T08:00:00Z")  # the age of the data is counted to the day of reading
        for name, view in VIEWS.items():
            tab.goto("about:blank")
            tab.goto(f"{path.as_uri()}#{view.format(zone=zone)}")
            _save(tab.screenshot(), folder / f"explorer-{name}.png")
        browser.close()


def _save(picture, path):
    small = Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
