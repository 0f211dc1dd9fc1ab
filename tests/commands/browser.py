"""A browser for the tests of reports: Chromium, driven by Playwright, with nobody to call.

Where ``IMALIGN_REQUIRE`` names "browser", as in ``.ci/run``, nothing is skipped: what is missing
fails.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "apt-get install chromium; pip install 'align-cli[browser]'"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NARROW, WIDE = 400, 1400


def program() -> str:
    """The path of the browser; a test without one is skipped, and says how to get it."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    needed = ("playwright", "axe_playwright_python")
    if path is None or not all(map(importlib.util.find_spec, needed)):
        if "browser" in os.environ.get("IMALIGN_REQUIRE", "").split(","):
            pytest.fail(f"no browser: {INSTALL}")
        pytest.skip(f"no browser to open reports: {INSTALL}")
    return path


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser."""
    path = program()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (may be absent)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Opened:
    """A page that is open, with all that it said and asked for.

    Attributes:
        page: Playwright's.
        said: on its console, and errors.
        asked: addresses beside its own and pictures in it.
    """

    def __init__(self, browser: Any, path: os.PathLike[str], width: int, **how: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **how)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", self._request)
        self.page.goto(f"file://{os.fspath(path)}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("data:", "file:///")) or request.url.endswith("/x"):
            self.asked.append(request.url)

    def press(self, *keys: str) -> None:
        """Type some keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def mode(self) -> str:
        """What the viewer shows."""
        return str(self.page.locator("[data-viewer]").get_attribute("data-mode"))

    @property
    def zoom(self) -> str:
        """What it says of its scale."""
        return str(self.page.locator("[data-zoom]").inner_text())

    def stage(self, mode: str = "") -> np.ndarray:
        """(H, W, 3) uint8 RGB, what a stage shows, after typing the key of a mode."""
        if mode:
            self.press(mode)
        hidden = ".line, .tag { visibility: hidden !important; }"
        shot = self.page.locator("[data-stage]").first.screenshot(style=hidden)
        return cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR_RGB)

    def serious_faults(self) -> list[str]:
        """What axe-core finds, of those that keep somebody out."""
        from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  (may be absent)

        found = Axe().run(self.page).response["violations"]
        grave = [each for each in found if each["impact"] in ("serious", "critical")]
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in grave]

    def close(self) -> None:
        """Close it."""
        self.context.close()
