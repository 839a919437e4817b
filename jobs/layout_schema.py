"""The JSON schema of a mapping, from its code: `python -m jobs.layout_schema docs/source-mapping.schema.json`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.layouts import SourceConfig
from schemas.errors import ConfigError


def layout_schema() -> str:
    """Return the JSON schema of `[sources.NAME]`."""
    return json.dumps(SourceConfig.model_json_schema(), indent=1, sort_keys=True) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write the schema to the path given.

    Raises:
        ConfigError: There is not exactly one path.
    """
    if len(arguments) != 1:
        raise ConfigError(f"{len(arguments)} paths were given.", "one: the file to write", "name the file")
    Path(arguments[0]).write_text(layout_schema(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
