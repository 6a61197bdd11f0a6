"""
The pictures of docs/web.md: `ctxlog web` with the lines of a made-up shop, in Chromium.

    python benchmarks/pictures.py

Needs the packages of the group `web`, and Chromium.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

_PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
_STACK = """Traceback (most recent call last):
  File "payments.py", line 41, in charge
    gateway.charge(card)
PaymentError: card declined"""
_ASKED = [("GET", "/orders/7"), ("POST", "/orders"), ("GET", "/cart")]


def _lines() -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield the lines of two services, with the seconds at which they were written."""
    chance = random.Random(5)
    at = 0.0
    for number in range(400):
        crowded = 150 < number < 200
        at += chance.expovariate(3.0 if crowded else 0.8)
        failed = chance.random() < (0.3 if crowded else 0.04)
        took = chance.uniform(0.02, 0.3)
        method, path = chance.choice(_ASKED)
        name = chance.choice(["alice", "bob", "carol"])
        trace = f"{chance.getrandbits(128):032x}"
        shop = {"service": "shop", "requestID": f"{chance.getrandbits(48):012x}"}
        payments = {
            "service": "payments",
            "requestID": f"{chance.getrandbits(48):012x}",
        }
        shop["traceID"] = payments["traceID"] = trace

        def line(
            part: float, level: str, message: str, service: Any, **more: object
        ) -> tuple[float, dict[str, Any]]:
            fields = {"level": level, "message": message, **service, **more}
            return at + took * part, fields  # noqa: B023

        user = {"id": f"u-{name}", "name": name}
        items = chance.randint(1, 4)
        yield line(0, "INFO", "order received", shop, user=user, items=items)
        asked = {"rows": 3, "durationMs": round(took * 80, 2)}
        yield line(0.1, "DEBUG", "SELECT * FROM carts WHERE user = ?", shop, **asked)
        if method == "POST":
            status = 402 if failed else 201
            yield line(0.3, "INFO", "charging card", payments, amount=items * 12.5)
            if failed:
                error = {"type": "PaymentError", "message": "card declined"}
                more = {"code": 402, "exception": {**error, "stack": _STACK}}
                yield line(0.6, "ERROR", "payment refused", payments, **more)
            about = {"method": "POST", "path": "/charge", "status": status}
            about["durationMs"] = round(took * 400, 2)
            yield line(0.65, "INFO", f"POST /charge {status}", payments, **about)
            call = {"durationMs": round(took * 420, 2)}
            level = "WARNING" if failed else "INFO"
            yield line(0.7, level, "POST payments/charge", shop, **call)
        status = 503 if failed else 200
        about = {"method": method, "path": path, "status": status}
        about["durationMs"] = round(took * 1000, 2)
        level = "ERROR" if failed else "INFO"
        yield line(1, level, f"{method} {path} {status}", shop, **about)


def _write(folder: Path) -> list[str]:
    files = {name: folder / f"{name}.log" for name in ("shop", "payments")}
    opened = {name: file.open("w", encoding="utf-8") for name, file in files.items()}
    for at, fields in sorted(_lines(), key=lambda item: item[0]):
        time = datetime.fromtimestamp(1769860800 + at, timezone.utc).isoformat()
        whole = {"timestamp": time.replace("+00:00", "Z"), **fields}
        opened[fields["service"]].write(json.dumps(whole) + "\n")
    for file in opened.values():
        file.close()
    return [str(file) for file in files.values()]


def main() -> None:
    """Make the pictures."""
    _PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = subprocess.Popen(
            [sys.executable, "-m", "ctxlog", "web", *_write(Path(folder))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        try:
            for name, width, scheme in (
                ("web", 1100, "light"),
                ("web-dark", 1100, "dark"),
                ("web-phone", 390, "light"),
            ):
                page = browser.new_page(
                    viewport={"width": width, "height": 580}, color_scheme=scheme
                )
                page.goto(address + "?errors=1" * (scheme == "dark"))
                page.locator(".entry.bad").first.click()
                page.locator(".row.bad").last.click()
                page.locator(".detail").wait_for()
                page.screenshot(path=_PICTURES / f"{name}.png")
                page.close()
        finally:
            browser.close()
            server.send_signal(signal.SIGINT)
            server.wait()


if __name__ == "__main__":
    main()
