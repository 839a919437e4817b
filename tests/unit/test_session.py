"""What an engine leaves on the machine."""

import subprocess
import sys
from pathlib import Path

TWICE = """
from jobs.session import _local_folder
first = _local_folder()
(first / "spill").touch()
assert _local_folder() == first
print(first)
"""


def test_all_sessions_of_a_process_use_one_folder_that_is_gone_when_it_ends():
    """A JVM outlives its sessions and writes to the folder of the first: had each its own, that one would come back."""
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())

    assert folder.name.startswith("whimbrel-spark-")
    assert not folder.exists()
