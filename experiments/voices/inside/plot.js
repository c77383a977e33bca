"use strict";
const $ = (id) => document.getElementById(id);
const make = (tag, set = {}) => Object.assign(document.createElement(tag), set);
const css = (name) => parseFloat(getComputedStyle(document.documentElement).getPropertyValue(name));
const say = (v, digits = 2) => (Number.isFinite(v) ? v.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−") : "–");
const MAP = 150, TOP = 4, BOTTOM = 26;               // pixels: a map's height, and the margins of every picture
const SHOWN = ["i", "f", "g", "o", "c", "h"], SIGNED = new Set(["g", "c", "h"]);
const DIVERGING = [[0, "#053061"], [.25, "#4393c3"], [.5, "#f7f7f7"], [.75, "#d6604d"], [1, "#67001f"]];

const line = (x, y, color, dash = "solid") => ({ x, y, mode: "lines", line: { color, dash, width: 1.8 }, connectgaps: false });
const heat = (x, z, from, to, signed) => ({
  type: "heatmap", x, z, zmin: from, zmax: to, showscale: false, zsmooth: false,
  colorscale: signed ? DIVERGING : "Cividis",
});
const PROBABILITY = () => ({
  range: [-.04, 1.04], tickvals: [0, .5, 1],
  ticktext: ["female 0", "0.5", "male 1"].map((s) => (innerWidth > 600 ? s : s.split(" ").pop())),
});

function showScale(scale, most, signed) {            // beside a map's title
  const whole = most === 1, digits = most < .01 ? most.toExponential(0) : say(most, whole ? 0 : 2);
  scale.classList.toggle("signed", signed);
  scale.textContent = !signed ? "0 to 1" : whole ? "−1 to 1" : `−${digits} to ${digits}: 99 % of the values; the others have the colour of the nearest end`;
}

function drawAlways(draw) {                          // now, and again if the window becomes narrow or wide
  let width = innerWidth;
  addEventListener("resize", () => { if ((width <= 600) !== (innerWidth <= 600)) draw(); width = innerWidth; });
  draw();
}

function unpacked(arrays) {                          // by name: {shape, a}
  return Object.fromEntries(Object.entries(arrays).map(([name, { shape, type, base64 }]) => {
    const bytes = Uint8Array.from(atob(base64), (ch) => ch.charCodeAt(0));
    return [name, { shape, a: type === "uint8" ? bytes : new Float32Array(bytes.buffer) }];
  }));
}

function quantile(a, q) {
  const sorted = Float32Array.from(a, Math.abs).sort();
  return sorted[Math.floor(q * (sorted.length - 1))] || 1;
}

function paint(element, traces, height, xaxis, yaxis) {
  const size = innerWidth <= 600 ? 10 : 12;
  Plotly.react(element, traces, {
    height, margin: { l: css("--left"), r: css("--right"), t: TOP, b: BOTTOM }, showlegend: false, hovermode: false, dragmode: false,
    paper_bgcolor: "#fff", plot_bgcolor: "#fff", font: { family: "system-ui, sans-serif", size, color: "#333" },
    xaxis: { fixedrange: true, nticks: Math.max(5, Math.min(12, element.clientWidth / 70)), gridcolor: "#e6e6e6", zeroline: false, ticks: "outside", ticklen: 6, tickcolor: "#999", ...xaxis },
    yaxis: { fixedrange: true, gridcolor: "#e6e6e6", zeroline: false, ...yaxis },
  }, { staticPlot: true, responsive: true });
}

// A picture. The pictures of a clip have the same time axis and margins, so that one line fits all of them; a picture
// without a clip has its own axis and no line. Pictures on the screen are drawn at once, the others when the browser is idle.
class Plot {
  static waiting = new Set();
  static screen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      target.plot.seen = isIntersecting;
      if (isIntersecting && Plot.waiting.has(target.plot)) target.plot.paint();
    }
  }, { rootMargin: "200px" });

  constructor(place, id, label, clip = null) {
    this.clip = clip;
    this.element = place.appendChild(make("div", { id, className: clip ? "plot" : "plot still", plot: this }));
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    Plot.screen.observe(this.element);
    if (!clip) return;
    [this.playhead, this.pointer] = ["playhead", "pointer"].map((className) => this.element.appendChild(make("div", { className })));
    this.pointer.hidden = true;
    clip.plots.push(this);
  }

  draw(traces, height, yaxis = {}, xaxis = {}) {
    this.drawn = { traces, height, yaxis, xaxis };
    this.element.style.height = `${height}px`;
    if (this.seen) return this.paint();
    if (!Plot.waiting.size) requestIdleCallback(Plot.next, { timeout: 100 });
    Plot.waiting.add(this);
  }

  static next() {
    const [plot] = Plot.waiting;
    if (plot) plot.paint();
    if (Plot.waiting.size) requestIdleCallback(Plot.next, { timeout: 100 });
  }

  redraw() { if (this.drawn) this.draw(...Object.values(this.drawn)); }

  paint() {
    const { traces, height, yaxis, xaxis } = this.drawn;
    Plot.waiting.delete(this);
    paint(this.element, traces, height, this.clip ? { range: [this.clip.from, this.clip.to], ticksuffix: " s", ...xaxis } : xaxis, yaxis);
  }

  drawMap(x, rows, most, signed, zero = 0) {
    this.draw([heat(x, rows, signed ? zero - most : zero, zero + most, signed)], MAP, { autorange: "reversed", showticklabels: false, ticks: "" });
  }

  drawWave({ low, high }, seconds) {
    const n = low.shape[0], x = [], y = [];
    for (let k = 0; k < n; k++) { x.push(k / n * seconds, k / n * seconds); y.push(low.a[k], high.a[k]); }
    this.draw([{ x, y, mode: "lines", line: { color: "#555", width: 1 } }], 110, { showticklabels: false, nticks: 3 });
  }

  share(event) {                                     // how far along the time axis, 0 to 1
    const box = this.element.getBoundingClientRect(), left = css("--left");
    return Math.max(0, Math.min(1, (event.clientX - box.left - left) / (box.width - left - css("--right"))));
  }

  height(event) { return (event.clientY - this.element.getBoundingClientRect().top - TOP) / (this.drawn.height - TOP - BOTTOM); }
}
