"""Options and arguments that several verbs share."""

from pathlib import Path
from typing import Annotated, Final, Literal

import typer

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The installation's configuration.")]
ProductArgument = Annotated[str, typer.Argument(help="A product of the policy, such as od_trips.")]
PeriodArgument = Annotated[str, typer.Argument(help="ISO 8601: 2026-03-02, 2026-W10 or 2026-03.")]
RevisionOption = Annotated[int, typer.Option(min=1, help="Above 1: supersedes the one before, charged again.")]

EngineName = Literal["sail", "spark"]
EngineOption = Annotated[EngineName | None, typer.Option("--engine", help="Overrides the configured engine.")]
ReleaseStep = Literal["reserve", "aggregate", "seal"]
StepOption = Annotated[ReleaseStep | None, typer.Option(help="Only this step; prints no value. Default: all three.")]

LanguageOption = Annotated[list[str], typer.Option(help="en, fr, ar or all; may be given several times.")]

DEFAULT_CONFIG: Final = Path("whimbrel.toml")
