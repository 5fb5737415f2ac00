"""Take a picture of an SVG or HTML file in Chromium: ``python tests/browser/screenshot.py in.svg out.png --dark``."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright


def chromium() -> str:
    """The path of Chromium, or why there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("no Chromium is installed: apt-get install chromium")
    return found


def take(browser: Browser, source: Path, target: Path, *, dark: bool = False, width: int = 0, scale: float = 2) -> None:
    """Write a PNG of the file as an ``<img>`` on a page in the light or dark colour scheme.

    Args:
        browser: a running Chromium.
        source: an SVG, or an HTML page.
        target: where the PNG goes.
        dark: the reader's colour scheme.
        width: CSS width of the image; 0 for its own.
        scale: device pixels for a CSS pixel.
    """
    page = browser.new_page(
        color_scheme="dark" if dark else "light",
        device_scale_factor=scale,
        viewport={"width": width or 760, "height": 600},
    )
    if source.suffix == ".html":
        page.goto(source.resolve().as_uri())
        page.screenshot(path=target, full_page=True)
    else:
        style = f' style="width:{width}px"' if width else ""
        holder = target.with_suffix(".holder.html")
        ground = "#0d1117" if dark else "#ffffff"
        holder.write_text(
            f'<!doctype html><body style="margin:0;background:{ground}"><img src="{source.resolve().as_uri()}"{style}>'
        )
        page.goto(holder.resolve().as_uri())
        page.locator("img").screenshot(path=target)
        holder.unlink()
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--scale", type=float, default=2)
    given = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        take(browser, given.source, given.target, dark=given.dark, width=given.width, scale=given.scale)
        browser.close()


if __name__ == "__main__":
    main()
