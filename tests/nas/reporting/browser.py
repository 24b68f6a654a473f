"""Headless Chromium that reaches no network, and tells what a page did wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Playwright, Route

from ...services import CHROMIUM

#: Parallel coordinates are drawn by WebGL; here by the processor. All else without that detour,
#: which keeps a core busy for as long as something on a page turns.
_ARGUMENTS = (
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--disable-gpu-rasterization", "--disable-gpu-compositing",
)  # fmt: skip
_WITHIN_THE_PAGE = ("data:", "blob:")
#: A busy machine fails nothing.
_PATIENCE_MS = 300_000


def start_chromium(playwright: Playwright, config: pytest.Config, folder: Path) -> Browser:
    """The first on this machine that starts, and may read the files of ``folder``."""
    (folder / "empty.html").touch()
    reasons = []
    for program in CHROMIUM.require(config):
        try:
            browser = playwright.chromium.launch(
                executable_path=program, args=list(_ARGUMENTS), timeout=_PATIENCE_MS
            )
            # One in a sandbox, such as a snap, sees no temporary files but its own.
            with browser.new_page() as page:
                page.goto((folder / "empty.html").as_uri(), timeout=_PATIENCE_MS)
        except Error as error:
            reasons.append(f"{program}: {error.message.splitlines()[0]}")
        else:
            return browser
    return CHROMIUM.miss(config, f"is of no use: {'; '.join(reasons)}")


@dataclass
class Visit:
    """A page that was opened, its faults, and every address outside of ``allowed`` it asked for."""

    page: Page
    allowed: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def judge(self, route: Route) -> None:
        address = route.request.url
        if address.startswith((self.allowed, *_WITHIN_THE_PAGE)):
            route.continue_()
        else:
            self.outside.append(address)
            route.abort()

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def require_faultless(self) -> None:
        """Since it was last asked."""
        faults = self.errors + self.outside
        self.errors, self.outside = [], []
        assert faults == []


@contextlib.contextmanager
def visiting(
    browser: Browser, address: str, allowed: str, *, width: int = 1280, dark: bool = False
) -> Iterator[Visit]:
    """Opens ``address``; requests that don't begin with ``allowed`` are refused and noted.

    Narrow pages are a phone's, with a finger.
    """
    phone = width < 600
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme="dark" if dark else "light",
        is_mobile=phone, has_touch=phone, accept_downloads=True, reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(_PATIENCE_MS)
    visit = Visit(context.new_page(), allowed)
    visit.page.route("**/*", visit.judge)
    visit.page.on("console", visit.hear)
    visit.page.on("pageerror", lambda error: visit.errors.append(str(error)))
    visit.page.goto(address)
    yield visit
    context.close()


def draw_all(page: Page) -> list[str]:
    """Scrolls to every plot of a report and waits until it is drawn; their ids."""
    names = []
    for place in page.locator("figure:not([hidden]) .drawing").all():
        place.scroll_into_view_if_needed()
        name = place.get_attribute("id")
        assert name
        page.wait_for_selector(f"#{name}[data-drawn]")
        names.append(name)
    return names


def keep_screenshot(place: Page | Locator, folder: Path, name: str) -> None:
    """``folder/screenshots/NAME.png``: what is seen of a page, or one part of it whole."""
    place.screenshot(path=folder / "screenshots" / f"{name}.png")


def keep_sections(page: Page, folder: Path, name: str) -> None:
    """A screenshot for each section of a report: whole, it is taller than Chromium can draw."""
    for index, part in enumerate(page.locator("header, main > section").all()):
        keep_screenshot(part, folder, f"{name}-{index}")
