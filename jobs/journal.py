"""What a run tells those who operate Whimbrel: lines of JSON on standard error, where `WHIMBREL_LOG=json` asks for it.

A line says when which step of which verb began or ended, of which product and period, and how the verb ended. Instants
and durations depend on records: these lines are confidential, as engine logs are, and stay inside. They hold no count
and no identifier.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from jobs import metrics
from jobs.config import Config

VARIABLE: Final = "WHIMBREL_LOG"


@dataclass
class Run:
    """One run of the command line.

    Args:
        verb: Which verb.
        about: Product, period and the like: what the verb was asked for.
        config: The installation, once the verb has read it.
        began_s: When it began, by a clock that only goes forward.
    """

    verb: str = ""
    about: dict[str, str] = field(default_factory=dict)
    config: Config | None = None
    began_s: float = field(default_factory=time.monotonic)


_RUN: Final[ContextVar[Run]] = ContextVar("run")


def present() -> Run:
    """Return the run of this process; an empty one where no command line runs."""
    return _RUN.get(None) or Run()


def is_on() -> bool:
    """Tell whether lines are asked for."""
    return os.environ.get(VARIABLE) == "json"


def tell(level: str, event: str, **more: str | float | None) -> None:
    """Write one line, if lines are asked for.

    Args:
        level: `info` or `error`.
        event: What happened.
        more: Further fields; those that are missing are left out.
    """
    if not is_on():
        return
    run, at = present(), datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"at": at, "level": level, "event": event, "verb": run.verb, **run.about, **more}
    print(json.dumps({name: value for name, value in line.items() if value is not None}), file=sys.stderr, flush=True)  # noqa: T201  a log line, whole, not wrapped


@contextmanager
def recorded() -> Iterator[Run]:
    """Follow a run to its end: its last line, and the metrics of its installation, whatever it ended with."""
    token, code = _RUN.set(Run()), 1
    run = present()
    try:
        yield run
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise
    finally:
        tell("error" if code else "info", "ended", exit_code=code, duration_s=round(time.monotonic() - run.began_s, 3))
        if run.config:
            metrics.record(run.config, run.verb, code, datetime.now(UTC))
        _RUN.reset(token)
