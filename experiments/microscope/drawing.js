"use strict";
const $ = (id) => document.getElementById(id);
const make = (tag, set = {}) => Object.assign(document.createElement(tag), set);
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();   // a colour of page.css
const css = (name) => parseFloat(ink(name.slice(2)));
const say = (v, digits = 2) => (Number.isFinite(v) ? v.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−") : "–");
const small = (v) => (v && Number.isFinite(v) && (Math.abs(v) < .001 || Math.abs(v) >= 1e5) ? v.toExponential(Math.abs(v) < 1 ? 1 : 3).replace("+", "").replaceAll("-", "−") : say(v, 3));
const MAP = 150, TOP = 4, BOTTOM = 26;               // pixels: a map's least height, and the margins of every picture
const mapHeight = (rows) => Math.max(MAP, Math.min(360, 3 * rows + TOP + BOTTOM));
const DARK = matchMedia("(prefers-color-scheme: dark)");

// -- what a picture draws: lines, maps and letters --------------------------------------------------------------------

const line = (x, y, color, dash = "solid", more = {}) => ({ x, y, color, dash, width: 1.8, ...more });  // color: a name in page.css
const heat = (x, z, from, to, signed) => ({ type: "heatmap", x, z, zmin: from, zmax: to, signed });     // z: rows, the first at the top
const note = (y, text) => ({ type: "note", x: [], y: [y], text });                                       // words at the left, below the height y
const letters = (x, rows) => ({ type: "letters", x, rows });                                             // rows of strings

const SEQUENTIAL = ["#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"];
const diverging = () => (DARK.matches ? ["#a8d5ff", "#3f87c9", "#20242a", "#cf5842", "#ffb59d"] : ["#053061", "#4393c3", "#f7f7f7", "#d6604d", "#67001f"]);

function colourTable(stops) {                        // 256 colours: [r, g, b, r, g, b, ...]
  const rgb = stops.map((hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16))), table = new Uint8Array(768);
  for (let n = 0; n < 256; n++) {
    const at = n / 255 * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(at));
    for (let c = 0; c < 3; c++) table[3 * n + c] = rgb[k][c] + (at - k) * (rgb[k + 1][c] - rgb[k][c]);
  }
  return table;
}

function showScale(scale, most, signed) {            // beside a map's title
  const whole = most === 1, digits = most < .01 ? most.toExponential(0).replace("-", "−") : say(most, whole ? 0 : 2);
  scale.classList.toggle("signed", signed);
  scale.textContent = !signed ? "0 to 1" : whole ? "−1 to 1" : `−${digits} to ${digits}: 99 % of the values; the others have the colour of the nearest end`;
}

function readOut(text) {                             // the bar at the bottom; a name and its number stay on one line
  const pieces = text.split(/( {2,}|\n)/).map((piece, k) => (k % 2 || piece.length > 40 ? piece : make("span", { className: "whole", textContent: piece })));
  $("readout").replaceChildren(...pieces);
}

function drawAlways(draw) {                          // now, and again if the window becomes narrow or wide
  let width = innerWidth;
  addEventListener("resize", () => { if ((width <= 600) !== (innerWidth <= 600)) draw(); width = innerWidth; });
  draw();
}

function float16(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
}

function unpacked(arrays) {                          // by name: {shape, a}; `unit` and `zero` turn whole numbers into values
  return Object.fromEntries(Object.entries(arrays).map(([name, { shape, type, base64, unit = 1, zero = 0 }]) => {
    const bytes = Uint8Array.from(atob(base64), (ch) => ch.charCodeAt(0));
    if (type === "uint8") return [name, { shape, a: bytes }];
    if (type === "float32") return [name, { shape, a: new Float32Array(bytes.buffer) }];
    const half = type === "float16", value = (n) => (half ? float16(n) * unit : n === 65535 ? NaN : (n - zero) * unit);
    return [name, { shape, a: Float32Array.from(new Uint16Array(bytes.buffer), value) }];
  }));
}

function quantile(a, q) {                            // of the absolute values that are numbers
  const sorted = Float32Array.from(a.filter((v) => v === v), Math.abs).sort();
  return sorted[Math.floor(q * (sorted.length - 1))] || 1;
}

// -- axes -------------------------------------------------------------------------------------------------------------

const SUPERSCRIPT = (n) => String(n).replace("-", "⁻").replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]);

function scaleOf(axis, traces, letter, from, to) {   // from values to pixels; the range of a log axis is in powers of ten
  const log = axis.type === "log", map = traces.find(({ type }) => type && type !== "note");
  let range = axis.range;
  if (!range && letter === "y" && map) range = [(map.z ?? map.rows).length - .5, -.5];
  if (!range) {
    const values = traces.flatMap((trace) => Array.from(trace[letter]).filter(Number.isFinite));
    const low = Math.min(...values), high = Math.max(...values), room = letter === "y" ? .05 * (high - low || 1) : 0;
    range = [axis.rangemode === "tozero" ? Math.min(0, low) : low - room, high + room];
  }
  const [a, b] = range, place = log ? Math.log10 : Number;
  return { range, log, at: (v) => from + (place(v) - a) / (b - a) * (to - from) };
}

function ticksOf(axis, { range: [a, b], log }, pixels) {          // [value, label] each
  if (axis.showticklabels === false) return [];
  if (axis.tickvals) return axis.tickvals.map((v, k) => [v, axis.ticktext ? String(axis.ticktext[k]) : String(v).replace("-", "−")]);
  const [low, high] = [Math.min(a, b), Math.max(a, b)], ticks = [];
  if (log) {
    const every = axis.dtick ?? 1;
    for (let p = Math.ceil(low / every) * every; p <= high; p += every) ticks.push([10 ** p, `10${SUPERSCRIPT(p)}`]);
    return ticks;
  }
  const rough = (high - low) / (axis.nticks ?? Math.max(4, pixels / 35)), ten = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].find((k) => k * ten >= rough * .999) * ten, axis.whole ? 1 : 0);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step) ticks.push([v, say(v, digits) + (axis.ticksuffix ?? "")]);
  return ticks;
}

function drawAxes(g, box, X, Y, xaxis, yaxis) {      // returns the boxes of the labels that are drawn: [left, right, top, bottom]
  const size = innerWidth <= 600 ? 10 : 12, drawn = [], width = box.right + css("--right");
  const gap = xaxis.gap ?? 4;
  const free = (label) => drawn.every((other) => label[0] > other[1] + gap || label[1] < other[0] - gap || label[2] > other[3] || label[3] < other[2]);
  g.font = `${size}px system-ui, sans-serif`;
  g.textBaseline = "middle";
  g.lineWidth = 1;
  const rule = (x0, y0, x1, y1) => { g.beginPath(); g.moveTo(x0, y0); g.lineTo(x1, y1); g.stroke(); };
  for (const [v, label] of ticksOf(yaxis, Y, box.bottom - box.top)) {
    const y = Y.at(v), wide = g.measureText(label).width, place = [box.left - 5 - wide, box.left - 5, y - size / 2, y + size / 2];
    if (y < box.top - 1 || y > box.bottom + 1) continue;
    g.strokeStyle = ink("grid");
    if (!yaxis.nogrid) rule(box.left, Math.round(y) + .5, box.right, Math.round(y) + .5);
    if (!free(place) || y + size / 2 > box.bottom + 6) continue;
    drawn.push(place);
    g.fillStyle = yaxis.colours?.get(v) ?? ink("soft");
    g.textAlign = "right";
    g.fillText(label, box.left - 5, y);
  }
  for (const [v, label] of ticksOf({ nticks: Math.max(4, Math.min(12, (box.right - box.left) / 70)), ...xaxis }, X, box.right - box.left)) {
    const x = X.at(v), wide = g.measureText(label).width, left = Math.max(0, Math.min(width - wide, x - wide / 2)), y = box.bottom + 8 + size / 2;
    if (x < box.left - 1 || x > box.right + 1) continue;
    g.strokeStyle = ink("grid");
    if (!xaxis.nogrid) rule(Math.round(x) + .5, box.top, Math.round(x) + .5, box.bottom + 5);
    const place = [left, left + wide, y - size / 2, y + size / 2];
    if (!free(place)) continue;
    drawn.push(place);
    g.fillStyle = ink("soft");
    g.textAlign = "left";
    g.fillText(label, left, y);
  }
  return drawn;
}

// -- painting on a canvas ---------------------------------------------------------------------------------------------

const DASHES = { solid: [], dash: [7, 5], dot: [2, 4] };

function drawLine(g, { x, y, color, dash, width, fill, markers }, X, Y) {
  const n = Math.min(x.length, y.length), path = new Path2D();
  let on = false;
  for (let k = 0; k < n; k++) {
    if (!Number.isFinite(y[k]) || (Y.log && y[k] <= 0)) { on = false; continue; }
    if (on) path.lineTo(X.at(x[k]), Y.at(y[k])); else path.moveTo(X.at(x[k]), Y.at(y[k]));
    on = true;
  }
  g.strokeStyle = g.fillStyle = ink(color);
  if (fill && n) {
    const area = new Path2D(path);
    area.lineTo(X.at(x[n - 1]), Y.at(0));
    area.lineTo(X.at(x[0]), Y.at(0));
    g.globalAlpha = .3;
    g.fill(area);
    g.globalAlpha = 1;
  }
  g.lineWidth = width;
  g.lineJoin = "round";
  g.setLineDash(DASHES[dash]);
  if (markers !== "only") g.stroke(path);
  g.setLineDash([]);
  if (!markers) return;
  for (let k = 0; k < n; k++) {
    g.beginPath();
    g.arc(X.at(x[k]), Y.at(y[k]), 2.5, 0, 7);
    g.fill();
  }
}

const pitch = (x) => (x.length > 1 ? (x[x.length - 1] - x[0]) / (x.length - 1) : 1);   // from one step to the next

function drawHeat(g, { x, z, zmin, zmax, signed }, X, Y) {
  const n = x.length, rows = z.length, table = colourTable(signed ? diverging() : SEQUENTIAL), half = pitch(x) / 2;
  if (!n || !rows) return;
  const image = new ImageData(n, rows), pixels = image.data, gain = 255 / (zmax - zmin);
  for (let r = 0, k = 0; r < rows; r++) for (let t = 0; t < n; t++, k += 4) {
    const v = z[r][t], at = 3 * Math.max(0, Math.min(255, Math.round((v - zmin) * gain)));
    if (v !== v) continue;                           // no value: the step is masked
    pixels[k] = table[at]; pixels[k + 1] = table[at + 1]; pixels[k + 2] = table[at + 2]; pixels[k + 3] = 255;
  }
  const cells = make("canvas", { width: n, height: rows });
  cells.getContext("2d").putImageData(image, 0, 0);
  const [left, right, top, bottom] = [X.at(x[0] - half), X.at(x[n - 1] + half), Y.at(-.5), Y.at(rows - .5)];
  g.imageSmoothingEnabled = false;
  g.fillStyle = ink("masked");
  g.fillRect(left, top, right - left, bottom - top);
  g.drawImage(cells, left, top, right - left, bottom - top);
}

function drawLetters(g, { x, rows, over }, X, Y) {   // over: a heat map under the letters; they are dark on light and light on dark
  const wide = X.at(x[0] + pitch(x)) - X.at(x[0]), tall = Math.abs(Y.at(1) - Y.at(0));
  if (wide < 6) return;
  g.textAlign = "center";
  g.textBaseline = "middle";
  rows.forEach((row, r) => row.forEach((text, t) => {
    const at = X.at(x[t]);
    if (at < -wide || at > g.canvas.width + wide) return;
    g.font = `${Math.max(7, Math.min(14, tall * .8, 1.6 * wide / Math.max(1, text.length)))}px ui-monospace, monospace`;
    g.fillStyle = over ? (over.z[r][t] > .5 * over.zmax ? "#000" : "#fff") : ink("ink");
    if (g.measureText(text).width <= wide + 2) g.fillText(text, at, Y.at(r));
  }));
}

function drawNote(g, { y: [y], text }, X, Y, box) {
  g.font = "12px system-ui, sans-serif";
  g.textAlign = "left";
  g.textBaseline = "top";
  g.lineWidth = 4;
  g.strokeStyle = ink("paper");
  g.fillStyle = ink("ink");
  g.strokeText(text, box.left + 8, Y.at(y));
  g.fillText(text, box.left + 8, Y.at(y));
}

function paint(element, traces, height, xaxis, yaxis) {
  const canvas = element.canvas ??= element.insertBefore(make("canvas"), element.firstChild);
  const width = element.clientWidth, ratio = devicePixelRatio || 1, g = canvas.getContext("2d");
  if (!width) return;
  Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  g.scale(ratio, ratio);
  const box = { left: css("--left"), right: width - css("--right"), top: TOP, bottom: height - BOTTOM };
  const X = scaleOf(xaxis, traces, "x", box.left, box.right), Y = scaleOf(yaxis, traces, "y", box.bottom, box.top);
  const isMap = traces.some(({ type }) => type && type !== "note");
  const labels = drawAxes(g, box, X, Y, { nogrid: isMap, ...xaxis }, { nogrid: isMap, ...yaxis });
  g.save();
  g.beginPath();
  g.rect(box.left, box.top - 2, box.right - box.left, box.bottom - box.top + 4);
  g.clip();
  for (const trace of traces) ({ heatmap: drawHeat, letters: drawLetters, note: drawNote }[trace.type] ?? drawLine)(g, trace, X, Y, box);
  g.restore();
  Object.assign(element, { data: traces, layout: { xaxis: { range: X.range }, yaxis: { range: Y.range } }, labels });
}

// A picture. The pictures of a timeline have the same axis and margins, so that one line fits all of them; a picture
// without a timeline has its own axis and no line. Pictures on the screen are drawn at once, the others when the browser is idle.
class Plot {
  static waiting = new Set();
  static all = new Set();
  static screen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      target.plot.seen = isIntersecting;
      if (isIntersecting && Plot.waiting.has(target.plot)) target.plot.paint();
    }
  }, { rootMargin: "200px" });
  static widths = new ResizeObserver((entries) => {
    for (const { target: { plot, clientWidth } } of entries) if (plot.drawn && clientWidth && clientWidth !== plot.width) plot.paint();
  });

  constructor(place, id, label, clip = null) {
    this.clip = clip;
    this.element = place.appendChild(make("div", { id, className: clip ? "plot" : "plot still", plot: this }));
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    Plot.all.add(this);
    Plot.screen.observe(this.element);
    Plot.widths.observe(this.element);
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
    this.width = this.element.clientWidth;
    paint(this.element, traces, height, this.clip ? { range: [this.clip.from, this.clip.to], ...this.clip.axis, ...xaxis } : xaxis, yaxis);
  }

  drawMap(x, rows, most, signed, zero = 0, numbers = null) {       // numbers: of the units, by row
    const ticks = numbers ? { tickvals: numbers.map((_, row) => row), ticktext: numbers } : { showticklabels: false };
    this.rows = rows.length;
    this.draw([heat(x, rows, signed ? zero - most : zero, zero + most, signed)], mapHeight(rows.length), ticks);
  }

  drawWave({ low, high }, seconds) {
    const n = low.shape[0], x = [], y = [];
    for (let k = 0; k < n; k++) { x.push(k / n * seconds, k / n * seconds); y.push(low.a[k], high.a[k]); }
    this.draw([line(x, y, "soft", "solid", { width: 1 })], 110, { showticklabels: false, nticks: 3 });
  }

  markRow(className, row, label = "") {              // a row of a map: the chosen unit's, or the one under the mouse; null: none
    const mark = this.element.querySelector(`.${className}`) ?? this.element.appendChild(make("div", { className }));
    mark.hidden = row === null;
    if (row === null || !this.drawn) return;
    const tall = (this.drawn.height - TOP - BOTTOM) / this.rows;
    mark.style.top = `${TOP + (className === "row-mark" ? row + .5 : row) * tall}px`;
    mark.style.setProperty("--tall", `${tall}px`);
    if (label) mark.replaceChildren(make("span", { textContent: label }));
  }

  share(event) {                                     // how far along the time axis, 0 to 1
    const box = this.element.getBoundingClientRect(), left = css("--left");
    return Math.max(0, Math.min(1, (event.clientX - box.left - left) / (box.width - left - css("--right"))));
  }

  height(event) { return (event.clientY - this.element.getBoundingClientRect().top - TOP) / (this.drawn.height - TOP - BOTTOM); }
}
DARK.addEventListener("change", () => { for (const plot of Plot.all) plot.redraw(); });
