"""
A waterfall as one page that needs nothing else: no network, no other file.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape

from ctxlog.viewer.recognize.scales import iso
from ctxlog.viewer.show.printing import kept_texts, level_name, total_text
from ctxlog.viewer.show.waterfall import Step, Waterfall

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #667; --line: #d8dde3;
  --page: #fff; --bar: #2f6fdb; --bad: #c62828; --bad-soft: #fdecea; --warn: #b26a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #98a2b0;
  --line: #333a44; --page: #14171b; --bar: #6ea8ff; --bad: #ff7b72;
  --bad-soft: #3a1d1d; --warn: #e3b341; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; color: var(--ink);
  background: var(--page); font: 14px/1.45 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font: 600 1.15rem ui-monospace, monospace;
  overflow-wrap: anywhere; }
.facts { margin: 0 0 1rem; color: var(--soft); }
.facts b { color: var(--ink); font-weight: 600; }
.facts .bad { color: var(--bad); }
form { display: flex; gap: 1rem; align-items: center; margin: 0 0 .75rem; }
input[type=search] { flex: 1; max-width: 30rem; padding: .4rem .6rem; font: inherit;
  color: inherit; background: transparent; border: 1px solid var(--line);
  border-radius: .4rem; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th { text-align: left; font-weight: 500; color: var(--soft); }
th, td { padding: .2rem .5rem; border-top: 1px solid var(--line);
  vertical-align: top; }
td { overflow-wrap: anywhere; }
.time, .took, .level { font-variant-numeric: tabular-nums; white-space: nowrap; }
.time, .took { text-align: right; }
.lane { color: var(--soft); }
.track { position: relative; height: 1.3em; }
.track i { position: absolute; top: .25em; height: .8em; min-width: 3px;
  background: var(--bar); border-radius: 2px; }
tr.bad { background: var(--bad-soft); }
tr.bad .track i { background: var(--bad); }
tr.bad .level { color: var(--bad); font-weight: 600; }
tr.warn .level { color: var(--warn); }
summary { cursor: pointer; }
pre { margin: .3rem 0; white-space: pre-wrap; font: 12px/1.4 ui-monospace, monospace; }
[hidden] { display: none; }
"""

_SCRIPT = """
const search = document.querySelector("input[type=search]");
const errors = document.querySelector("input[type=checkbox]");
const rows = [...document.querySelectorAll("tbody tr")];
const count = document.querySelector("output");
function choose() {
  const wanted = search.value.toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const fits = row.textContent.toLowerCase().includes(wanted)
      && (!errors.checked || row.classList.contains("bad"));
    row.hidden = !fits;
    shown += fits;
  }
  count.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} lines`;
}
search.addEventListener("input", choose);
errors.addEventListener("input", choose);
document.querySelector("form").addEventListener("submit", (e) => e.preventDefault());
choose();
"""


def html_page(waterfall: Waterfall) -> str:
    """Return the page: searchable lines, errors marked, light or dark as wanted."""
    request = waterfall.request
    title = " ".join(
        part for part in (request.about.method, request.about.path, request.id) if part
    )
    facts = [
        ("status", request.about.status),
        ("user", request.about.user),
        ("began", "" if request.start is None else iso(request.start)),
        ("took", f"{waterfall.length:.1f} ms"),
        ("lines", str(len(request.entries))),
        ("route", request.about.route),
        *((name, f"{total_text(one)} ms") for name, one in request.totals.items()),
    ]
    shown = [f"{escape(name)} <b>{escape(text)}</b>" for name, text in facts if text]
    shown += [f"<b>{escape(text)}</b>" for text in kept_texts(request)]
    if request.errors:
        shown.append(f'<span class="bad"><b>{request.errors}</b> with an error</span>')
    rows = "\n".join(_row(step, waterfall.length) for step in waterfall.steps)
    # Nothing but these two may run or style, whatever a line says.
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'unsafe-inline'; script-src '{_digest(_SCRIPT)}'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="facts">{" · ".join(shown)}</p>
<form>
<input type="search" placeholder="Search the lines" aria-label="Search the lines">
<label><input type="checkbox"> errors only</label>
<output></output>
</form>
<table>
<colgroup><col style="width:5.5rem"><col style="width:26%"><col style="width:5rem">
<col style="width:5.5rem"><col style="width:14%"><col></colgroup>
<thead><tr><th class="time">at, ms</th><th></th><th class="took">took, ms</th>
<th>level</th><th>where</th><th>message</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def _digest(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _row(step: Step, length: float) -> str:
    record = step.record
    kind = "bad" if step.failed else "warn" if record.level >= 30 else ""
    left = step.begin / length * 100 if length else 0.0
    width = (step.end - step.begin) / length * 100 if length else 0.0
    took = f"{step.end - step.begin:.1f}" if step.end > step.begin else ""
    text = json.dumps(record.members, ensure_ascii=False, indent=1, default=str)
    if record.stack:
        text = f"{record.stack}\n\n{text}"
    return (
        f'<tr class="{kind}"><td class="time">{step.end:.1f}</td>'
        f'<td><div class="track"><i style="left:{left:.3f}%;width:{width:.3f}%"></i>'
        f'</div></td><td class="took">{took}</td>'
        f'<td class="level">{escape(level_name(record.level))}</td>'
        f'<td class="lane">{escape(step.lane)}</td>'
        f"<td><details><summary>{escape(record.message) or '(no message)'}</summary>"
        f"<pre>{escape(text)}</pre></details></td></tr>"
    )
