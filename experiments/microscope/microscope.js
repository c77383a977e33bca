"use strict";
const $ = (id) => document.getElementById(id);
const D = JSON.parse($("data").textContent);
const A = {};                                        // arrays by name: {shape, a}, and rows(name)
for (const [name, { shape, type, base64 }] of Object.entries(D.arrays)) {
  const bytes = Uint8Array.from(atob(base64), (ch) => ch.charCodeAt(0));
  A[name] = { shape, a: type === "uint8" ? bytes : new Float32Array(bytes.buffer) };
}
const rows = (name) => {
  const { shape: [n, m], a } = A[name];
  return Array.from({ length: n }, (_, k) => a.subarray(k * m, (k + 1) * m));
};
const SHOWN = ["i", "f", "g", "o", "c", "h"], SIGNED = new Set(["g", "c", "h"]);
const T = A.p.shape[0], frames = D.frames, sound = $("sound");
const seconds = D.seconds, whatIf = Object.keys(D.what_if), changed = rows("what_if"), rests = rows("rests");
const times = Float32Array.from({ length: frames }, (_, k) => k * D.frame_s);
const heard = times.subarray(D.first, D.first + T);
const now = { frame: 0, hover: null, unit: 0, order: [] };
const css = (name) => parseFloat(getComputedStyle(document.documentElement).getPropertyValue(name));
const say = (v, digits = 2) => (Number.isFinite(v) ? v.toFixed(digits).replace(/^(-?)0\./, "$1.").replace("-", "−") : "–");

// -- pictures: all have the same time axis and the same margins, so that one line runs through them -------------------

function draw(id, traces, height, yaxis) {
  const narrow = innerWidth <= 600, size = narrow ? 10 : 12;
  const layout = {
    height, margin: { l: css("--left"), r: css("--right"), t: 4, b: 20 }, showlegend: false, hovermode: false, dragmode: false,
    paper_bgcolor: "#fff", plot_bgcolor: "#fff", font: { family: "system-ui, sans-serif", size, color: "#333" },
    xaxis: { range: [0, seconds], fixedrange: true, ticksuffix: " s", nticks: narrow ? 5 : 12, gridcolor: "#e6e6e6", zeroline: false },
    yaxis: { fixedrange: true, gridcolor: "#e6e6e6", zeroline: false, ...yaxis },
  };
  return Plotly.react(id, traces, layout, { staticPlot: true, responsive: true });
}
const line = (y, color, dash = "solid", x = heard) => ({ x, y, mode: "lines", line: { color, dash, width: 1.8 }, connectgaps: false });
const heat = (x, z, from, to, signed) => ({
  type: "heatmap", x, z, zmin: from, zmax: to, showscale: false, zsmooth: false,
  colorscale: signed ? DIVERGING : "Cividis",
});
const DIVERGING = [[0, "#053061"], [.25, "#4393c3"], [.5, "#f7f7f7"], [.75, "#d6604d"], [1, "#67001f"]];

function drawSound() {
  const n = A.low.shape[0], x = [], y = [];
  for (let k = 0; k < n; k++) { x.push(k / n * seconds, k / n * seconds); y.push(A.low.a[k], A.high.a[k]); }
  draw("wave", [{ x, y, mode: "lines", line: { color: "#555", width: 1 } }], 110, { showticklabels: false, nticks: 3 });
  draw("pitch", [line(A.f0.a, "#0072B2", "solid", times)], 150,
    { type: "log", range: [Math.log10(60), Math.log10(420)], tickvals: [80, 120, 160, 240, 320], ticktext: [80, 120, 160, 240, 320].map((v) => innerWidth > 600 ? `${v} Hz` : v) });
  draw("mfcc", [heat(times, rows("mfcc"), -2.5, 2.5, true)], 150, { tickvals: [0, 9, 19], ticktext: ["1", "10", "20"] });
}

function drawAnswer() {
  const traces = [line([.5, .5], "#999", "solid", [0, seconds]), line(A.p.a, "#0072B2"), line(A.so_far.a, "#B35A00", "dash")];
  const name = intervention(), was = say(D.probability, 3);
  if (name) traces.push(line(changed[whatIf.indexOf(name)], "#000", "dot"));
  draw("answer", traces, 190, { range: [-.03, 1.03], tickvals: [0, .5, 1], ticktext: ["female 0", ".5", "male 1"].map((s) => innerWidth > 600 ? s : s.split(" ").pop()) });
  $("outcome").textContent = name ? `probability of male: ${was} → ${say(D.what_if[name], 3)}` : `probability of male: ${was}`;
}

function intervention() {
  const kind = $("kind").value;
  for (const id of ["gate", "held", "where"]) $(id).disabled = kind !== "hold";
  if (kind === "silence") return `${$("way").value}/silence/${now.unit}`;
  return kind === "hold" ? `${$("where").value}/${$("gate").value}/${$("held").value}` : null;
}

function drawRests() {
  const at = now.frame - D.first;
  const y = at >= 0 && at < T ? Float32Array.from(rests[at], (v) => v / 255) : [];
  draw("rests", [{ ...line(y, "#0072B2"), fill: "tozeroy" }], 110, { range: [0, 1.05], tickvals: [0, .5, 1] });
}

// -- the LSTM ---------------------------------------------------------------------------------------------------------

function sortUnits() {
  const by = $("sort").value, n = A[`${$("way").value}/half_life`].shape[0];
  const key = by === "index" ? null : A[`${$("way").value}/${by}`].a;
  now.order = Array.from({ length: n }, (_, u) => u);
  if (key) now.order.sort((a, b) => Math.abs(key[b]) - Math.abs(key[a]));
  $("unit").replaceChildren(...now.order.map((u) => new Option(`${u}`, u, false, u === now.unit)));
}

function drawMaps() {
  const way = $("way").value, what = $("what").value;
  $("gradient-note").hidden = what === "value";
  document.body.classList.toggle("gradients", what === "gradient");
  for (const name of SHOWN) {
    const all = rows(`${way}/${what}/${name}`), signed = what === "gradient" || SIGNED.has(name);
    const most = what === "value" && name !== "c" ? 1 : quantile(A[`${way}/${what}/${name}`].a, .99);
    draw(`map-${name}`, [heat(heard, now.order.map((u) => all[u]), signed ? -most : 0, most, signed)], 150,
      { autorange: "reversed", showticklabels: false, ticks: "" });
    const scale = $(`scale-${name}`), digits = most < .01 ? most.toExponential(0) : say(most, most === 1 ? 0 : 2);
    scale.classList.toggle("signed", signed);
    scale.textContent = signed ? `−${digits} to ${digits}` : "0 to 1";
  }
  mark();
}

function quantile(a, q) {
  const sorted = Float32Array.from(a, Math.abs).sort();
  return sorted[Math.floor(q * (sorted.length - 1))] || 1;
}

function mark() {                                    // a triangle beside the picked unit's row
  for (const name of SHOWN) {
    const plot = $(`map-${name}`), own = plot.querySelector(".row-mark") || plot.appendChild(Object.assign(document.createElement("div"), { className: "row-mark" }));
    own.style.top = `${4 + (now.order.indexOf(now.unit) + .5) / now.order.length * (150 - 24)}px`;
  }
}

function drawUnit() {
  const way = $("way").value, of = (what, name) => rows(`${way}/${what}/${name}`)[now.unit], what = $("what").value;
  for (const name of document.querySelectorAll(".unit-name")) name.textContent = `${now.unit}, ${way}${what === "gradient" ? ", gradients" : ""}`;
  const at = (name) => A[`${way}/${name}`].a[now.unit];
  $("unit-facts").textContent = `Half of what it holds is gone after ${say(at("half_life"))} s. Its forget gate is below .1 in ` +
    `${say(100 * at("low"), 0)} % of the frames and above .9 in ${say(100 * at("high"), 0)} %. Silenced, it moves the log-odds of male by ${at("ablation") > 0 ? "+" : ""}${say(at("ablation"))}.`;
  const gates = what === "value" ? { range: [-.03, 1.03], tickvals: [0, .5, 1] } : {};
  draw("unit-gates", [line(of(what, "i"), "#0072B2"), line(of(what, "f"), "#B35A00", "dash"), line(of(what, "o"), "#006B4F", "dot")], 150, gates);
  draw("unit-states", [line(of(what, "g"), "#8F3F71", "dot"), line(of(what, "c"), "#000"), line(of(what, "h"), "#0072B2", "dash")], 150, {});
}

function drawMemory() {
  const [total, forget, gates] = rows(`${$("way").value}/memory`);
  const top = Math.ceil(Math.log10(Math.max(...total)));
  draw("memory", [line(total, "#000"), line(forget, "#B35A00", "dash"), line(gates, "#0072B2", "dot")], 190,
    { type: "log", range: [top - 8, top], dtick: 2, exponentformat: "power" });
}

function fillTable() {
  const way = $("way").value, columns = [["half_life", 2], ["low", 2], ["high", 2], ["ablation", 3], ["by_gradient", 3]];
  $("table").tBodies[0].replaceChildren(...now.order.map((u) => {
    const row = document.createElement("tr"), pick = document.createElement("button");
    pick.type = "button"; pick.textContent = u; pick.onclick = () => pickUnit(u);
    row.insertCell().append(pick);
    for (const [name, digits] of columns) row.insertCell().textContent = say(A[`${way}/${name}`].a[u], digits);
    return row;
  }));
}

// -- time, units, and what a person does ------------------------------------------------------------------------------

function readout() {
  const frame = now.hover ? now.hover.frame : now.frame, t = frame - D.first, way = $("way").value, what = $("what").value;
  const unit = now.hover && now.hover.unit !== undefined ? now.hover.unit : now.unit, there = t >= 0 && t < T;
  const f0 = A.f0.a[frame], parts = [`${say(times[frame])} s`, Number.isFinite(f0) ? `${Math.round(f0)} Hz` : "unvoiced", `${Math.round(A.energy.a[frame])} dB`];
  if (there) {
    const digits = what === "value" ? 2 : 4;
    parts.push(`male ${say(A.p.a[t])} (so far ${say(A.so_far.a[t])})`);
    parts.push(`unit ${unit}${what === "gradient" ? " gradients" : ""}: ` + SHOWN.map((name) => `${name} ${say(A[`${way}/${what}/${name}`].a[unit * T + t], digits)}`).join("  "));
  } else parts.push("nobody speaks: the network was not asked");
  $("readout").textContent = parts.join("  |  ");
  if (!now.hover) $("time").setAttribute("aria-valuetext", parts.join(", "));
}

let restsDue = false;
function seek(frame, fromSound = false) {
  now.frame = Math.max(0, Math.min(frames - 1, frame));
  if (!fromSound) sound.currentTime = times[now.frame];
  $("time").value = now.frame;
  $("clock").textContent = `${times[now.frame].toFixed(2)} s`;
  document.documentElement.style.setProperty("--at", times[now.frame] / seconds);
  if (!restsDue) { restsDue = true; requestAnimationFrame(() => { restsDue = false; drawRests(); }); }
  readout();
}

function pickUnit(u) {
  now.unit = u;
  $("unit").value = u;
  drawUnit(); mark(); drawAnswer(); readout();
}

function follow() {
  if (sound.paused) return;
  seek(Math.round(sound.currentTime / D.frame_s), true);
  requestAnimationFrame(follow);
}

for (const plot of document.querySelectorAll(".plot")) {
  const point = (event) => {
    const box = plot.getBoundingClientRect(), left = css("--left");
    const share = (event.clientX - box.left - left) / (box.width - left - css("--right"));
    const found = { frame: Math.max(0, Math.min(frames - 1, Math.round(share * seconds / D.frame_s))) };
    const row = Math.floor((event.clientY - box.top - 4) / (150 - 24) * now.order.length);
    if (plot.id.startsWith("map-") && row >= 0 && row < now.order.length) found.unit = now.order[row];
    return found;
  };
  plot.addEventListener("pointermove", (event) => {
    now.hover = point(event);
    document.documentElement.style.setProperty("--hover", times[now.hover.frame] / seconds);
    document.body.classList.remove("nowhere");
    readout();
  });
  plot.addEventListener("pointerleave", () => { now.hover = null; document.body.classList.add("nowhere"); readout(); });
  plot.addEventListener("click", (event) => {
    const { frame, unit } = point(event);
    seek(frame);
    if (unit !== undefined) pickUnit(unit);
  });
}

$("play").onclick = () => (sound.paused ? sound.play() : sound.pause());
sound.onplay = () => { $("play").textContent = "Pause"; $("play").setAttribute("aria-pressed", "true"); follow(); };
sound.onpause = sound.onended = () => { $("play").textContent = "Play"; $("play").setAttribute("aria-pressed", "false"); };
$("time").max = frames - 1;
$("time").oninput = () => seek(+$("time").value);
$("unit").onchange = () => pickUnit(+$("unit").value);
$("gate").onchange = () => {
  const held = D.held[$("gate").value];
  $("held").replaceChildren(...held.map((v) => new Option(v.replace(/^(-?)0\./, "$1."), v)));
  drawAnswer();
};
$("kind").onchange = $("held").onchange = $("where").onchange = drawAnswer;
const drawLSTM = () => { sortUnits(); drawMaps(); drawUnit(); drawMemory(); fillTable(); drawAnswer(); readout(); };
$("way").onchange = $("what").onchange = $("sort").onchange = drawLSTM;
const drawAll = () => { drawSound(); drawLSTM(); drawRests(); };

let width = innerWidth;
addEventListener("resize", () => { if ((width <= 600) !== (innerWidth <= 600)) drawAll(); width = innerWidth; });
document.body.classList.add("nowhere");
const weight = A["forward/ablation"].a.map(Math.abs);
now.unit = weight.indexOf(Math.max(...weight));       // begin with the unit that counts most
$("gate").onchange();
drawAll();
seek(D.first);
