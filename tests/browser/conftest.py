"""One Chromium for all tests of this folder; no Chromium, no test, and no silence about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import screenshot


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium."""
    try:
        executable = screenshot.chromium()
    except SystemExit as missing:
        pytest.skip(f"NOT TESTED IN A BROWSER: {missing}")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page."""
    opened = browser.new_page()
    yield opened
    opened.close()
