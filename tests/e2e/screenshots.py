"""Take the pictures of docs/airflow.md: the demo's approval while it waits, and its finished graph, in a real browser.

    WHIMBREL_AIRFLOW=build/airflow .venv/bin/python -m tests.e2e.screenshots docs/images

Wants Debian's chromium, and as long as `whimbrel demo --airflow`.
"""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from playwright.sync_api import sync_playwright

from jobs import demo_airflow as demo
from jobs.airflow_services import Airflow, airflow_environment, running
from jobs.console import steps
from jobs.demo import installed
from jobs.releases import Desk
from jobs.synth import synthesise
from privacy.unit import Period

CHROMIUM = "/usr/bin/chromium"
QUIETLY = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SUBSCRIBERS = 20_000
SETTLED_MS = 3_000
"""Pages move to their place some time after they are there, the graph last."""

PATIENCE_MS = 120_000

AS_A_COLUMN = {
    "default_dag_view": "graph",
    f"direction-{demo.WEEKLY}": "DOWN",
    f"{demo.WEEKLY}/open-groups": ["days", demo.KEY.product],
}
"""Airflow's own settings of a browser: the graph, from top to bottom, with its groups open."""


def main(images):
    """Run the demo up to the approval, take its picture, sign, run to the end, take the graph's."""
    environment, week = airflow_environment(), Period.parse(demo.WEEK)
    with TemporaryDirectory() as folder, steps() as progress:
        out = Path(folder)
        synthesise(out / "country", seed=7, subscribers=SUBSCRIBERS, first_day=week.first_day, days=7)
        desk = Desk.of(installed(out))
        demo._deliver(out)
        with running(Airflow(out / "airflow", environment, demo._variables(out))) as airflow:
            assert demo._up_to_the_approval(airflow, progress)
            run = f"/dags/{demo.WEEKLY}/runs/{quote(demo._week_run(airflow))}"
            with page_of(airflow, width=1280, height=640) as page:
                page.goto(f"{airflow.address}{run}/tasks/{demo.KEY.product}.approval/required_actions")
                page.get_by_role("button", name="Approve").wait_for()
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=images / "airflow-approval.png")
            demo._approve(airflow, desk, out)
            demo._reached(airflow, "publish", ("success",))
            with page_of(airflow, width=980, height=1160) as page:
                for name, value in AS_A_COLUMN.items():
                    page.evaluate("([name, value]) => localStorage.setItem(name, value)", [name, json.dumps(value)])
                page.goto(airflow.address + run)
                page.get_by_label("Collapse Details Panel").click()
                page.wait_for_timeout(SETTLED_MS)
                page.get_by_label("Fit View").click()
                page.wait_for_timeout(SETTLED_MS)
                page.screenshot(path=images / "airflow-graph.png")


@contextmanager
def page_of(airflow, *, width, height):
    """A page of a browser in which the DPO has logged in."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIETLY)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{airflow.address}/auth/login")
        page.fill("input[name=username]", "dpo")
        page.fill("input[name=password]", airflow.passwords["dpo"])
        page.click("button[type=submit]")
        page.wait_for_url(f"{airflow.address}/")
        yield page
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
