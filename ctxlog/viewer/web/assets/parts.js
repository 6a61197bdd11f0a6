"use strict";

// What a line says becomes text, never markup: this is the only way to make elements.
function make(tag, kind, text) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Marks that turn the direction of text, and controls, are shown as what they are.
function plain(text) {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (sign) => "\\u" + sign.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}

// To press on one of the parts acts, also if they are made anew before it is let go:
// no click would reach the part then.
function onPress(parent, parts, act) {
  let down = null;
  parent.addEventListener("pointerdown", (event) => {
    down = event.button ? null : event;
  });
  parent.addEventListener("pointercancel", () => {
    down = null; // it scrolls
  });
  const done = (event, begun) => {
    const part = begun.target.closest(parts);
    const moved = Math.hypot(event.clientX - begun.clientX, event.clientY - begun.clientY);
    if (part && moved < 8) act(part, begun.target);
  };
  parent.addEventListener("pointerup", (event) => {
    if (down) done(event, down);
    down = null;
  });
  // a program that reads the page aloud clicks without a pointer
  parent.addEventListener("click", (event) => event.detail || done(event, event));
}

function duration(ms) {
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours >= 48) return `${Math.floor(hours / 24)}d${hours % 24}h`;
  if (hours) return `${hours}h${String(minutes).padStart(2, "0")}m`;
  return `${minutes}m${String(seconds % 60).padStart(2, "0")}s`;
}

// A moment, in a zone that is so many milliseconds ahead of UTC.
function iso(ms, ahead = 0) {
  const moment = new Date(ms + ahead);
  if (Number.isNaN(moment.getTime())) return "";
  const text = moment.toISOString();
  const minutes = Math.round(Math.abs(ahead) / 60000);
  if (!minutes) return text;
  const parts = [Math.floor(minutes / 60), minutes % 60];
  const offset = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return `${text.slice(0, -1)}${ahead < 0 ? "-" : "+"}${offset}`;
}

// The id of the lines of no request, and what stands for it.
const OUTSIDE = "";
const OUTSIDE_NAME = "outside of requests";

function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

// A word of a command line: what a shell or a terminal would obey is escaped.
function quoted(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (!/[\u0000-\u001f\u007f-\u009f]/.test(text)) {
    return `'${text.replace(/'/g, `'\\''`)}'`;
  }
  const escaped = text.replace(/[\\'\u0000-\u001f\u007f-\u009f]/g, (sign) => {
    const code = sign.charCodeAt(0);
    return code > 127
      ? "\\u" + code.toString(16).padStart(4, "0")
      : "\\x" + code.toString(16).padStart(2, "0");
  });
  return `$'${escaped}'`;
}

// Steps of an axis: 1, 2 or 5 times a power of ten, about as many as are wanted.
function ticks(length, wanted) {
  if (!(length > 0)) return [0];
  const power = 10 ** Math.floor(Math.log10(length / wanted));
  const step = [1, 2, 5, 10].map((one) => one * power)
    .find((one) => length / one <= wanted);
  const found = [];
  for (let at = 0; at <= length * 1.0001; at += step) found.push(at);
  return found;
}
