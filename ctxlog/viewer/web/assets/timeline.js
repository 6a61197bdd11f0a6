"use strict";

const held = document.getElementById("lines");
const pane = new Pane(document.getElementById("pane"));

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream();
  const whole = stream.pipeThrough(new DecompressionStream("gzip"));
  return new Response(whole).text();
}

async function begin() {
  const text = held.textContent;
  const packed = held.getAttribute("value") === "application/gzip";
  const { head, rows } = JSON.parse(packed ? await unpacked(text) : text);
  held.remove();
  pane.show(head);
  pane.add(rows);
  pane.go(location.hash);
}

window.addEventListener("hashchange", () => pane.go(location.hash));
document.addEventListener("keydown", (event) => pane.key(event));
begin();
