"use strict";

const byId = (id) => document.getElementById(id);
const choice = byId("choice");
const list = byId("list");
const keys = byId("keys");
const pane = new Pane(byId("pane"));
const histogram = new Histogram(byId("histogram"), (since, until) => {
  choice.elements.since.value = since;
  choice.elements.until.value = until;
  chosen();
});

// What is seen of a choice without its field: a time in the histogram.
const SEEN = new Set(["grep", "errors", "since", "until"]);
let asCommand = []; // the options of `ctxlog show` for the one on the right
const [ID, LINE] = [0, 10]; // of a row
let words = []; // the options and files of the same `ctxlog show`
let rows = []; // of requests, and before them of the lines outside of them
let isMore = false;
let current = null; // the key of the request at the cursor
let opened = null; // and of the one on the right
let traced = false; // whether the part of an id is how a trace begins
let limit = 300;
let asked = 0;
let turns = 0;

// What a request is known by here and in the address: its id, or its only line.
const keyOf = (row) => (row[LINE] ? `l${row[LINE]}` : `r${row[ID]}`);
const KEY_OUTSIDE = `r${OUTSIDE}`;

function selection() {
  const given = new URLSearchParams();
  for (const [name, value] of new FormData(choice)) if (value) given.set(name, value);
  return given;
}

function keep() {
  const address = selection();
  if (opened !== null) address.set(opened[0], opened.slice(1));
  const query = address.toString();
  history.replaceState(null, "", (query ? `?${query}` : location.pathname) + location.hash);
}

async function load() {
  const number = ++asked;
  const query = selection();
  query.set("limit", limit);
  let found;
  try {
    const answer = await fetch(`api/requests?${query}`);
    found = await answer.json();
  } catch {
    byId("count").textContent = "The server has ended.";
    return;
  }
  if (number !== asked) return;
  if (found.error) {
    byId("count").textContent = plain(found.error);
    return;
  }
  ({ words, traced } = found);
  rows = found.outside ? [found.outside, ...found.rows] : found.rows;
  isMore = found.matched > found.rows.length;
  histogram.show(found.bars, found.since, found.until);
  tell(found);
  draw();
}

function tell({ matched, failed, state }) {
  const parts = [count(matched, "request")];
  if (failed) parts.push(`${failed.toLocaleString("en")} failed`);
  if (!state.done) {
    const part = state.total ? Math.floor((state.read / state.total) * 100) : 0;
    parts.push(part < 100 ? `${part} % read` : "searching");
  }
  parts.push(...[...state.problems, state.why].filter(Boolean).map(plain));
  byId("count").textContent = parts.join(" · ");
}

function draw() {
  byId("copy").hidden = command() === null;
  list.replaceChildren(...rows.map(entry));
  if (isMore) {
    const more = make("button", "", "Older requests");
    more.type = "button";
    more.addEventListener("click", () => {
      limit = Math.min(limit * 3, 5000);
      load();
    });
    if (limit < 5000) list.append(more);
  }
}

function entry(row) {
  const [id, start, took, lines, errors, failed, method, path, status, user, , ahead] = row;
  const key = keyOf(row);
  const made = make("div", failed ? "entry bad" : "entry");
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", key === opened);
  made.dataset.key = key;
  made.classList.toggle("current", key === current);
  made.classList.toggle("opened", key === opened);
  const first = make("div", "first");
  first.append(
    make("span", "name",
      plain([method, path].filter(Boolean).join(" ") || id || OUTSIDE_NAME)),
    make("span", "code", plain(status)),
    make("span", "took", row[LINE] && !took ? "" : duration(took)),
  );
  const second = make("div", "second");
  second.append(
    make("span", "", start === null ? "" : iso(start, ahead).slice(0, 23).replace("T", " ")),
    make("span", "id", row[LINE] ? "" : plain(id)),
    make("span", "", plain(user)),
    make("span", "", row[LINE] ? "" : errors ? count(errors, "error") : count(lines, "line")),
  );
  made.append(first, second);
  return made;
}

async function show(key, stay = false) {
  current = opened = key;
  asCommand = [];
  document.body.classList.add("one");
  byId("pane").hidden = false;
  byId("empty").hidden = true;
  keep();
  draw();
  const before = stay ? [pane.scroller.scrollTop, pane.open, pane.at] : null;
  if (!stay) {
    history.replaceState(null, "", location.pathname + location.search);
    pane.scroller.focus();
  }
  const turn = ++turns; // another one may begin before all of it is there
  let head = null;
  try {
    const asked = key === KEY_OUTSIDE ? selection() : new URLSearchParams();
    asked.set(key[0] === "l" ? "line" : "id", key.slice(1));
    for await (const made of pieces(`api/request?${asked}`)) {
      if (turn !== turns) return;
      if (made.error) return say(plain(made.error));
      if (head) pane.add(made);
      else {
        pane.show(head = made);
        asCommand = head.asked || ["-r", head.id];
      }
    }
  } catch {
    return say("The server has ended.");
  }
  if (turn !== turns) return;
  if (!head) {
    return say(key === KEY_OUTSIDE ? "No line outside of requests is meant."
      : "This request is not there any more.");
  }
  if (before) {
    [, pane.open, pane.at] = before;
    pane.draw();
    pane.scroller.scrollTop = before[0];
  } else if (head.asked) { // what it is about is one line
    pane.raw = true;
    pane.go("#line-1");
  }
  pane.go(wantedLine);
  wantedLine = "";
}

// The values of an answer that has one on each line, as they come.
async function* pieces(address) {
  const answer = await fetch(address);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let parts = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = value.split("\n");
    while (lines.length > 1) {
      yield JSON.parse([...parts, lines.shift()].join(""));
      parts = [];
    }
    parts.push(lines[0]);
  }
}

function back() {
  document.body.classList.remove("one");
  draw();
  list.focus();
}

// The command that prints the same; null if there is none.
function command() {
  const asked = ["ctxlog", "show", ...words];
  const isOpen = opened !== null && document.body.classList.contains("one");
  if (isOpen && opened !== KEY_OUTSIDE) {
    asked.push(...asCommand);
  } else {
    const given = selection();
    const hasSingles = rows.some((row) => row[LINE]);
    if (!isOpen && hasSingles && given.has("slow")) return null; // of lines with an id
    const isOutside = ["grep", "level", "errors"].some((name) => given.has(name));
    if (isOpen && !given.has("grep") && !given.has("level")) given.set("errors", "1");
    // it prints lines without an id if these are asked for
    else if (!isOutside && hasSingles) given.set("grep", ".");
    for (const [name, value] of given) {
      if (name === "errors") asked.push("--errors");
      else if (name === "request" && traced) asked.push("--request", value.trim());
      else if (name === "request") asked.push("--request", `*${value.trim()}*`);
      else asked.push(`--${name}`, value);
    }
  }
  return asked.map(quoted).join(" ");
}

function say(text) {
  byId("said").textContent = text;
}

async function copy() {
  const text = command();
  if (text === null) return;
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  } catch {
    say(text);
  }
}

function chosen() {
  limit = 300;
  byId("options").hidden = byId("options").hidden
    && ![...selection().keys()].some((name) => !SEEN.has(name));
  keep();
  load();
  if (opened === KEY_OUTSIDE) { // which lines these are has been chosen anew
    pane.open = null;
    show(KEY_OUTSIDE, true);
  }
}

function move(by) {
  if (!rows.length) return;
  const at = rows.findIndex((row) => keyOf(row) === current);
  current = keyOf(rows[Math.min(Math.max(at + by, 0), rows.length - 1)]);
  draw();
  list.querySelector(".current").scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  const { target, key } = event;
  if (byId("pane").contains(target) && pane.key(event)) return;
  const typing = /^(INPUT|SELECT)$/.test(target.tagName) && target.type !== "checkbox";
  if (key === "Escape") return typing ? list.focus() : back();
  if (typing || (key === "Enter" && target.tagName === "BUTTON")) return;
  const acts = {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    Enter: () => current !== null && show(current),
    "/": () => choice.elements.grep.focus(),
    e: () => choice.elements.errors.click(),
    c: copy,
    "?": () => keys.showModal(),
  };
  if (!acts[key]) return;
  event.preventDefault();
  acts[key]();
});
onPress(list, ".entry", ({ dataset }) => show(dataset.key));
byId("help").addEventListener("click", () => keys.showModal());
keys.addEventListener("click", () => keys.close());
byId("back").addEventListener("click", back);
byId("copy").addEventListener("click", copy);
byId("more").addEventListener("click", () => {
  byId("options").hidden = !byId("options").hidden;
  byId("more").setAttribute("aria-expanded", !byId("options").hidden);
});
let typed;
choice.addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(chosen, 250);
});
choice.addEventListener("submit", (event) => {
  event.preventDefault();
  chosen();
  list.focus();
});
window.addEventListener("hashchange", () => pane.go(location.hash));

let wantedLine = location.hash;
const address = new URLSearchParams(location.search);
for (const [name, value] of address) {
  const field = choice.elements[name];
  if (field?.type === "checkbox") field.checked = value !== "0";
  else if (field && field.name) field.value = value;
}
list.focus();
chosen();
for (const kind of ["r", "l"]) {
  if (address.has(kind)) show(kind + address.get(kind));
}

const events = new EventSource("api/events");
const seen = new Map();
let news = null; // the latest that has not been looked at
let looking = false;
events.addEventListener("message", async ({ data }) => {
  news = JSON.parse(data);
  if (looking) return; // it is looked at below, after what is asked for now
  looking = true;
  while (news) {
    const { recent } = news;
    news = null;
    await load();
    const grown = opened?.[0] === "r" ? recent[opened.slice(1)] : undefined;
    if (grown !== undefined && seen.get(opened) !== grown) {
      seen.set(opened, grown);
      await show(opened, true);
    }
  }
  looking = false;
});
