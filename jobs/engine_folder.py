"""The folder for what an engine shuffles and spills, subscribers' rows: gone with the process, or with the next."""

import atexit
import fcntl
import os
import re
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

_PREFIX: Final = "whimbrel-engine-"
_OWNER: Final = re.compile(rf"{_PREFIX}(\d+)-", re.ASCII)


@cache
def engine_folder() -> Path:
    """Make the folder of this process, for its owner only; those that killed processes left are removed first.

    One a process: a JVM outlives a session and writes to the first folder that it was told, whatever a later session
    says.
    """
    _remove_orphans(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    _lock(folder)  # until the process ends
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _remove_orphans(temporary: Path) -> None:
    """Remove the folders of ours whose process is gone: no process has its number here, and nothing holds its lock.

    Both, because machines that share a folder for temporary files do not see each other's processes.
    """
    for folder in temporary.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another run removes it just now, or it is another user's
            if not _is_alive(folder) and folder.stat().st_uid == os.getuid():
                os.close(_lock(folder))
                shutil.rmtree(folder)


def _is_alive(folder: Path) -> bool:
    owner = _OWNER.match(folder.name)
    return owner is None or Path("/proc", owner[1]).exists()


def _lock(folder: Path) -> int:
    """Hold a folder for as long as what is returned stays open.

    Raises:
        BlockingIOError: Somebody else holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
