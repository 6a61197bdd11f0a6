"""
The pages, driven by keys and a mouse in headless Chromium.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ctxlog.__main__ import main
from tests.helpers import LIMIT, need
from tests.viewer.serving import line, serving, written

need("playwright", "starlette", "uvicorn")

from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="there is no chromium on this machine: apt-get install chromium",
)

expect.set_options(timeout=LIMIT * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """A page whose console stays empty."""
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("dialog", lambda dialog: problems.append(dialog.message))
    yield opened
    opened.close()
    assert problems == []


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of 50 requests."""
    with serving([written(tmp_path_factory.mktemp("log"))]) as found:
        yield found


def test_keys_are_enough(page: Page, address: str) -> None:
    """From the list to a line and back, without a mouse."""
    page.goto(address)
    expect(page.locator(".entry")).to_have_count(50)
    page.keyboard.press("e")
    expect(page.locator(".entry")).to_have_count(5)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".row")).to_have_count(2)
    expect(page.locator("h1")).to_contain_text("POST /orders")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator(".detail .whole")).to_be_visible()
    page.keyboard.press("r")
    expect(page.locator("pre.raw")).to_contain_text('"requestID": "req-49"')
    page.keyboard.press("Escape")
    expect(page.locator(".detail")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("order 39 ")
    expect(page.locator(".entry")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_the_address_keeps_what_is_chosen(page: Page, address: str) -> None:
    """Opened again, it shows the same."""
    page.goto(address)
    page.locator("[name=errors]").check()
    expect(page.locator(".entry")).to_have_count(5)
    page.locator(".entry").nth(1).click()
    expect(page.locator(".facts .id")).to_have_text("req-39")
    page.goto(page.url)
    expect(page.locator(".entry")).to_have_count(5)
    expect(page.locator(".facts .id")).to_have_text("req-39")


def test_what_is_copied_finds_the_same(
    page: Page, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command prints the requests that are listed, by any part of their ids."""
    page.goto(f"{address}?request=q-3&errors=1")
    expect(page.locator(".entry")).to_have_count(1)
    page.goto(f"{address}?request=q-3")
    expect(page.locator(".entry")).to_have_count(10)
    _, *words = shlex.split(page.evaluate("command()"))
    assert main([*words, "--no-pager"]) == 0
    shown = re.findall(r"^req-\d\d(?=  )", capfd.readouterr().out, re.MULTILINE)
    assert shown == [f"req-{number}" for number in range(30, 40)]


def test_a_time_is_chosen_by_brushing(page: Page, address: str) -> None:
    """To drag over the histogram chooses, a click takes it back."""
    page.goto(address)
    expect(page.locator(".entry")).to_have_count(50)
    box = page.locator("#histogram").bounding_box()
    assert box
    across = box["y"] + 20
    page.mouse.move(box["x"] + box["width"] * 0.5, across)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"], across, steps=4)
    page.mouse.up()
    expect(page.locator(".entry")).to_have_count(25)
    assert "since=" in page.url
    page.mouse.click(box["x"] + 20, across)
    expect(page.locator(".entry")).to_have_count(50)


def test_what_is_written_appears(page: Page, tmp_path: Path) -> None:
    """A new request comes first, and the open one grows."""
    log = written(tmp_path)
    with serving([log]) as address:
        page.goto(address)
        page.locator(".entry").first.click()
        expect(page.locator(".row")).to_have_count(2)
        with log.open("a", encoding="utf-8") as file:
            file.write(line(4000, "ERROR", "too late", "req-49"))
            file.write(line(5000, "INFO", "new", "req-new"))
        expect(page.locator(".entry .id").first).to_have_text("req-new")
        expect(page.locator(".row")).to_have_count(3)
        expect(page.locator(".row.bad").last).to_contain_text("too late")
        page.goto("about:blank")


def test_a_press_counts_though_the_list_is_made_anew(
    page: Page, tmp_path: Path
) -> None:
    """What was pressed opens, also if a line is written before it is let go."""
    log = written(tmp_path)
    with serving([log]) as address:
        page.goto(address)
        page.locator(".entry", has_text="req-47").hover()
        page.mouse.down()
        with log.open("a", encoding="utf-8") as file:
            file.write(line(5000, "INFO", "new", "req-new"))
        expect(page.locator(".entry")).to_have_count(51)
        page.mouse.up()
        expect(page.locator(".facts .id")).to_have_text("req-47")
        page.goto("about:blank")


def test_the_fields_choose(page: Page, address: str) -> None:
    """Requests by several fields at once, and its lines by theirs."""
    page.goto(address)
    page.locator("#more").click()
    page.locator("[name=level]").select_option("error")
    page.locator("[name=request]").fill("req-1")
    expect(page.locator(".entry .id")).to_have_text(["req-19"])
    page.locator(".entry").click()
    expect(page.locator(".row")).to_have_count(2)
    page.locator(".filters select").first.select_option("error")
    expect(page.locator(".row")).to_have_count(1)
    page.locator(".filters input[type=search]").fill("nowhere")
    expect(page.locator(".filters output")).to_have_text("0 of 2 lines")


EVIL = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\"'><svg/onload=alert(1)>",
    "${alert(1)}{{alert(1)}}&lt;b&gt;",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("evil", EVIL)
def test_no_value_becomes_markup(page: Page, tmp_path: Path, evil: str) -> None:
    """A line shows its tags as text: in the list, the request, the raw line, alone."""
    log, alone = tmp_path / "x.log", tmp_path / "x.html"
    fields = {"path": evil, "method": evil, "user": evil, evil: evil, "service": evil}
    other = line(1, "INFO", evil, evil, service="other")
    log.write_text(line(0, "ERROR", evil, evil, **fields) + other)
    assert main(["timeline", str(log), "-r", evil, "--html", str(alone)]) == 0
    with serving([log]) as address:
        for where in (address, alone.as_uri()):
            page.goto(where)
            if where == address:
                page.locator(".entry").click()
            page.locator(".row").first.click()
            expect(page.locator(".detail .whole")).to_have_text(evil)
            expect(page.locator("option", has_text=evil)).to_have_count(1)
            if where == address:
                page.keyboard.press("r")
                raw = json.dumps(evil)[1:-1]
                expect(page.locator("pre.raw")).to_contain_text(raw)
            assert page.locator("img, svg, script:not([src]) ~ script").count() == 0
        page.goto("about:blank")


def test_no_value_controls_what_is_shown(page: Page, tmp_path: Path) -> None:
    """Marks of direction and control characters are shown as what they are."""
    log = tmp_path / "x.log"
    log.write_text(line(0, "ERROR", "a\u202eb\x1b[31m\x00\u2066c", "req-\u202eA"))
    with serving([log]) as address:
        page.goto(address)
        expect(page.locator(".entry .name")).to_have_text(r"req-\u202eA")
        page.locator(".entry").click()
        shown = r"a\u202eb\u001b[31m\u0000\u2066c"
        expect(page.locator(".row .message")).to_have_text(shown)
        page.goto("about:blank")


def test_lines_outside_of_requests_come_first(page: Page, tmp_path: Path) -> None:
    """A start-up that failed is an entry of its own, which grows and is searched."""
    log = written(tmp_path)
    fields = {"level": "ERROR", "message": "cannot start", "service": "shop"}
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")
    with serving([log]) as address:
        page.goto(address)
        first = page.locator(".entry").first
        expect(first.locator(".name")).to_have_text("outside of requests")
        expect(page.locator("#count")).to_have_text("50 requests · 5 failed")
        first.click()
        expect(page.locator("h1")).to_have_text("outside of requests")
        expect(page.locator(".row .message")).to_have_text(["cannot start"])
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**fields, "message": "cannot stop"}) + "\n")
        stop = ["cannot start", "cannot stop"]
        expect(page.locator(".row .message")).to_have_text(stop)
        page.locator("[name=grep]").fill("stop")
        expect(page.locator(".row .message")).to_have_text(stop[1:])
        page.goto(page.url)
        expect(page.locator(".row .message")).to_have_text(stop[1:])
        page.goto("about:blank")


def test_an_access_log_without_ids(page: Page, tmp_path: Path) -> None:
    """Its lines are listed and brushed, open as they stand, and keep an address."""
    log = tmp_path / "access.log"
    log.write_text(
        "".join(
            f"10.0.0.7 - - [31/Jan/2026:12:{number:02d}:00 +0000] "
            f'"GET /orders/{number} HTTP/1.1" {503 if number % 10 == 9 else 200} 42\n'
            for number in range(60)
        )
    )
    with serving([log]) as address:
        page.goto(address)
        expect(page.locator(".entry")).to_have_count(60)
        expect(page.locator("#count")).to_contain_text("no line has a request's id")
        expect(page.locator(".entry.bad").first).to_contain_text("GET /orders/59")
        box = page.locator("#histogram").bounding_box()
        assert box
        page.mouse.move(box["x"], box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20, steps=4)
        page.mouse.up()
        expect(page.locator(".entry")).to_have_count(30)
        page.locator(".entry", has_text="/orders/17").click()
        for _ in range(2):
            expect(page.locator("h1 .name")).to_have_text("GET /orders/17")
            expect(page.locator("pre.raw")).to_contain_text('"GET /orders/17 HTTP/1.1"')
            expect(page.locator(".entry.opened")).to_contain_text("/orders/17")
            page.goto(page.url)
        page.goto("about:blank")


def test_a_command_that_prints_something_else_is_not_offered(
    page: Page, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`ctxlog show` prints lines without an id, but not by how long they took."""
    log = tmp_path / "access.log"
    members = {"method": "GET", "path": "/", "status": 200, "duration_ms": 900}
    log.write_text((json.dumps({"time": "2026-01-31T12:00:00Z", **members}) + "\n") * 2)
    with serving([log]) as address:
        page.goto(f"{address}?status=2xx")
        expect(page.locator(".entry")).to_have_count(2)
        _, *words = shlex.split(page.evaluate("command()"))
        assert main([*words, "--json"]) == 0
        assert capfd.readouterr().out == log.read_text()
        page.goto(f"{address}?slow=500ms")
        expect(page.locator(".entry")).to_have_count(2)
        expect(page.locator("#copy")).to_be_hidden()
        page.locator(".entry").first.click()
        expect(page.locator("#copy")).to_be_visible()
        page.goto("about:blank")


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off(page: Page, address: str, width: int) -> None:
    """No part is wider than the window, the list, a request and an open line."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    too_wide = "document.documentElement.scrollWidth > innerWidth"
    page.locator(".entry").first.click()
    page.locator(".row").first.click()
    expect(page.locator(".detail")).to_be_visible()
    assert not page.evaluate(too_wide)
    if width == 390:
        expect(page.locator("aside")).to_be_hidden()
        page.locator("#back").click()
        expect(page.locator("aside")).to_be_visible()
        assert not page.evaluate(too_wide)


def test_a_page_of_many_lines(page: Page, tmp_path: Path) -> None:
    """20,000 lines: few are elements, and the address of one leads to it."""
    log, alone = tmp_path / "big.log", tmp_path / "big.html"
    with log.open("w", encoding="utf-8") as file:
        for number in range(20_000):
            file.write(line(number / 1000, "INFO", f"step {number}", "req-A"))
    assert main(["timeline", str(log), "-r", "req-A", "--html", str(alone)]) == 0
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto("about:blank")
        page.goto(f"{alone.as_uri()}#line-15000")
        expect(page.locator("#line-15000")).to_contain_text("step 14999")
        expect(page.locator(".detail .whole")).to_be_in_viewport()
        assert page.locator(".row").count() < 100
    page.locator("input[type=search]").fill("step 777")
    expect(page.locator(".filters output")).to_have_text("11 of 20,000 lines")
