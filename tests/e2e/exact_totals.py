"""Run by spark-submit: write the bounded totals of a week's trips before noise, of the synthetic country, as JSON."""

import json
import sys
from pathlib import Path

from jobs.config import Config
from jobs.releases import Desk
from jobs.session import open_session
from privacy.unit import Period

toml, week, out = sys.argv[1:]
desk = Desk.of(Config.load(Path(toml)))
with open_session(desk.config.engine) as session:
    bounded = desk.bounded_for_evaluation(desk.plan("od_trips", Period.parse(week), 1), session)
Path(out).write_text(json.dumps(dict(zip(map(int, bounded.keys), map(int, bounded.totals), strict=True))))
