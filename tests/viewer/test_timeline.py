"""
`ctxlog timeline`: one request as a waterfall, in the terminal and as a page.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ctxlog.__main__ import main


def _line(at: float, level: str, message: str, **more: object) -> str:
    fields = {
        "timestamp": f"2026-11-25T06:50:00.{round(at * 1000):06d}Z",
        "level": level,
        "requestID": "req-A",
        "message": message,
        "service": "shop",
        **more,
    }
    return json.dumps(fields) + "\n"


_STACK = "Traceback:\n  line\nValueError: x"
_WHOLE = {"method": "POST", "path": "/orders", "status": 500, "durationMs": 100.0}
LINES = "".join(
    (
        _line(0, "INFO", "Handling an order"),
        _line(10, "INFO", "of another", requestID="req-B"),
        _line(50, "INFO", "POST payments/charge 201", durationMs=40.0),
        _line(
            80,
            "ERROR",
            "<script>alert(1)</script> & refused",
            exception={"type": "ValueError", "message": "x", "stack": _STACK},
        ),
        _line(100, "ERROR", "POST /orders 500", **_WHOLE),
    )
)
OTHER = "".join(
    (
        _line(30, "WARNING", "a slow database", service="payments"),
        _line(
            200,
            "INFO",
            "mail succeeded",
            service="worker",
            task="mail",
            durationMs=60.0,
        ),
    )
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """The files of two services."""
    first, second = tmp_path / "shop.log", tmp_path / "others.log"
    first.write_text(LINES, encoding="utf-8")
    second.write_text(OTHER, encoding="utf-8")
    return str(first), str(second)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: exit code, output, complaints."""

    def running(*arguments: str) -> tuple[int, str, str]:
        code = main(["timeline", *arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return running


def test_the_lines_of_all_services_by_when_they_begin(
    run: Run, files: tuple[str, str]
) -> None:
    """Lines of several files are one request, each at its place."""
    code, out, err = run(*files, "-r", "req-A")
    header, *lines = out.splitlines()
    assert (code, err) == (0, "")
    assert header == "req-A  POST  /orders  500  2026-11-25T06:50:00.000Z  200.0 ms"
    shown = [re.sub(r"\|.*\|", "|", line).split() for line in lines]
    assert [" ".join(words) for words in shown] == [
        "shop | 0.0 INFO Handling an order",
        "shop | 100.0 ERROR POST /orders 500 (100.0 ms)",
        "shop | 50.0 INFO POST payments/charge 201 (40.0 ms)",
        "payments | 30.0 WARNING a slow database",
        "shop | 80.0 ERROR <script>alert(1)</script> & refused",
        "worker / mail | 200.0 INFO mail succeeded (60.0 ms)",
    ]


def test_bars_stand_where_the_time_went(run: Run, files: tuple[str, str]) -> None:
    """A bar begins and ends in proportion; a line without a duration is a point."""
    _, out, _ = run(*files, "-r", "req-A")
    bars = [re.search(r"\|(.*)\|", line)[1] for line in out.splitlines()[1:]]  # type: ignore[index]
    space = len(bars[0])
    assert {len(bar) for bar in bars} == {space}
    first, whole, call, point, _, task = bars
    assert first.strip() == "·"
    assert whole.count("█") == pytest.approx(space / 2, abs=1)
    assert call.index("█") / space == pytest.approx(10 / 200, abs=0.05)
    assert point.strip() == "·"
    assert point.index("·") / space == pytest.approx(30 / 200, abs=0.05)
    assert task.rstrip().endswith("█")
    assert task.index("█") / space == pytest.approx(140 / 200, abs=0.05)


@pytest.mark.parametrize(
    ("zone", "shown", "ahead"),
    [
        ((), "2026-11-25T06:50:00.000Z", 0),
        (("--tz", "+05:30"), "2026-11-25T12:20:00.000+05:30", 19_800_000),
        (("--tz", "America/New_York"), "2026-11-25T01:50:00.000-05:00", -18_000_000),
    ],
)
def test_times_in_a_zone(
    run: Run, files: tuple[str, str], zone: Sequence[str], shown: str, ahead: int
) -> None:
    """When the request began is said in the zone, and the page knows it."""
    page = Path(files[0]).with_suffix(".html")
    _, out, _ = run(*files, "-r", "req-A", *zone)
    assert out.splitlines()[0].split("  ")[4] == shown
    run(*files, "-r", "req-A", *zone, "--html", str(page))
    assert data_of(page.read_text(encoding="utf-8"))["head"]["ahead"] == ahead


def test_the_systems_zone(
    run: Run, files: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --local times are those of the system's zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process cannot be set here")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-03:00")
        time.tzset()
        _, out, _ = run(*files, "-r", "req-A", "--local")
    time.tzset()
    assert "2026-11-25T09:50:00.000+03:00" in out


@pytest.mark.parametrize("zone", ["+14:00", "-14:00"])
@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_ends_of_the_calendar(run: Run, tmp_path: Path, at: str, zone: str) -> None:
    """A time that no calendar has in this zone, or by its duration, is shown."""
    log, page = tmp_path / "x.log", tmp_path / "x.html"
    log.write_text(_line(0, "INFO", "x", timestamp=at, durationMs=9e9))
    assert run(str(log), "-r", "req-A", f"--tz={zone}")[0] == 0
    assert run(str(log), "-r", "req-A", f"--tz={zone}", "--html", str(page))[0] == 0


@pytest.mark.parametrize("name", ["service.name", "service_name", "app_name", "name"])
def test_a_lane_is_of_a_service_by_any_of_its_names(
    run: Run, tmp_path: Path, name: str
) -> None:
    """The names are those by which the service of a line is known elsewhere, too."""
    log = tmp_path / "x.log"
    log.write_text(
        json.dumps({**json.loads(LINES.splitlines()[0]), "service": None, name: "mine"})
    )
    assert run(str(log), "-r", "req-A")[1].splitlines()[1].startswith("mine  |")


def test_hidden_fields(run: Run, files: tuple[str, str]) -> None:
    """What is hidden is on no line of the page, and in no lane."""
    page = Path(files[0]).with_suffix(".html")
    hide = ("--hide", "task", "--hide", "durationMs")
    _, out, _ = run(*files, "-r", "req-A", *hide)
    assert {line.split("|")[0].strip() for line in out.splitlines()[1:]} == {
        *("shop", "payments", "worker"),
    }
    run(*files, "-r", "req-A", *hide, "--html", str(page))
    rows = data_of(page.read_text(encoding="utf-8"))["rows"]
    names = {name for row in rows for name in row[9][::2]}
    assert names == {"service", "method", "path", "status"}
    assert {row[7] for row in rows} == {"shop", "payments", "worker"}


@pytest.mark.parametrize(("given", "code"), [("req-", 2), ("nobody", 1)])
def test_which_request(run: Run, files: tuple[str, str], given: str, code: int) -> None:
    """A prefix of several ids is ambiguous, a prefix of none finds nothing."""
    found, out, err = run(*files, "-r", given)
    assert (found, out) == (code, "")
    assert ("several" in err) == (code == 2)


def test_a_page_that_cannot_be_written(run: Run, files: tuple[str, str]) -> None:
    """It says why, and the exit code is 2."""
    code, _, err = run(*files, "-r", "req-A", "--html", "/no/such/folder/x.html")
    assert code == 2
    assert "/no/such/folder/x.html" in err


class Tags(HTMLParser):
    """The tags of a page and what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one."""
        self.tags.append(tag)
        named = dict(attrs)
        self.links += [named[name] or "" for name in ("src", "href") if name in named]
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"] or ""


def test_the_page_needs_nothing_else(run: Run, files: tuple[str, str]) -> None:
    """No other file, nothing from the network, and nothing that a line says is run."""
    page = Path(files[0]).with_suffix(".html")
    code, out, _ = run(*files, "-r", "req-A", "--html", str(page))
    assert (code, out) == (0, "")
    text = page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.links == []
    assert tags.tags.count("script") == 1
    assert tags.policy.startswith("default-src 'none'")
    assert "unsafe" not in tags.policy
    assert "<script>alert(1)" not in text
    begins = [row[0] for row in data_of(text)["rows"]]
    assert begins == sorted(begins)


def data_of(page: str) -> dict[str, Any]:
    """The data of a page, which is compressed if there is much of it."""
    found = re.search(r'<data id="lines" hidden value="([^"]*)">([^<]*)</data>', page)
    assert found
    text = found[2]
    if found[1] == "application/gzip":
        text = gzip.decompress(base64.b64decode(text)).decode()
    data: dict[str, Any] = json.loads(text)
    return data


def test_a_page_of_many_lines_is_small(run: Run, tmp_path: Path) -> None:
    """A line takes less than 50 bytes of the page, and all lines are there."""
    log = tmp_path / "big.log"
    with log.open("w", encoding="utf-8") as file:
        file.writelines(
            _line(number / 1e4, "INFO", f"row {number}", order=f"o-{number * 7919}")
            for number in range(9999)
        )
    page = tmp_path / "big.html"
    assert run(str(log), "-r", "req-A", "--html", str(page))[0] == 0
    text = page.read_text(encoding="utf-8")
    assert [row[8] for row in data_of(text)["rows"]] == [
        f"row {number}" for number in range(9999)
    ]
    assert len(text) < 50_000 + 50 * 9999


@pytest.mark.parametrize(
    "value",
    [
        "</data><script>alert(1)</script>",
        "\u202eabc\x00\x1b[31m",
        "\ud800",
        float("nan"),
        2**80,
        {"a": {"b": [1, {"c": "<img>"}]}},
    ],
)
def test_no_value_becomes_markup(run: Run, tmp_path: Path, value: object) -> None:
    """Whatever a field is, the page has the same tags, and its data is JSON."""
    log, page = tmp_path / "x.log", tmp_path / "x.html"
    log.write_text(_line(0, "INFO", "x", evil=value), encoding="utf-8")
    assert run(str(log), "-r", "req-A", "--html", str(page))[0] == 0
    text = page.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.tags.count("script") == tags.tags.count("data") == 1
    assert "img" not in tags.tags
    assert len(data_of(text)["rows"]) == 1


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)


def browse(page: Path, script: str) -> str:
    """The document of a page in a headless browser, after a script has run in it."""
    assert BROWSER
    # Scripts of one's own are not the page's: its policy would refuse them.
    text = page.read_text(encoding="utf-8")
    probe = page.with_name("probe.html")
    text = re.sub(r"script-src '[^']+'", "script-src 'unsafe-inline'", text)
    probe.write_text(text.replace("</body>", f"<script>{script}</script></body>"))
    done = subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--virtual-time-budget=2000"),
            *("--dump-dom", probe.as_uri()),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium on this machine")
def test_the_page_in_a_browser(run: Run, files: tuple[str, str]) -> None:
    """Lines can be chosen, errors are marked, a line opens and has an address."""
    page = Path(files[0]).with_suffix(".html")
    run(*files, "-r", "req-A", "--tz", "+05:30", "--html", str(page))
    script = """
      const shown = () => document.querySelectorAll(".row").length;
      const choose = (field, value) => {
        field.value = value;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      };
      const found = [shown(), document.querySelectorAll(".row.bad").length];
      choose(pane.search, "database");
      found.push(shown(), pane.counted.textContent);
      choose(pane.search, "");
      choose(pane.level, 40);
      found.push(shown());
      choose(pane.level, 0);
      choose(pane.service, "worker");
      found.push(shown());
      choose(pane.service, "");
      const [bar] = document.querySelectorAll(".track i:not(.point)");
      found.push(bar.offsetWidth > bar.parentNode.offsetWidth * 0.4);
      pane.go("#line-5");
      found.push(document.querySelector(".detail .whole").textContent);
      found.push(document.querySelector(".detail dd").textContent);
      document.title = JSON.stringify(found);
    """
    document = browse(page, script)
    title = re.search(r"<title>(.*?)</title>", document)
    assert title
    assert json.loads(unescape(title[1])) == [
        *(6, 2, 1, "1 of 6 lines", 2, 1, True),
        "<script>alert(1)</script> & refused",
        "2026-11-25T12:20:00.080+05:30",
    ]


def test_help_begins_with_what_it_is_for() -> None:
    """`ctxlog timeline --help` says what it does."""
    done = subprocess.run(
        [sys.executable, "-Im", "ctxlog", "timeline", "--help"],
        capture_output=True,
        text=True,
        timeout=40,
        check=True,
    )
    assert "waterfall" in done.stdout
