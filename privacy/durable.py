"""Files that survive a crash: there whole or not at all, under their name or not."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, for its owner only, so that a reader sees the old content or the new, never a half of it.

    The bytes are flushed under another name and then renamed; once this returns, a power cut cannot undo it.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:16]}-")  # mode 0600
    os.close(descriptor)
    try:
        write_flushed(Path(name), content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    flush_names(path.parent)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep others who ask for it waiting; ends with the process, however that ends.

    The lock is the folder's own: it leaves no file, and is another one than that of a lock file in it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_public(path: Path, content: bytes) -> None:
    """Write a file that anybody may read, in a folder that is made where it is missing, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}")
    made.unlink(missing_ok=True)
    write_flushed(made, content)
    made.replace(path)


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file and wait until its bytes are on the disk; for files that become visible with their folder."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def flush_names(folder: Path) -> None:
    """Wait until the names in a folder, hence a rename in it, are on the disk; of a file, its bytes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(folder: Path) -> None:
    """Wait until all files under a folder that others wrote, and their names, are on the disk."""
    for path in (*folder.rglob("*"), folder, folder.parent):
        flush_names(path)
