"""How large and how quick the explorer is in a real Chromium: 800 zones, 12 weeks, 300 flows a week.

    python -m tests.benchmarks.explorer

First draw: from the navigation until the page's program has painted everything. Slider step: an arrow key, until the
next frame is drawn. Prints a table and writes out/bench/explorer.json. Limits: 1.5 MB, 300 ms, 50 ms (median).
"""

import json
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.explorers import page_of, sized

LOADS, STEPS = 7, 60

STEP = """async (key) => {
  const slider = document.getElementById("period");
  const began = performance.now();
  slider.value = Number(slider.value) + key;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  const worked = performance.now() - began;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return [worked, performance.now() - began];
}"""


def measure(page):
    """First draws and slider steps of a page, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder) / "explorer.html"
        path.write_bytes(page)
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        draws = [_first_draw(tab, f"{path.as_uri()}#lang=en&level=h6") for _ in range(LOADS)]
        tab.locator("#period").fill("0")
        keys = [1 if (k // 11) % 2 == 0 else -1 for k in range(STEPS)]
        steps = [tab.evaluate(STEP, key) for key in keys]
        browser.close()
    return draws, [step[0] for step in steps], [step[1] for step in steps]


def _first_draw(tab, address):
    tab.goto("about:blank")
    tab.goto(address)
    return tab.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")


def summary(values):
    """Median and 95th percentile."""
    return {
        "median_ms": round(statistics.median(values), 1),
        "p95_ms": round(statistics.quantiles(values, n=20)[-1], 1),
    }


def main():
    page = page_of(sized())
    draws, worked, framed = measure(page)
    found = {
        "zones": 800, "weeks": 12, "flows": 300, "bytes": len(page), "first_draw": summary(draws),
        "slider_step": summary(worked), "slider_step_to_frame": summary(framed),
    }  # fmt: skip
    out = Path("out/bench/explorer.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{'':24}{'median':>10}{'p95':>10}{'limit':>10}")
    print(f"{'size, kB':24}{len(page) / 1e3:>10.0f}{'':>10}{1500:>10}")
    for name, key, limit in (
        ("first draw, ms", "first_draw", 300),
        ("slider step, ms", "slider_step", 50),
        ("to the next frame, ms", "slider_step_to_frame", 50),
    ):
        print(f"{name:24}{found[key]['median_ms']:>10}{found[key]['p95_ms']:>10}{limit:>10}")


if __name__ == "__main__":
    main()
