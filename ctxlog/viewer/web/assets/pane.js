"use strict";

const [BEGIN, TOOK, LEVEL, WORD, FLAGS, REQUEST, SERVICE, LANE, MESSAGE, FIELDS, BELOW,
  RAW] = Array(12).keys();
const LONGEST = 400;
// Fields that say where a line is from: they are shown once it is open.
const QUIET = /^logger$|trace_?id$|span_?id$/i;
const LEVELS = [["any level", 0], ["info", 20], ["warning", 30], ["error", 40]];

// A request: what it is about, a waterfall over a time axis, lines that open.
// Only the rows that can be seen are elements, so that 100,000 lines cost no more.
class Pane {
  constructor(root, { follow = () => {} } = {}) {
    this.root = root;
    this.follow = follow;
    this.rows = [];
    this.shown = [];
    this.open = null;
    this.openHeight = 0;
    this.at = -1;
    this.raw = false;
    root.classList.add("pane");
    this.header = make("header");
    this.form = this.filters();
    this.axis = make("div", "axis");
    this.axis.setAttribute("aria-hidden", "true");
    this.scroller = make("div", "scroller");
    this.scroller.tabIndex = 0;
    this.scroller.setAttribute("role", "list");
    this.scroller.setAttribute("aria-label", "Lines");
    this.space = make("div", "space");
    this.window = make("div", "window");
    this.space.append(this.window);
    this.scroller.append(this.space);
    root.append(this.header, this.form, this.axis, this.scroller);
    onPress(this.window, ".row", ({ id }, target) => {
      if (target.closest("a") || String(getSelection())) return;
      const index = Number(id.slice("line-".length)) - 1;
      this.at = this.shown.indexOf(index);
      this.toggle(index);
    });
    this.scroller.addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.resized()).observe(this.scroller);
  }

  filters() {
    const form = make("form", "filters");
    this.search = make("input");
    this.search.type = "search";
    this.search.placeholder = "Search these lines";
    this.search.setAttribute("aria-label", "Search these lines");
    this.level = make("select");
    this.level.setAttribute("aria-label", "Level");
    for (const [name, number] of LEVELS) {
      const option = make("option", "", name);
      option.value = number;
      this.level.append(option);
    }
    this.service = make("select");
    this.service.setAttribute("aria-label", "Service");
    this.trace = make("label", "toggle");
    this.whole = make("input");
    this.whole.type = "checkbox";
    this.whole.checked = true;
    this.trace.append(this.whole, " whole trace");
    this.counted = make("output");
    form.append(this.search, this.level, this.service, this.trace, this.counted);
    form.addEventListener("input", () => this.choose());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.scroller.focus();
    });
    return form;
  }

  show(head) {
    this.head = head;
    this.rows = [];
    this.shown = [];
    this.open = null;
    this.at = -1;
    this.services = new Set();
    this.service.replaceChildren(make("option", "", "all services"));
    this.service.firstChild.value = "";
    this.service.hidden = true;
    this.trace.hidden = head.requests.length < 2;
    this.describe();
    this.ruler();
    this.scroller.scrollTop = 0;
    this.choose();
  }

  describe() {
    const head = this.head;
    const title = make("h1");
    const outside = head.id === OUTSIDE && !head.asked;
    const name = outside ? OUTSIDE_NAME : [head.method, head.path].filter(Boolean).join(" ");
    title.append(make("span", "name", plain(name || head.id)));
    if (head.status && !outside) {
      const bad = head.status >= "5" || head.errors;
      title.append(make("span", bad ? "status bad" : "status", plain(head.status)));
    }
    const facts = make("p", "facts");
    const add = (label, text, kind) => {
      if (!text) return;
      const fact = make("span", kind);
      if (label) fact.append(`${label} `);
      fact.append(make("b", "", plain(text)));
      facts.append(fact);
    };
    add("", head.id, "id");
    if (!outside) add("user", head.user);
    add("began", head.start === null ? "" : iso(head.start, head.ahead));
    if (head.took || !head.asked) add("took", duration(head.took));
    add("", count(head.lines, "line"));
    if (head.errors) add("", count(head.errors, "error"), "bad");
    if (head.route !== head.path && !outside) add("route", head.route);
    for (const [total, text] of head.totals) add(total, `${text} ms`);
    for (const text of head.kept) add("", text);
    if (head.requests.length > 1) {
      add("trace of", count(head.requests.length, "request"));
    }
    this.header.replaceChildren(title, facts);
  }

  ruler() {
    const length = this.head.length;
    const scale = make("div", "scale");
    this.axis.replaceChildren(scale);
    const room = Math.floor(scale.clientWidth / 45); // texts beside each other
    for (const at of ticks(length, Math.min(Math.max(room, 1), 5))) {
      const tick = make("span", "tick", at ? duration(at) : "0");
      tick.style.left = `${length ? (at / length) * 100 : 0}%`;
      if (length && at && at / length > 0.85) continue; // its text has no room
      scale.append(tick);
    }
  }

  add(rows) {
    for (const row of rows) {
      this.rows.push(row);
      const service = row[SERVICE];
      if (service && !this.services.has(service)) {
        this.services.add(service);
        const option = make("option", "", plain(service));
        option.value = service;
        this.service.append(option);
        this.service.hidden = this.services.size < 2;
      }
    }
    this.choose(true);
  }

  text(row) {
    const fields = row[FIELDS];
    let text = row[MESSAGE];
    for (let i = 0; i < fields.length; i += 2) text += ` ${fields[i]}=${fields[i + 1]}`;
    return `${text} ${row[LANE]} ${row[BELOW]}`.toLowerCase();
  }

  choose(keep = false) {
    const wanted = this.search.value.toLowerCase();
    const least = Number(this.level.value);
    const service = this.service.value;
    const whole = this.whole.checked;
    this.shown = [];
    this.rows.forEach((row, index) => {
      if (least && row[LEVEL] < least && !(least === 40 && row[FLAGS] & 1)) return;
      if (service && row[SERVICE] !== service) return;
      if (!whole && row[REQUEST]) return;
      if (wanted && !this.text(row).includes(wanted)) return;
      this.shown.push(index);
    });
    const all = this.rows.length;
    this.counted.textContent = this.shown.length === all
      ? "" : `${this.shown.length.toLocaleString("en")} of ${count(all, "line")}`;
    if (!keep) {
      this.at = this.shown.length ? Math.min(Math.max(this.at, 0), this.shown.length - 1) : -1;
      if (this.open !== null && !this.shown.includes(this.open)) this.open = null;
    }
    this.draw();
  }

  get rowHeight() {
    return this.narrow ? 60 : 26;
  }

  resized() {
    const before = this.narrow;
    this.narrow = this.scroller.clientWidth < 640;
    this.root.classList.toggle("narrow", this.narrow);
    // rows end before the scroll bar, and so does the axis
    const bar = this.scroller.offsetWidth - this.scroller.clientWidth;
    this.axis.style.paddingRight = `${bar}px`;
    if (this.head) this.ruler();
    this.draw();
    if (this.narrow !== before && this.at >= 0) this.reveal(); // rows are as high anew
  }

  later() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.draw();
    });
  }

  place(position) {
    const place = position * this.rowHeight;
    const open = this.open === null ? -1 : this.shown.indexOf(this.open);
    return open >= 0 && position > open ? place + this.openHeight : place;
  }

  draw() {
    const height = this.rowHeight;
    const open = this.open === null ? -1 : this.shown.indexOf(this.open);
    const more = open < 0 ? 0 : this.openHeight;
    this.space.style.height = `${this.shown.length * height + more}px`;
    const top = this.scroller.scrollTop;
    const first = Math.max(Math.floor((top - more) / height) - 8, 0);
    const last = Math.min(
      Math.ceil((top + this.scroller.clientHeight) / height) + 8, this.shown.length);
    this.window.style.top = `${this.place(first)}px`;
    const made = [];
    let detail = null;
    for (let position = first; position < last; position++) {
      const index = this.shown[position];
      made.push(this.row(this.rows[index], index, position));
      if (index === this.open) made.push(detail = this.detail(this.rows[index]));
    }
    this.window.replaceChildren(...made);
    if (detail && detail.offsetHeight !== this.openHeight) {
      this.openHeight = detail.offsetHeight;
      this.space.style.height = `${this.shown.length * height + this.openHeight}px`;
    }
  }

  row(row, index, position) {
    const failed = row[FLAGS] & 1;
    const kind = failed ? "row bad" : row[LEVEL] >= 30 ? "row warn" : "row";
    const made = make("div", kind);
    made.id = `line-${index + 1}`;
    made.setAttribute("role", "listitem");
    if (position === this.at) made.classList.add("current");
    if (index === this.open) made.classList.add("open");
    if (row[REQUEST]) made.classList.add("other");
    const link = make("a", "time", row[BEGIN] === null ? "" : this.since(row[BEGIN]));
    link.href = `#line-${index + 1}`;
    link.title = row[BEGIN] === null ? "" : this.moment(row);
    if (row[FLAGS] & 2) link.append("~");
    const track = make("div", "track");
    if (row[BEGIN] !== null) {
      const bar = make("i", row[TOOK] ? "" : "point");
      const length = this.head.length || 1;
      bar.style.left = `${(row[BEGIN] / length) * 100}%`;
      bar.style.width = `${(row[TOOK] / length) * 100}%`;
      track.append(bar);
    }
    const text = make("span", "text");
    text.append(make("span", "message",
      plain(row[MESSAGE].slice(0, LONGEST)) || "(no message)"));
    const fields = row[FIELDS];
    const lanes = row[LANE].split(" / ");
    let news = "";
    for (let i = 0; i < fields.length && news.length < LONGEST; i += 2) {
      if (lanes.includes(fields[i + 1]) || QUIET.test(fields[i])) continue;
      if (row[TOOK] && Number(fields[i + 1]) === row[TOOK]) continue; // in its column
      news += `  ${fields[i]}=${fields[i + 1].slice(0, 80)}`;
    }
    text.append(make("span", "news", plain(news)));
    made.append(
      link,
      track,
      make("span", "took", row[TOOK] ? duration(row[TOOK]) : ""),
      make("span", "level", plain(row[WORD])),
      make("span", "lane", plain(row[LANE])),
      text,
    );
    return made;
  }

  moment(row) {
    return iso(this.head.zero + row[BEGIN], this.head.ahead);
  }

  since(begin) {
    if (this.head.length >= 1e5) return `+${(begin / 1000).toFixed(2)} s`;
    return `+${begin < 100 ? begin.toFixed(1) : Math.round(begin).toLocaleString("en")}`;
  }

  detail(row) {
    const made = make("div", "detail");
    made.append(make("p", "whole", plain(row[MESSAGE]) || "(no message)"));
    if (row[BELOW]) made.append(make("pre", "below", plain(row[BELOW])));
    const list = make("dl");
    const add = (name, text) => {
      list.append(make("dt", "", plain(name)), make("dd", "", plain(text)));
    };
    if (row[BEGIN] !== null) add("begins", this.moment(row));
    if (row[TOOK]) add("took", duration(row[TOOK]));
    if (this.head.requests.length > 1) add("request", this.head.requests[row[REQUEST]]);
    const fields = row[FIELDS];
    for (let i = 0; i < fields.length; i += 2) add(fields[i], fields[i + 1]);
    made.append(list);
    if (row[RAW] !== undefined) {
      const button = make("button", "", this.raw ? "hide raw line" : "raw line");
      button.type = "button";
      button.addEventListener("click", () => this.toggleRaw());
      made.append(button);
      if (this.raw) made.append(make("pre", "raw", plain(row[RAW])));
    }
    return made;
  }

  toggle(index) {
    this.open = this.open === index ? null : index;
    this.openHeight = 0;
    this.draw();
    this.draw();
  }

  toggleRaw() {
    this.raw = !this.raw;
    this.draw();
    this.draw();
  }

  move(by) {
    if (!this.shown.length) return;
    this.at = Math.min(Math.max(this.at + by, 0), this.shown.length - 1);
    this.reveal();
  }

  reveal() {
    const [top, bottom] = [this.place(this.at), this.place(this.at) + this.rowHeight];
    const seen = this.scroller.scrollTop;
    if (top < seen) this.scroller.scrollTop = top;
    if (bottom > seen + this.scroller.clientHeight) {
      this.scroller.scrollTop = bottom - this.scroller.clientHeight;
    }
    this.draw();
  }

  // To the line that an address names: #line-12.
  go(hash) {
    const match = /^#line-(\d+)$/.exec(hash);
    const index = match ? Number(match[1]) - 1 : -1;
    if (!this.rows[index]) return;
    this.resized(); // its size may not have been told yet
    if (!this.shown.includes(index)) {
      this.search.value = "";
      this.level.value = 0;
      this.service.value = "";
      this.whole.checked = true;
      this.choose();
    }
    this.at = this.shown.indexOf(index);
    this.open = index;
    this.openHeight = 0;
    this.scroller.scrollTop = Math.max(this.at * this.rowHeight - 80, 0);
    this.draw();
    this.draw();
  }

  // Whether a key was meant for it.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape") {
      if (typing) {
        event.target.blur();
        this.scroller.focus();
      } else if (this.open !== null) this.toggle(this.open);
      else return false;
      return true;
    }
    if (typing) return false;
    const page = Math.max(Math.floor(this.scroller.clientHeight / this.rowHeight) - 1, 1);
    const acts = {
      j: () => this.move(1),
      ArrowDown: () => this.move(1),
      k: () => this.move(-1),
      ArrowUp: () => this.move(-1),
      PageDown: () => this.move(page),
      PageUp: () => this.move(-page),
      g: () => this.move(-Infinity),
      G: () => this.move(Infinity),
      Enter: () => this.at >= 0 && this.toggle(this.shown[this.at]),
      r: () => this.toggleRaw(),
      "/": () => this.search.focus(),
      e: () => {
        this.level.value = this.level.value === "40" ? 0 : 40;
        this.choose();
      },
    };
    const act = acts[event.key];
    if (!act || (event.key === "Enter" && /^(A|BUTTON)$/.test(event.target.tagName))) {
      return false;
    }
    event.preventDefault();
    act();
    return true;
  }
}
