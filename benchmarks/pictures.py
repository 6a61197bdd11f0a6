"""
The pictures of docs/web.md: pages with the lines of a made-up shop, in Chromium.

    python benchmarks/pictures.py

Needs the packages of the group `web`, and Chromium.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from made_up_shop import access_lines, imported, lines, written
from playwright.sync_api import Browser, sync_playwright

_PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"


@contextmanager
def _serving(*files: str) -> Iterator[str]:
    """Serve the page of some files; its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", "ctxlog", "web", *files],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _pictures_of_web(browser: Browser, folder: Path) -> None:
    """Make the pictures of `ctxlog web`."""
    with _serving(*written(folder / "shop", lines())) as address:
        for name, width, scheme in (
            ("web", 1100, "light"),
            ("web-dark", 1100, "dark"),
            ("web-phone", 390, "light"),
        ):
            page = browser.new_page(
                viewport={"width": width, "height": 560}, color_scheme=scheme
            )
            page.goto(address + "?errors=1" * (scheme == "dark"))
            page.locator(".entry.bad").first.click()
            page.locator(".row.bad").last.click()
            page.locator(".detail").wait_for()
            page.screenshot(path=_PICTURES / f"{name}.png")
            page.close()


def _picture_of_access_lines(browser: Browser, folder: Path) -> None:
    """Make the picture of `ctxlog web` for an access log without ids."""
    log = folder / "access.log"
    log.write_text("".join(access_lines()))
    with _serving(str(log)) as address:
        page = browser.new_page(viewport={"width": 1100, "height": 480})
        page.goto(address)
        page.locator(".entry.bad").first.click()
        page.locator("pre.raw").wait_for()
        page.screenshot(path=_PICTURES / "web-access.png")
        page.close()


def _pictures_of_pages(browser: Browser, folder: Path) -> None:
    """Make the pictures of `ctxlog timeline --html`; print how large its pages are."""
    for number, widths in ((2_000, (1100, 390)), (100_000, (1100,))):
        files = written(folder / str(number), imported(number))
        made = folder / f"{number}.html"
        command = ["timeline", *files, "-r", "5d0c", "--html", str(made)]
        subprocess.run([sys.executable, "-m", "ctxlog", *command], check=True)
        size = sum(Path(file).stat().st_size for file in files)
        print(f"{number} lines, {size} bytes: a page of {made.stat().st_size}")
        for width in widths:
            page = browser.new_page(viewport={"width": width, "height": 580})
            page.goto(f"{made.as_uri()}#line-{number // 2}")
            page.locator(".detail").wait_for()
            kind = "-phone" if width < 500 else ""
            page.screenshot(path=_PICTURES / f"timeline-{number}{kind}.png")
            page.close()


def main() -> None:
    """Make the pictures."""
    _PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        _pictures_of_web(browser, Path(name))
        _picture_of_access_lines(browser, Path(name))
        _pictures_of_pages(browser, Path(name))
        browser.close()


if __name__ == "__main__":
    main()
