"use strict";

// Requests over time, failing ones in front; to drag over it chooses a time.
class Histogram {
  constructor(canvas, chosen) {
    this.canvas = canvas;
    this.chosen = chosen;
    this.bars = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.bars) return;
      canvas.setPointerCapture(event.pointerId);
      this.from = this.to = this.fraction(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.from === undefined) return;
      this.to = this.fraction(event);
      this.draw();
    });
    canvas.addEventListener("pointerup", () => {
      if (this.from === undefined) return;
      const [from, to] = [Math.min(this.from, this.to), Math.max(this.from, this.to)];
      this.from = undefined;
      const { first, ahead, step, bars } = this.bars;
      const length = step * bars.length;
      // a click takes the choice back
      if (to - from < 0.005) this.chosen("", "");
      else this.chosen(iso(first + from * length, ahead), iso(first + to * length, ahead));
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener(
      "change", () => this.draw());
  }

  fraction(event) {
    const box = this.canvas.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  }

  show(bars, since, until) {
    Object.assign(this, { bars, since, until });
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    if (!this.bars) return;
    const color = (name) => getComputedStyle(canvas).getPropertyValue(name);
    const { first, ahead, step, bars } = this.bars;
    const floor = height - 15;
    const most = Math.max(...bars.map(([all]) => all), 1);
    const wide = width / bars.length;
    const tall = (number) => number && Math.max((number / most) * (floor - 3), 2);
    bars.forEach(([all, failed], place) => {
      pen.fillStyle = color("--bar");
      pen.fillRect(place * wide, floor - tall(all), Math.max(wide - 1, 1), tall(all));
      pen.fillStyle = color("--bad");
      pen.fillRect(place * wide, floor - tall(failed), Math.max(wide - 1, 1),
        tall(failed));
    });
    const length = step * bars.length;
    const at = (seconds, other) => seconds === null || seconds === undefined
      ? other : Math.min(Math.max((seconds * 1000 - first) / length, 0), 1);
    let [from, to] = [at(this.since, 0), at(this.until, 1)];
    if (this.from !== undefined) {
      [from, to] = [Math.min(this.from, this.to), Math.max(this.from, this.to)];
    }
    pen.globalAlpha = 0.72;
    pen.fillStyle = color("--side");
    pen.fillRect(0, 0, from * width, floor);
    pen.fillRect(to * width, 0, width - to * width, floor);
    pen.globalAlpha = 1;
    pen.fillStyle = color("--soft");
    pen.font = "11px system-ui, sans-serif";
    const day = length < 864e5 ? [11, 19] : [0, 16];
    pen.fillText(iso(first, ahead).slice(...day).replace("T", " "), 0, height - 3);
    pen.textAlign = "right";
    pen.fillText(iso(first + length, ahead).slice(...day).replace("T", " "), width, height - 3);
  }
}
