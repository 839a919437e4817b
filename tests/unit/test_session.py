"""What an engine leaves on the machine."""

import subprocess
import sys
from pathlib import Path

TWICE = """
from jobs.engine_folder import engine_folder
first = engine_folder()
(first / "spill").touch()
assert engine_folder() == first
print(first)
"""


def test_all_sessions_of_a_process_use_one_folder_that_is_gone_when_it_ends():
    """A JVM outlives its sessions and writes to the folder of the first: had each its own, that one would come back."""
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())

    assert folder.name.startswith("whimbrel-engine-")
    assert not folder.exists()
