"""
The lines of a made-up shop and its payments, for the pictures of the documentation.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_STACK = """Traceback (most recent call last):
  File "payments.py", line 41, in charge
    gateway.charge(card)
PaymentError: card declined"""
_ASKED = [("GET", "/orders/7"), ("POST", "/orders"), ("GET", "/cart")]


def lines() -> Iterator[tuple[float, dict[str, Any]]]:
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


def access_lines() -> Iterator[str]:
    """Yield the lines of nginx before the shop, in its format `combined`."""
    chance = random.Random(5)
    at = 1769860800.0
    for _ in range(900):
        at += chance.expovariate(1.2)
        method, path = chance.choice(_ASKED)
        status = chance.choices([200, 304, 404, 502], [80, 12, 5, 3])[0]
        client = f"203.0.113.{chance.randrange(256)}"
        user = chance.choice(["-", "-", "alice", "bob"])
        time = datetime.fromtimestamp(at, timezone.utc)
        yield (
            f"{client} - {user} [{time:%d/%b/%Y:%H:%M:%S %z}] "
            f'"{method} {path} HTTP/1.1" {status} {chance.randrange(9000)} '
            '"https://shop.example/" "Mozilla/5.0"\n'
        )


def imported(number: int) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield the lines of one request that imports a file of orders."""
    chance = random.Random(7)
    base = {"service": "shop", "requestID": "5d0c7e91b2a4"}
    about = {"method": "POST", "path": "/imports", "user": {"name": "alice"}}
    yield 0.0, {"level": "INFO", "message": "import begins", **base, **about}
    at = 0.2
    for count in range(number - 2):
        order, task = f"o-{10000 + count // 5}", f"worker-{count // 5 % 4 + 1}"
        took = chance.lognormvariate(1.0, 0.8)
        at += took / 1800
        line = {"level": "DEBUG", **base, "task": task, "order": order}
        step = count % 5
        if step == 0:
            line |= {"message": "row read", "position": count // 5 + 1}
        elif step == 1:
            line["message"] = "SELECT * FROM products WHERE sku = ?"
            line |= {"rows": 1, "durationMs": round(took, 2)}
        elif step == 2:
            line |= {"level": "INFO", "message": "GET stock/items 200"}
            line["durationMs"] = round(took * 6, 2)
        elif step == 3:
            line |= {"message": "INSERT INTO orders", "durationMs": round(took, 2)}
        elif chance.random() < 0.03:
            line |= {"level": "ERROR", "message": "order refused: no stock"}
        elif chance.random() < 0.1:
            line |= {"level": "WARNING", "message": "price differs from the catalog"}
        else:
            line |= {"level": "INFO", "message": "order imported"}
        yield at, line
    about |= {"status": 207, "durationMs": round(at * 1000 + 5, 2)}
    message = "POST /imports 207"
    yield at + 0.005, {"level": "INFO", "message": message, **base, **about}


def written(folder: Path, found: Iterable[tuple[float, dict[str, Any]]]) -> list[str]:
    """Write lines in the order of time, a file for each service; return its files."""
    folder.mkdir()
    texts: dict[str, list[str]] = {}
    for at, fields in sorted(found, key=lambda item: item[0]):
        time = datetime.fromtimestamp(1769860800 + at, timezone.utc).isoformat()
        whole = {"timestamp": time.replace("+00:00", "Z"), **fields}
        texts.setdefault(fields["service"], []).append(json.dumps(whole) + "\n")
    for name, some in texts.items():
        (folder / f"{name}.log").write_text("".join(some), encoding="utf-8")
    return [str(folder / f"{name}.log") for name in texts]
