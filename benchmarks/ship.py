"""
How many lines a second `ctxlog ship` sends to a receiver on this machine.

`python benchmarks/ship.py` prints Markdown; addresses with `{port}` choose other stores
than `vlogs://127.0.0.1:{port}`. The receiver is a process of its own, which reads
requests and answers that all is well. Lines a second are wall time, whatever else the
machine does; the CPU time is that of `ctxlog ship`.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NUMBER = 100_000

_WRITER = """
import logging, ctxlog
ctxlog.configure(format="json", stream=open("app.log", "w"))
def handle():
    for number in range({number}):
        logging.getLogger("shop").info(
            "Fetching details for user %d", number, extra={{"rows": 3, "cost": 1.5}}
        )
user = {{"id": "user-123", "name": "Alice"}}
ctxlog.run({{"requestID": "req-A", "user": user}}, handle)
"""

_RECEIVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

_WAYS = {
    "a file": ["app.log", "--once"],
    "standard input": ["-"],
    "standard input, `--spill`": ["-", "--spill=spill"],
}


def main() -> None:
    """Print a row per address and way."""
    addresses = sys.argv[1:] or ["vlogs://127.0.0.1:{port}"]
    python = [sys.executable, "-c"]
    with tempfile.TemporaryDirectory() as folder:
        source = _WRITER.format(number=NUMBER)
        subprocess.run([*python, source], cwd=folder, check=True)
        size = Path(folder, "app.log").stat().st_size / NUMBER
        about = f"Python {platform.python_version()}, {os.cpu_count()} CPUs"
        print(f"{NUMBER:,} lines of {size:.0f} bytes, {about}:\n")
        print("| Store | From | Lines a second | CPU, us a line | Memory, MB |")
        print("|---|---|---|---|---|")
        with subprocess.Popen([*python, _RECEIVER], stdout=subprocess.PIPE) as receiver:
            assert receiver.stdout is not None
            port = int(receiver.stdout.readline())
            for address in addresses:
                for name, words in _WAYS.items():
                    store = address.format(port=port)
                    scheme = address.partition(":")[0]
                    print(f"| {scheme} | {name} | {_row(folder, words, store)} |")
            receiver.kill()


def _row(folder: str, words: list[str], address: str) -> str:
    begun = time.perf_counter()
    command = ["-m", "ctxlog", "ship", *words, "--quiet", "--to", address]
    with Path(folder, "app.log").open("rb") as log:
        process = subprocess.Popen([sys.executable, *command], cwd=folder, stdin=log)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    seconds = time.perf_counter() - begun
    cpu = (used.ru_utime + used.ru_stime) / NUMBER * 1e6
    rate = round(NUMBER / seconds, -2)
    return f"{rate:,.0f} | {cpu:.0f} | {used.ru_maxrss / 1000:.0f}"


if __name__ == "__main__":
    main()
