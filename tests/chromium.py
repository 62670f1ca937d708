"""A real Chromium, driven without a screen; whoever needs one skips where there is none."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), ""
)


@contextmanager
def chromium() -> Generator[Any]:
    """Yield a browser, closed when the block ends."""
    if not CHROMIUM:
        pytest.skip("No Chromium on this machine: the page is not looked at in a browser.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield started
        started.close()
