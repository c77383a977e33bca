// The page of any network: the user's choices, and their effects. D holds the numbers, as page.py wrote them.

const D = JSON.parse($("data").textContent), EVERY_MS = 300;
const STYLES = {
  i: ["blue", "solid"], f: ["orange", "dash"], o: ["green", "dot"], z: ["orange", "dash"], r: ["blue", "solid"],
  c: ["ink", "solid"], g: ["purple", "dot"], candidate: ["purple", "dot"], h: ["blue", "dash"],
};
const SIGNED = new Set(["g", "candidate", "c", "h"]), LETTER = { candidate: "ĥ" };
const COLOURS = ["blue", "orange", "green", "purple", "ink", "grey"], PATTERNS = ["solid", "dash", "dot"];
const written = (symbol) => ({ " ": "␣", "\n": "⏎", "\t": "⇥" })[symbol] ?? symbol;
const isText = D.kind === "text", hasSymbols = isText || D.kind === "symbols";

for (const sequence of D.sequences) {
  sequence.A = unpacked(sequence.arrays);
  for (const layer of Object.values(sequence.layers)) layer.A = unpacked(layer.arrays);
}
let spans = [];                                                             // the text's letters
let S, L, units, order = [], unit = null, pointed = null;                   // the sequence, the layer; the unit under the mouse
let drawing, speaking;                                                      // the cell, and the same for the readout

// -- steps ------------------------------------------------------------------------------------------------------------

class Steps extends Timeline {
  constructor(moved) { super({ frames: 1, start: -.5, end: .5, origin: D.first, least: 8, moved }); }

  read(steps) {                                      // another sequence
    Object.assign(this, { frames: steps, start: D.first - .5, end: D.first + steps - .5, longest: D.first + steps - .5, hover: null });
    this.frame = Math.min(this.frame, steps - 1);
    const fit = hasSymbols ? Math.max(12, Math.floor(this.room() / (isText ? 9 : 34))) : steps;
    this.zoom(this.start, this.start + (fit < steps ? fit : steps));
  }

  point(frame) {                                     // in the text too
    spans[this.hover]?.classList.remove("hover");
    super.point(frame);
    spans[frame]?.classList.add("hover");
  }

  room() { return (document.querySelector(".plots:not([hidden])").clientWidth || innerWidth) - css("--left") - css("--right"); }

  show(from, to) {
    const shown = hasSymbols && S ? [...S.symbols.slice(Math.max(0, Math.ceil(from - D.first)), Math.floor(to - D.first) + 1)] : [];
    const widest = Math.max(1, ...shown.map((symbol) => symbol.length)), wide = this.room() / (to - from);
    const ticks = shown.map((_, k) => Math.max(D.first, Math.ceil(from)) + k);
    this.axis = shown.length && wide >= 7.2 * widest ? { tickvals: ticks, ticktext: shown, gap: -3, nogrid: true } : { whole: true };
    [$("from").value, $("to").value] = [Math.ceil(from), Math.floor(to)];
    $("whole").disabled = to - from >= this.frames;
    super.show(from, to);
  }

  go(frame) {                                        // to a step that may lie outside of what is shown
    const to = Math.max(0, Math.min(this.frames - 1, frame)), [first, last] = this.ends(), wide = this.to - this.from;
    if (to < first || to > last) this.zoom(...(to > last ? [this.time(to) - .25 * wide, this.time(to) + .75 * wide] : [this.time(to) - .75 * wide, this.time(to) + .25 * wide]));
    this.seek(to);
  }

  seek(frame) {
    super.seek(frame);
    const [first, last] = [0, this.frames - 1];
    Object.assign($("time"), { min: first, max: last, value: this.frame });
    $("clock").textContent = `step ${this.time(this.frame)} of ${this.time(last)}`;
  }

  toggle(on = !this.timer) {
    clearInterval(this.timer);
    this.timer = null;
    if (on) {
      if (this.frame === this.frames - 1) this.go(0);
      this.timer = setInterval(() => (this.frame < this.frames - 1 ? this.go(this.frame + 1) : this.toggle(false)), EVERY_MS);
    }
    $("play").textContent = on ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", on);
  }
}

let due = false;
const steps = new Steps(() => {
  if (!S || due) return;
  due = true;                                        // a slider moves faster than pictures are drawn
  requestAnimationFrame(() => { due = false; showCell(); drawRests(); markText(); readout(); });
});
const plots = {};
for (const place of document.querySelectorAll("[data-plot]")) {
  const { plot, label } = place.dataset;
  plots[plot] = Object.assign(new Plot(place, plot, label, steps), { name: plot, place });
}
const xs = () => Float32Array.from({ length: S.steps }, (_, t) => steps.time(t));
const live = (t) => !S.mask || S.mask[t];
const rowsOf = ({ shape: [n, m], a }) => Array.from({ length: n }, (_, k) => a.subarray(k * m, (k + 1) * m));
const outputAt = (t) => (S.answers === 1 ? 0 : t);   // a network that answers once has one answer for all steps
const of = (name, u) => L.A[name].a.subarray(u * S.steps, (u + 1) * S.steps);
const what = () => $("what").value;

// -- the input --------------------------------------------------------------------------------------------------------

function drawInput() {
  const { x } = S.A, { input } = plots, t = xs();
  $("masked-note").hidden = !S.mask;
  $("text-part").hidden = !hasSymbols;
  input.place.hidden = hasSymbols;
  $("input-note").textContent = hasSymbols
    ? `One ${isText ? "letter" : "symbol"} a step. Click one to move the line there.${isText ? " ␣ is a space, ⏎ a new line." : ""}`
    : D.kind === "columns" ? "Look for the steps at which a column changes: each column has its own scale, from its least to its greatest value."
    : "A row is a column of the input, minus its mean over the steps and divided by its standard deviation.";
  if (hasSymbols) return fillText();
  const rows = rowsOf(x), masked = (row) => row.map((v, k) => (live(k) ? v : NaN));
  if (D.kind === "columns") {                        // one below the other, each from 0 to 1 of its own range
    const traces = rows.flatMap((row, d) => {
      const numbers = masked(row).filter(Number.isFinite), [low, high] = [Math.min(...numbers), Math.max(...numbers)], at = rows.length - 1 - d;
      const heights = masked(row).map((v) => at + .08 + .6 * (high > low ? (v - low) / (high - low) : .5));
      return [line(t, heights, COLOURS[d % COLOURS.length]), note(at + .97, `${D.labels[d]}, ${small(low)} to ${small(high)}`)];
    });
    return input.draw(traces, Math.max(100, 70 * rows.length + 30), { range: [0, rows.length], tickvals: rows.map((_, d) => d), ticktext: rows.map(() => "") });
  }
  const standard = rows.map((row) => {
    const numbers = masked(row).filter(Number.isFinite), mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
    const deviation = Math.sqrt(numbers.reduce((a, v) => a + (v - mean) ** 2, 0) / numbers.length) || 1;
    return masked(row).map((v) => (v - mean) / deviation);
  });
  input.rows = rows.length;
  input.draw([heat(t, standard, -2.5, 2.5, true)], mapHeight(3 * rows.length), { tickvals: rows.map((_, d) => d), ticktext: D.labels.map(short) });
}

const short = (name) => (name.length > (innerWidth > 600 ? 7 : 5) ? `${name.slice(0, innerWidth > 600 ? 5 : 4)}…` : name);   // beside a picture

function fillText() {
  spans = S.symbols.map((symbol, t) => {
    const span = make("span", { textContent: S.symbols.plain[t] === "\n" ? "⏎\n" : isText ? S.symbols.plain[t] : symbol });
    span.onclick = () => steps.go(t);
    span.onpointerenter = () => { steps.point(t); readout(); };
    span.onpointerleave = () => { steps.point(null); readout(); };
    return span;
  });
  $("text").classList.toggle("tokens", !isText);
  $("text").replaceChildren(...spans);
  const names = L.A["value/c"] ? ["c", "h"] : ["h"];
  const chosen = $("colour").value, isFirst = !$("colour").options.length;
  const options = [...names.map((name) => [name, `${name} of the unit`]), ...(S.A.loss?.a.length === S.steps ? [["loss", "the loss"]] : []), ["", "nothing"]];
  $("colour").replaceChildren(...options.map(([value, text]) => new Option(text, value, false, value === chosen)));
  if (isFirst) $("colour").selectedIndex = 0;
  colourText();
}

function colourText() {
  if (!hasSymbols) return;
  const name = $("colour").value, values = name === "loss" ? S.A.loss.a : name ? of(`value/${name}`, unit) : [];
  const most = name ? quantile(values, .99) : 1, [above, below] = DARK.matches ? ["170 62 24", "22 92 170"] : ["255 150 120", "120 180 255"];
  spans.forEach((span, t) => {
    const share = Math.max(-1, Math.min(1, (values[t] ?? 0) / most));
    span.style.background = share ? `rgb(${share > 0 ? above : below} / ${Math.abs(share).toFixed(2)})` : "";
  });
  $("scale-text").textContent = name ? `−${small(most).replace("−", "")} to ${small(most)}` : "";
  $("scale-text").hidden = !name;
}

function markText() {
  if (!hasSymbols) return;
  $("text").querySelector(".at")?.classList.remove("at");
  const span = spans[steps.frame], box = $("text");
  span.classList.add("at");
  if (span.offsetTop < box.scrollTop || span.offsetTop > box.scrollTop + box.clientHeight - 30) box.scrollTop = span.offsetTop - box.clientHeight / 2;
}

// -- the answer -------------------------------------------------------------------------------------------------------

const key = (words, [color, dash]) => make("span", { className: `key ${{ dash: "dash", dot: "dot" }[dash] ?? ""}`, textContent: words, style: `--c: var(--${color})` });

function drawAnswer() {
  const { A, answers } = S, { answer, loss } = plots, K = D.classes.length, t = xs();
  const single = answers === 1, keys = $("answer-keys");
  keys.replaceChildren();
  $("loss-part").hidden = !A.loss || single;
  answer.place.hidden = single;
  $("answer-note").textContent = single ? oneAnswer()
    : D.so_far ? "The network answers once, at the end. At each step: its answer if the sequence ended there." : "The network answers at every step.";
  if (single) return;
  const right = A.right ? line(t, A.right_p.a, "ink", "dot", { width: 1.5 }) : null;
  if (K <= 3) {
    const rows = rowsOf(A.p), traces = rows.map((row, k) => line(t, row, COLOURS[k], PATTERNS[k]));
    rows.forEach((_, k) => keys.append(key(D.classes[k], [COLOURS[k], PATTERNS[k]])));
    if (A.y) rowsOf(A.y).forEach((row, k) => traces.push(row.length > 1 ? line(t, row, "ink", "solid", { markers: "only" }) : line([t[0], t[t.length - 1]], [row[0], row[0]], "ink", "dot")));
    if (A.y) keys.append(key("target", ["ink", "dot"]));
    if (right) { traces.push(right); keys.append(key("probability of the target", ["ink", "dot"])); }
    const numbers = [...A.p.a, ...(A.y?.a ?? [])], probability = Math.min(...numbers) >= 0 && Math.max(...numbers) <= 1;
    answer.draw(traces, 190, probability ? { range: [-.04, 1.04], tickvals: [0, .5, 1] } : {});
  } else if (A.p && !isText) {
    const rows = rowsOf(A.p), probability = A.p.a.every((v) => v >= 0 && v <= 1.001), most = probability ? 1 : quantile(A.p.a, .99);
    $("answer-note").append(` A row is ${probability ? "the probability of a class" : "a number of the answer"}.`);
    answer.draw([heat(t, rows, probability ? 0 : -most, most, !probability)], mapHeight(5 * K), { tickvals: rows.map((_, k) => k), ticktext: D.classes.map(short) });
  } else {
    const map = heat(t, rowsOf(A.best_p), 0, 1, false), rows = rowsOf(A.best);
    $("answer-note").append(` The ${rows.length} most probable ${isText ? "letters" : "classes"} at each step, the first at the top; the lighter, the more probable.`);
    answer.draw([map, { ...letters(t, rows.map((row) => Array.from(row, (k) => written(D.classes[k])))), over: map }], 22 * rows.length + 34, { tickvals: rows.map((_, r) => r), ticktext: rows.map((_, r) => `${r + 1}.`) });
  }
  if (A.loss) loss.draw([line(t, A.loss.a, "orange", "solid", { fill: true })], 130, { rangemode: "tozero" });
}

function oneAnswer() {                               // of a network whose answer at the end is all there is
  const { A } = S, K = D.classes.length;
  const p = K > 1 ? `The most probable class is ${written(D.classes[A.best.a[0]])}: ${small(A.best_p.a[0])}.` : `It is ${small(A.p.a[0])}.`;
  const y = A.right ? ` The target is ${written(D.classes[A.right.a[0]])}: ${small(A.right_p.a[0])}.` : A.y ? ` The target is ${small(A.y.a[0])}.` : "";
  return `One answer for the whole sequence. ${p}${y}`;
}

function drawRests() {
  const { rests } = S.A, row = rests.a.subarray(...((k) => [k * S.steps, (k + 1) * S.steps])(rests.shape[0] > 1 ? steps.frame : 0));
  plots.rests.draw([line(xs(), Float32Array.from(row, (v) => v / 255), "blue", "solid", { fill: true })], 110, { range: [0, 1.05], tickvals: [0, .5, 1] });
}

// -- the layer --------------------------------------------------------------------------------------------------------

function drawLayer() {
  const A = L.A, gradient = what() === "gradient", t = xs();
  $("layer-name").textContent = `${$("layer").value}${L.backwards ? ", which reads from the end to the start" : ""}`;
  $("gradient-note").hidden = !gradient;
  document.body.classList.toggle("gradients", gradient);
  sortUnits();
  for (const name of Object.keys(STYLES)) {
    const map = plots[`map-${name}`];
    if (!map) continue;
    map.place.parentElement.hidden = !L.shown.includes(name);
    if (map.place.parentElement.hidden) continue;
    const array = A[`${what()}/${name}`], signed = gradient || SIGNED.has(name), most = gradient || name === "c" ? quantile(array.a, .99) : 1;
    const rows = rowsOf(array);
    showScale($(`scale-${name}`), most, signed);
    map.drawMap(t, order.map((u) => rows[u]), most, signed, 0, order);
  }
  fillTable();
  pick(unit ?? strongest());
}

const strongest = () => {                            // the unit whose absence changes most, or whose output varies most
  const weight = L.A.effect ? Array.from(L.A.effect.a, Math.abs) : Array.from({ length: units }, (_, u) => of("value/h", u).reduce((s, v) => s + v * v, 0));
  return weight.indexOf(Math.max(...weight));
};

function sortUnits() {
  const by = L.A[$("sort").value]?.a;
  order = Array.from({ length: units }, (_, u) => u);
  if (by) order.sort((p, q) => Math.abs(by[q]) - Math.abs(by[p]));
  $("unit").replaceChildren(...order.map((u) => new Option(`${u}`, u, false, u === unit)));
}

function pick(u) {
  unit = u;
  $("unit").value = u;
  for (const name of document.querySelectorAll(".unit-name")) name.textContent = `${u}${what() === "gradient" ? ", gradients" : ""}`;
  drawUnit();
  markRows();
  colourText();
  showCell();
  readout();
  const at = (name) => L.A[name]?.a[u], percent = (name) => `${say(100 * at(name), 0)}\u202f%`, keeps = L.keeps;
  $("unit-facts").textContent = (keeps ? `The half-life of its state is ${say(at("half_life"))} steps. Its gate ${keeps} is below 0.1 in ${percent("low")} of the steps and above 0.9 in ${percent("high")}. ` : "") +
    (at("effect") === undefined ? "" : `Without the unit, ${D.slope} changes by ${at("effect") > 0 ? "+" : ""}${small(at("effect"))}.`);
}

function drawUnit() {
  const t = xs(), gradient = what() === "gradient";
  for (const [plot, names] of [["gates", ["i", "f", "o", "z", "r"]], ["cell", ["c"]], ["states", ["g", "candidate", "h"]]]) {
    const there = names.filter((name) => L.shown.includes(name)), { place } = plots[`unit-${plot}`], keys = $(`${plot}-keys`);
    place.hidden = keys.hidden = !there.length;
    if (!there.length) continue;
    keys.replaceChildren(...there.map((name) => key(LETTER[name] ?? name, STYLES[name])));
    const rows = there.map((name) => of(`${what()}/${name}`, unit)), most = Math.max(...rows.map((row) => Math.max(...row.map((v) => Math.abs(v) || 0)))) * 1.05 || 1;
    const fixed = { gates: { range: [-.04, 1.04], tickvals: [0, .5, 1] }, states: { range: [-1.05, 1.05], tickvals: [-1, 0, 1] } }[plot];
    plots[`unit-${plot}`].draw(rows.map((row, k) => line(t, row, ...STYLES[there[k]])), MAP, !gradient && fixed ? fixed : { range: [-most, most] });
  }
}

function markRows() {
  for (const name of L.shown) {
    plots[`map-${name}`].markRow("row-mark", order.indexOf(unit));
    plots[`map-${name}`].markRow("row-hover", pointed === null ? null : order.indexOf(pointed), `unit ${pointed}`);
  }
}

function fillTable() {
  const columns = [["half_life", "half-life (steps)", 2], ["low", `${L.keeps} below 0.1`, 2], ["high", `${L.keeps} above 0.9`, 2], ["effect", "change without the unit", 4]].filter(([name]) => L.A[name]);
  $("columns").replaceChildren(...["unit", ...columns.map(([, words]) => words)].map((textContent) => make("th", { textContent })));
  $("table").tBodies[0].replaceChildren(...order.map((u) => {
    const row = make("tr");
    row.insertCell().append(make("button", { type: "button", textContent: u, onclick: () => pick(u) }));
    for (const [name, , digits] of columns) row.insertCell().textContent = say(L.A[name].a[u], digits);
    return row;
  }));
}

// -- one unit at one step ---------------------------------------------------------------------------------------------

function valuesAt(u, t) {                            // as the drawing of the cell takes them
  const before = t + (L.backwards ? 1 : -1), values = { unit: u };
  for (const name of [...L.shown, ...L.before]) values[name] = of(`value/${name}`, u)[t];
  for (const state of ["h", "c"]) {
    if (L.A[`first/${state}`]) values[`${state}_prev`] = before < 0 || before >= S.steps ? L.A[`first/${state}`].a[u] : of(`value/${state}`, u)[before];
  }
  if (values.c !== undefined) values.tanh_c = Math.tanh(values.c);
  if (!hasSymbols && D.labels.length === 1 && S.inLayer === 0) values.x = S.A.x.a[t];
  return values;
}

function showCell() {
  const t = steps.frame;
  $("cell-title").textContent = `Unit ${unit} at step ${steps.time(t)}${hasSymbols ? `, “${S.symbols[t]}”` : ""}`;
  drawing.show(valuesAt(unit, t));
}

function spoken(u, t) {                              // the drawing's sentence, for another unit or step
  speaking.show(valuesAt(u, t));
  return [...speaking.figure.querySelector("figcaption").children].find((span) => !span.hidden).textContent;
}

function answerAt(t) {
  const { A } = S, k = outputAt(t), K = D.classes.length, parts = [];
  if (K === 1) parts.push(`${D.classes[0]} ${small(A.p.a[k])}`);
  else parts.push(Array.from({ length: A.best.shape[0] }, (_, r) => `${written(D.classes[A.best.a[r * S.answers + k]])} ${say(A.best_p.a[r * S.answers + k])}`).slice(0, K === 2 ? 2 : 5).join("  "));
  if (A.right) parts.push(`target ${written(D.classes[A.right.a[k]])} ${say(A.right_p.a[k], 3)}`);
  else if (A.y) parts.push(`target ${rowsOf(A.y).map((row) => small(row[Math.min(k, row.length - 1)])).join(" ")}`);
  if (A.loss) parts.push(`loss ${small(A.loss.a[k])}`);
  return parts;
}

function readout() {
  const t = steps.hover ?? steps.frame, u = pointed ?? unit, gradient = what() === "gradient", parts = [`step ${steps.time(t)}${hasSymbols ? ` “${S.symbols[t]}”` : ""}`];
  if (!hasSymbols && D.labels.length <= 6) parts.push(D.labels.map((name, d) => `${name} ${small(S.A.x.a[d * S.steps + t])}`).join("  "));
  parts.push(...answerAt(t));
  const numbers = L.shown.map((name) => `${LETTER[name] ?? name} ${gradient ? of(`gradient/${name}`, u)[t].toExponential(1).replaceAll("-", "−") : say(of(`value/${name}`, u)[t], 3)}`).join("  ");
  const sentence = innerWidth <= 600 && pointed === null ? `unit ${u}: ` : `${spoken(u, t)}  `;   // on a phone it stands below the drawing
  readOut(`${parts.join("  |  ")}\n${gradient ? `unit ${u} gradients: ` : sentence} ${numbers}`);
  if (steps.hover === null) $("time").setAttribute("aria-valuetext", parts.join(", "));
}

// -- choices ----------------------------------------------------------------------------------------------------------

function chooseSequence() {
  S = D.sequences[+$("sequence").value];
  S.answers = (S.A.p ?? S.A.best).shape[1];
  if (hasSymbols) {
    S.symbols = Array.from(S.A.x.a, (k) => written(D.labels[k]));
    S.symbols.plain = Array.from(S.A.x.a, (k) => D.labels[k]);
  }
  const layers = Object.keys(S.layers), before = $("layer").value;
  $("layer").replaceChildren(...layers.map((name) => new Option(name, name, false, name === before)));
  $("layer-choice").hidden = layers.length < 2;
  $("sequence-facts").textContent = `${S.steps} step${S.steps === 1 ? "" : "s"}${S.mask ? `, of which ${S.mask.filter(Boolean).length} exist` : ""}${S.loss === null ? "." : `, loss ${small(S.loss)}.`}`;
  $("rests-title").textContent = S.A.rests.shape[0] > 1 ? "Which steps the answer at the line depends on" : "Which steps the answer depends on";
  $("rests-note").textContent = `Look for the peaks: the input at these steps influences the ${S.A.loss ? "loss of the answer" : "answer"} most (the norm of its derivative, relative to the largest).`;
  chooseLayer(false);
  steps.read(S.steps);
  drawAll();
}

function chooseLayer(draw = true) {
  L = S.layers[$("layer").value];
  S.inLayer = Object.keys(S.layers).indexOf($("layer").value);
  units = L.A["value/h"].shape[0];
  unit = unit !== null && unit < units && !draw ? unit : strongest();
  drawing = cellDrawing($("cell"), L.cell);
  speaking = cellDrawing(make("div"), L.cell);
  const before = $("sort").value, options = [["", "number"], ["half_life", "memory, longest first"], ["effect", "effect on the answer, largest first"]].filter(([name]) => !name || L.A[name]);
  $("sort").replaceChildren(...options.map(([value, words]) => new Option(words, value, false, value === before)));
  if (draw) drawAll();
}

function drawAll() {
  drawInput();
  drawAnswer();
  drawRests();
  drawLayer();
  markText();
}

for (const plot of steps.plots) {
  const isMap = plot.name.startsWith("map-"), { element } = plot;
  const unitAt = (event) => (isMap ? order[Math.max(0, Math.min(units - 1, Math.floor(plot.height(event) * units)))] : null);
  element.addEventListener("pointermove", (event) => {
    steps.point(steps.frameAt(plot.share(event)));
    pointed = unitAt(event);
    markRows();
    readout();
  });
  element.addEventListener("pointerleave", () => { steps.point(null); pointed = null; markRows(); readout(); });
  element.addEventListener("click", (event) => { steps.seek(steps.frameAt(plot.share(event))); if (isMap) pick(unitAt(event)); });
}

const nextUnit = (by) => pick(order[Math.max(0, Math.min(units - 1, order.indexOf(unit) + by))]);
const closer = () => { const at = steps.time(steps.frame), wide = Math.max(8, (steps.to - steps.from) / 2); steps.zoom(at - wide / 2, at + wide / 2); };
const typed = () => { const [a, b] = [$("from").valueAsNumber, $("to").valueAsNumber]; if (b >= a) steps.zoom(a - .5, b + .5); else steps.show(steps.from, steps.to); };
$("sequence").replaceChildren(...D.sequences.map(({ name }, k) => new Option(name, k)));
$("sequence-choice").hidden = D.sequences.length < 2;
$("sequence").onchange = chooseSequence;
$("layer").onchange = () => chooseLayer();
$("what").onchange = $("sort").onchange = drawLayer;
$("unit").onchange = () => pick(+$("unit").value);
$("colour").onchange = colourText;
DARK.addEventListener("change", colourText);
$("time").oninput = () => steps.go(+$("time").value);
$("play").onclick = () => steps.toggle();
$("near").onclick = closer;
$("whole").onclick = () => steps.show(steps.start, steps.end);
$("from").onchange = $("to").onchange = typed;
keyboard({
  " ": ["play or stop", () => steps.toggle()],
  ArrowLeft: ["one step back", () => steps.go(steps.frame - 1)],
  ArrowRight: ["one step on", () => steps.go(steps.frame + 1)],
  ArrowUp: ["the unit above", () => nextUnit(-1)],
  ArrowDown: ["the unit below", () => nextUnit(1)],
  Home: ["the first step", () => steps.go(0)],
  End: ["the last step", () => steps.go(S.steps - 1)],
  g: ["values or gradients", () => { $("what").selectedIndex = 1 - $("what").selectedIndex; drawLayer(); }],
  "+": ["closer to the line", closer],
  "-": ["all steps", () => steps.show(steps.start, steps.end)],
});
let narrow = innerWidth <= 600;
addEventListener("resize", () => { if (narrow !== (innerWidth <= 600)) { narrow = !narrow; steps.show(steps.from, steps.to); drawAll(); } });
chooseSequence();
