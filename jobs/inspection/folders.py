"""How folders seem to name the time of the files in them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jobs.inspection.sample import Certainty, Guess

_PAIR: Final = re.compile(r"(\w+)=(.+)")
_BY_NAME: Final = {"year": "yyyy", "yyyy": "yyyy", "month": "M", "mm": "M", "day": "d", "dd": "d",
                   "hour": "H", "hh": "H", "h": "H"}  # fmt: skip
_BY_VALUE: Final = {r"\d{4}-\d{2}-\d{2}": "yyyy-MM-dd", r"20\d{6}": "yyyyMMdd", r"20\d{8}": "yyyyMMddHH"}


def folders_of(files: Sequence[Path]) -> tuple[dict[str, object], tuple[Guess, ...]]:
    """Guess the key `folders` of a mapping; nothing where no folder is named `name=value`."""
    paths = [_pairs(file) for file in files]
    names = list(paths[0]) if paths else []
    if not names or any(list(path) != names for path in paths):
        return {}, ()
    masks = {name: _mask(name, [path[name] for path in paths]) for name in names}
    text = "/".join(f"{name}={mask}" for name, mask in masks.items())
    told = "".join(masks.values())
    certainty = Certainty.LIKELY if "y" in told else Certainty.CANNOT_TELL
    reason = "names and values of the folders" if "y" in told else "the folders tell no day"
    return {"folders": text}, (Guess("folders", text, certainty, reason),)


def _pairs(file: Path) -> Mapping[str, str]:
    found = (_PAIR.fullmatch(part) for part in file.resolve().parts[:-1])
    return {match[1]: match[2] for match in found if match}


def _mask(name: str, values: Sequence[str]) -> str:
    by_value = (mask for pattern, mask in _BY_VALUE.items() if all(re.fullmatch(pattern, value) for value in values))
    if (mask := next(by_value, None)) is not None:
        return mask
    letters = _BY_NAME.get(name.lower(), "*")
    if letters in {"M", "d", "H"} and all(re.fullmatch(r"\d{2}", value) for value in values):
        return 2 * letters
    return letters if all(value.isdigit() for value in values) else "*"
