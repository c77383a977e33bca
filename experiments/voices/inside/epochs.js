// The epochs of a training: the slider chooses one, and the pictures follow. drawing.js draws.

const D = JSON.parse($("data").textContent), A = unpacked(D.arrays);
const SHOWN = ["i", "f", "g", "o", "c", "h"], SIGNED = new Set(["g", "c", "h"]);
const PROBABILITY = () => ({
  range: [-.04, 1.04], tickvals: [0, .5, 1],
  ticktext: ["female 0", "0.5", "male 1"].map((s) => (innerWidth > 600 ? s : s.split(" ").pop())),
});
const EVERY_MS = 400, ANSWERS = 170;
const [E, T] = A.p.shape, sound = $("sound"), last = D.epochs[E - 1], { seconds } = D;
const heard = Float32Array.from({ length: T }, (_, t) => (D.first + t) * D.frame_s);
const answers = Array.from({ length: E }, (_, e) => A.p.a.subarray(e * T, (e + 1) * T));
const lossOf = new Map(D.loss.epoch.map((epoch, k) => [epoch, D.loss.value[k]]));
const now = { at: 0, hover: null, order: [], timer: null, due: false };
const time = { from: 0, to: seconds, axis: { ticksuffix: " s" }, plots: [] }, epochs = { from: 0, to: last, plots: [] };      // the two axes
const plots = {};
for (const place of document.querySelectorAll("[data-plot]")) {
  const { plot, label } = place.dataset;
  plots[plot] = new Plot(place, plot, label, plot === "loss" ? epochs : time);
}

function row(name, e, u) {                           // (T,) bytes of unit u at the e-th epoch shown
  const { shape: [, H], a } = A[name];
  return a.subarray((e * H + u) * T, (e * H + u + 1) * T);
}
function value(name, e, u, t) {
  const [zero, unit] = D.units[name];
  return (row(name, e, u)[t] - zero) * unit;
}

// -- pictures ---------------------------------------------------------------------------------------------------------

function drawStill() {                               // the pictures that are the same at every epoch
  plots.wave.drawWave(A, seconds);
  plots.loss.draw([line(D.loss.epoch, D.loss.value, "blue", "solid", { markers: true })], 150,
    { rangemode: "tozero", nticks: 5 }, { whole: true });
  plots.answers.draw([heat(heard, answers, 0, 1, true)], ANSWERS,
    { tickvals: [0, E - 1], ticktext: [D.epochs[0], last] });
  plots.answers.rows = E;
}

function drawAnswer() {
  plots.answer.draw([line([0, seconds], [.5, .5], "grey"), line(heard, answers[E - 1], "orange", "dash"), line(heard, answers[now.at], "blue")],
    150, PROBABILITY());
}

function drawMaps() {
  for (const name of SHOWN) {
    const of = `${$("way").value}/${name}`, [zero, unit] = D.units[of], signed = SIGNED.has(name), most = name === "c" ? mostOfC[of] : 1;
    const z = now.order.map((u) => row(of, now.at, u));
    plots[`map-${name}`].drawMap(heard, z, most / unit, signed, zero, now.order);
    showScale($(`scale-${name}`), most, signed);
  }
}

const mostOfC = {};                                  // the 99th percentile of |c| over all epochs: one scale for all
for (const name of ["forward/c", "backward/c"]) {
  const [zero, unit] = D.units[name];
  mostOfC[name] = quantile(Float32Array.from(A[name].a, (q) => q - zero), .99) * unit;
}

// -- choosing an epoch ------------------------------------------------------------------------------------------------

function go(at) {
  now.at = Math.max(0, Math.min(E - 1, at));
  const epoch = D.epochs[now.at];
  $("epoch").value = now.at;
  $("clock").textContent = epoch ? `epoch ${epoch} of ${last}` : "before training";
  plots.loss.playhead.style.setProperty("--at", epoch / last);
  plots.answers.markRow("row-mark", now.at);
  readout();
  if (now.due) return;                               // a slider moves faster than pictures are drawn
  now.due = true;
  requestAnimationFrame(() => { now.due = false; drawAnswer(); drawMaps(); });
}

function readout() {
  const { at, t, u } = now.hover ?? { at: now.at }, epoch = D.epochs[at];
  const parts = [epoch ? `epoch ${epoch}, loss ${say(lossOf.get(epoch), 3)}` : "before training", `clip: male ${say(D.probability[at])}`];
  if (t >= 0 && t < T) parts.push(`${say(heard[t])} s: male ${say(answers[at][t])}`);
  if (u !== undefined) parts.push(`unit ${u}: ` + SHOWN.map((name) => `${name} ${say(value(`${$("way").value}/${name}`, at, u, t))}`).join("  "));
  readOut(parts.join("  |  "));
  if (!now.hover) $("epoch").setAttribute("aria-valuetext", parts.join(", "));
}

function sortUnits() {
  const { shape: [H], a } = A[`${$("way").value}/half_life`];
  now.order = Array.from({ length: H }, (_, u) => u);
  if ($("sort").value === "half_life") now.order.sort((p, q) => a[q] - a[p]);
  go(now.at);
}

function play(on) {
  clearInterval(now.timer);
  now.timer = null;
  if (on) {
    if (now.at === E - 1) go(0);
    now.timer = setInterval(() => (now.at < E - 1 ? go(now.at + 1) : play(false)), EVERY_MS);
  }
  $("play").textContent = on ? "Pause" : "Play";
  $("play").setAttribute("aria-pressed", String(on));
}

for (const [name, plot] of Object.entries(plots)) {
  const nth = (event, n) => Math.max(0, Math.min(n - 1, Math.floor(plot.height(event) * n)));
  const place = (event) => {                         // the epoch, frame and unit under the mouse
    const share = plot.share(event);
    if (name === "loss") {                           // the nearest of the epochs shown
      const far = D.epochs.map((epoch) => Math.abs(epoch - share * last));
      return { share, at: far.indexOf(Math.min(...far)) };
    }
    const found = { share, at: now.at, t: Math.round(share * seconds / D.frame_s) - D.first };
    if (name === "answers") found.at = nth(event, E);
    if (name.startsWith("map-") && found.t >= 0 && found.t < T) found.u = now.order[nth(event, now.order.length)];
    return found;
  };
  const hover = (found) => {
    now.hover = found;
    for (const { pointer } of plot.clip.plots) {
      pointer.hidden = !found;
      if (found) pointer.style.setProperty("--at", found.share);
    }
    for (const name of SHOWN) plots[`map-${name}`].markRow("row-hover", found?.u === undefined ? null : now.order.indexOf(found.u), `unit ${found?.u}`);
    readout();
  };
  plot.element.addEventListener("pointermove", (event) => hover(place(event)));
  plot.element.addEventListener("pointerleave", () => hover(null));
  if (name === "loss" || name === "answers") plot.element.addEventListener("click", (event) => { play(false); go(place(event).at); });
}

$("play").onclick = () => play(now.timer === null);
$("epoch").max = E - 1;
$("epoch").oninput = () => { play(false); go(+$("epoch").value); };
$("way").onchange = $("sort").onchange = sortUnits;
const follow = () => {
  for (const { playhead } of time.plots) playhead.style.setProperty("--at", sound.currentTime / seconds);
  if (!sound.paused) requestAnimationFrame(follow);
};
sound.onplay = sound.onseeked = follow;
follow();
drawAlways(() => { drawStill(); sortUnits(); });
keyboard({
  " ": ["play or stop", () => play(now.timer === null)],
  ArrowLeft: ["one epoch back", () => { play(false); go(now.at - 1); }],
  ArrowRight: ["one epoch on", () => { play(false); go(now.at + 1); }],
  Home: ["before training", () => go(0)],
  End: ["after training", () => go(E - 1)],
});
