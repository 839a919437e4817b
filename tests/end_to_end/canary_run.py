"""A day at an operator's command line, in one process: run as a program, never imported by a test.

Arguments: the installation's folder, an engine, and a file with one command a line. Everything said goes to standard
output and standard error. Engines explain what they write in `plans.txt`; what they left in temporary folders is copied
before their session ends. Classic Spark writes an event log, and does not compress what it shuffles.
"""

import shutil
import sys
import tempfile
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from jobs import cli, session
from jobs.storage import Storage

ROOT, ENGINE, LINES = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_text().splitlines()


def explaining(real):
    def write_days(self, table, contract, version):
        with (ROOT / "plans.txt").open("a") as plans, redirect_stdout(plans):
            contract.conform(table).explain(extended=True)
        real(self, table, contract, version)

    return write_days


def keeping(real):
    @contextmanager
    def open_session(engine):
        with real(engine) as opened:
            try:
                yield opened
            finally:
                kept = ROOT / "kept" / str(len(list((ROOT / "kept").glob("*"))))
                shutil.copytree(tempfile.gettempdir(), kept, ignore_dangling_symlinks=True)

    return open_session


def run(line):
    """One command: what it ended with goes before what it said."""
    print(f"\n$ whimbrel {line}", flush=True)
    sys.argv = ["whimbrel", *line.split()]
    try:
        cli.run()
    except SystemExit as ended:
        print(f"exit {ended.code or 0}", flush=True)


def main():
    for folder in ("kept", "events"):
        (ROOT / folder).mkdir()
    session.SPARK_SETTINGS.update(
        {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": (ROOT / "events").as_uri(),
            "spark.eventLog.compress": "false",
            "spark.shuffle.compress": "false",
            "spark.shuffle.spill.compress": "false",
        }
    )
    Storage.write_days = explaining(Storage.write_days)
    session.open_session = keeping(session.open_session)
    for line in LINES:
        run(f"{line} --engine {ENGINE}" if line.startswith(("exclude", "ingest", "release")) else line)


if __name__ == "__main__":
    main()
