"""The benchmark tables in README and docs are those of the result files."""

import subprocess
import sys

from snippets.page import HOME


def test_every_page_shows_the_results():
    told = subprocess.run(
        [sys.executable, "table.py", "--check"],
        cwd=HOME / "benchmarks",
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, f"{told.stdout}{told.stderr}Run: python benchmarks/table.py"
