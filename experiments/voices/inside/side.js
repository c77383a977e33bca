// One network that heard one clip: its numbers and its column of pictures. The user's choices (unit, direction, values or
// gradients, order of rows, intervention) are the argument `chosen`, the same for every side.

const SHOWN = ["i", "f", "g", "o", "c", "h"], SIGNED = new Set(["g", "c", "h"]);
const PROBABILITY = () => ({
  range: [-.04, 1.04], tickvals: [0, .5, 1],
  ticktext: ["female 0", "0.5", "male 1"].map((s) => (innerWidth > 600 ? s : s.split(" ").pop())),
});
const shares = (bytes) => Float32Array.from(bytes, (v) => v / 255);
const isSigned = (what, name) => what === "gradient" || SIGNED.has(name);
const shared = (number) => Math.max(...sides.map(number));               // one scale for all sides, where they are compared

class Side {
  constructor(data, clip, letter) {
    Object.assign(this, data, { clip, letter, A: unpacked(data.arrays), plots: {} });
    this.T = this.A.p.shape[0];
    this.units = this.A["forward/half_life"].shape[0];
    this.whatIf = new Map(Object.keys(data.what_if).map((name, k) => [name, k]));
    this.changed = this.rows("what_if");
    this.rests = this.rows("rests");
    this.times = Float32Array.from({ length: clip.frames }, (_, k) => clip.time(k));
    this.heard = this.times.subarray(this.first, this.first + this.T);
    clip.sides.push(this);
    const column = $("cells").appendChild(make("div"));
    if (several) column.append(make("div", { className: "side-name", textContent: `${letter}  ${data.name}` }));
    this.cell = cellDrawing(column.appendChild(make("div")), "lstm");
    this.speaking = cellDrawing(make("div"), "lstm");              // its sentence, for the unit under the mouse
    for (const place of document.querySelectorAll("[data-plot]")) this.place(place);
  }

  place(place) {
    const { plot, label } = place.dataset, column = place.appendChild(make("div"));
    if (several) column.append(make("div", { className: "side-name", textContent: `${this.letter}  ${this.name}` }));
    const full = several ? `${label}, ${this.letter}: ${this.name}` : label;
    this.plots[plot] = Object.assign(new Plot(column, `${plot}-${this.letter}`, full, "still" in place.dataset ? null : this.clip), { name: plot });
  }

  rows(name) {
    const { shape: [n, m], a } = this.A[name];
    return Array.from({ length: n }, (_, k) => a.subarray(k * m, (k + 1) * m));
  }
  of(name, unit) { return this.A[name].a.subarray(unit * this.T, (unit + 1) * this.T); }
  weight(way, name) { return this.A[`${way}/${name}`].a; }          // (units,)
  has(unit) { return unit < this.units; }

  // -- the sound, and the answer --------------------------------------------------------------------------------------

  drawSound() {
    const { wave, pitch, mfcc } = this.plots, { f0 } = this.A;
    const [least, most] = [-1, 1].map((way) => way * shared((side) => Math.max(...side.A.f0.a.filter(Number.isFinite).map((v) => way * v))));
    const hz = [40, 80, 120, 160, 240, 320, 480];
    wave.drawWave(this.A, this.clip.seconds);
    pitch.draw([line(this.times, f0.a, "blue")], MAP,
      { type: "log", range: [Math.log10(Math.min(70, least / 1.05)), Math.log10(Math.max(350, most * 1.05))], tickvals: hz, ticktext: hz.map((v) => innerWidth > 600 ? `${v} Hz` : v) });
    mfcc.draw([heat(this.times, this.rows("mfcc").reverse(), -2.5, 2.5, true)], MAP, { tickvals: [19, 10, 0], ticktext: ["1", "10", "20"] });
  }

  drawAnswer({ change }) {
    const traces = [line([0, this.clip.longest], [.5, .5], "grey"), line(this.heard, this.A.p.a, "blue"), line(this.heard, this.A.so_far.a, "orange", "dash")];
    if (this.whatIf.has(change)) traces.push(line(this.heard, shares(this.changed[this.whatIf.get(change)]), "ink", "dot"));
    this.plots.answer.draw(traces, 190, PROBABILITY());
  }

  outcome({ change, unit }) {
    const was = say(this.probability, 3);
    if (!change) return was;
    return this.whatIf.has(change) ? `${was} → ${say(this.what_if[change], 3)}` : `no unit ${unit} here`;
  }

  drawRests() {
    const at = this.clip.frame - this.first, y = at >= 0 && at < this.T ? shares(this.rests[at]) : [];
    this.plots.rests.draw([{ ...line(this.heard, y, "blue"), fill: true }], 110, { range: [0, 1.05], tickvals: [0, .5, 1] });
  }

  // -- the LSTM -------------------------------------------------------------------------------------------------------

  drawMaps({ way, what }, most) {
    for (const name of SHOWN) {
      const all = this.rows(`${way}/${what}/${name}`);
      this.plots[`map-${name}`].drawMap(this.heard, this.order.map((u) => all[u]), most[name], isSigned(what, name), 0, this.order);
    }
  }

  mark({ unit }, pointed = null) {                   // a triangle beside the chosen unit's row, a frame around the one under the mouse
    for (const name of SHOWN) {
      const map = this.plots[`map-${name}`], row = pointed === null ? -1 : this.order.indexOf(pointed);
      map.markRow("row-mark", this.has(unit) ? this.order.indexOf(unit) : null);
      map.markRow("row-hover", row < 0 ? null : row, `unit ${pointed}`);
    }
  }

  showCell({ way, unit }) { this.cell.show(this.cellValues(way, unit, this.clip.frame - this.first)); }

  cellValues(way, unit, t) {                         // as the drawing takes them; none where the network reads nothing
    const before = t + (way === "backward" ? 1 : -1);
    if (t < 0 || t >= this.T || !this.has(unit)) return {};
    const of = (name, at) => (at < 0 || at >= this.T ? 0 : this.of(`${way}/value/${name}`, unit)[at]);
    const values = Object.fromEntries(SHOWN.map((name) => [name, of(name, t)]));
    return { ...values, unit, c_prev: of("c", before), h_prev: of("h", before), tanh_c: Math.tanh(values.c) };
  }

  sentence({ way }, unit, t) {
    const values = this.cellValues(way, unit, t);
    this.speaking.show(values);
    return values.unit === undefined ? "" : this.speaking.figure.querySelector("figcaption span").textContent;
  }

  drawUnit({ way, what, unit }) {
    const of = (name, color, dash) => line(this.heard, this.has(unit) ? this.of(`${way}/${what}/${name}`, unit) : [], color, dash);
    const range = (names) => {
      const most = shared((side) => (side.has(unit) ? Math.max(...names.map((name) => Math.max(...side.of(`${way}/${what}/${name}`, unit).map(Math.abs)))) : 0)) * 1.05;
      return { range: [-most, most] };
    };
    const gates = what === "value" ? { range: [-.04, 1.04], tickvals: [0, .5, 1] } : range("ifo".split(""));
    this.plots["unit-gates"].draw([of("i", "blue"), of("f", "orange", "dash"), of("o", "green", "dot")], MAP, gates);
    this.plots["unit-cell"].draw([of("c", "ink")], MAP, range(["c"]));
    this.plots["unit-states"].draw([of("g", "purple", "dot"), of("h", "blue", "dash")], MAP, what === "value" ? { range: [-1.05, 1.05], tickvals: [-1, 0, 1] } : range(["g", "h"]));
  }

  unitFacts({ way, unit }) {
    if (!this.has(unit)) return `There is no unit ${unit}: this network has ${this.units} in each direction.`;
    const at = (name) => this.weight(way, name)[unit];
    return `The half-life of its cell is ${say(at("half_life"))} s. Its forget gate is below 0.1 in ${say(100 * at("low"), 0)} % of the ` +
      `frames and above 0.9 in ${say(100 * at("high"), 0)} %. Silencing the unit changes the log-odds of male by ${at("ablation") > 0 ? "+" : ""}${say(at("ablation"))}.`;
  }

  drawReach({ way }) {                               // how far back memory reaches, and the answer's gradient
    const [total, forget, gates] = this.rows(`${way}/memory`);
    const log = (array) => {                         // eight decades below the largest
      const top = Math.ceil(Math.log10(shared((side) => Math.max(...side.A[`${way}/${array}`].a))));
      return { type: "log", range: [top - 8, top], dtick: 2 };
    };
    this.plots.memory.draw([line(this.heard, total, "ink"), line(this.heard, forget, "orange", "dash"), line(this.heard, gates, "blue", "dot")], 190, log("memory"));
    const lags = this.times.subarray(0, this.T), most = shared((side) => side.T) * D.frame_s;
    this.plots.lag.draw([line(lags, this.A[`${way}/by_lag`].a, "ink")], 190, log("by_lag"), { range: [0, most], ticksuffix: " s before" });
  }

  // -- words ----------------------------------------------------------------------------------------------------------

  notAsked() {                                       // which frames are not the network's input
    const [from, to] = [this.first, this.first + this.T], end = this.clip.frames;
    const parts = [from > 0 && `before ${say(this.times[from])} s`, to < end && `after ${say(this.times[to - 1])} s`].filter(Boolean);
    return parts.length ? `Empty ${parts.join(" and ")}: the network reads from the first voiced frame to the last, plus ${say(D.margin_s, 1)} s on each side.` : "";
  }

  pointedAt({ way }, { plot, row }, frame, t) {       // the numbers of this picture only
    const { A } = this;
    if (plot === "mfcc") return [`MFCC ${20 - row}: ${say(A.mfcc.a[(19 - row) * this.clip.frames + frame])} standard deviations from its mean`];
    if (plot === "rests") {
      const at = this.clip.frame - this.first;
      return at >= 0 && at < this.T ? [`influence of this frame on the answer at the line ${say(this.rests[at][t] / 255)}`] : [];
    }
    if (plot === "memory") return ["in total", "forget gates", "later gates"].map((name, k) => `${name} ${this.rows(`${way}/memory`)[k][t].toExponential(1)}`);
    return [];
  }

  lagReading({ way }, share) {
    const k = Math.round(share * shared((side) => side.T));
    if (k >= this.T) return ["the clip is shorter than that"];
    return [`${say(k * D.frame_s)} s before the last frame`, `norm of the gradient ${this.weight(way, "by_lag")[k].toExponential(1)}`];
  }

  reading({ way, what, unit, change }, pointed) {
    const { clip, A, T } = this, frame = clip.hover ?? clip.frame, t = frame - this.first, f0 = A.f0.a[frame], hover = pointed?.unit ?? null;
    if (pointed?.plot === "lag") return this.lagReading({ way }, pointed.share);
    const parts = [`${say(this.times[frame])} s`, Number.isFinite(f0) ? `${Math.round(f0)} Hz` : "unvoiced", `${say(A.energy.a[frame], 0)} dB`];
    const there = t >= 0 && t < T;
    if (pointed && (there || pointed.plot === "mfcc")) parts.push(...this.pointedAt({ way }, pointed, frame, t));
    if (!there) return [...parts, "not part of the network's input"];
    const shown = hover ?? unit, digits = what === "value" ? 2 : 4;
    const changed = this.whatIf.has(change) ? `, changed ${say(this.changed[this.whatIf.get(change)][t] / 255)}` : "";
    parts.push(`male ${say(A.p.a[t])} (so far ${say(A.so_far.a[t])}${changed})`);
    if (!this.has(shown)) return [...parts, `no unit ${shown}`];
    return [...parts, `unit ${shown}${what === "gradient" ? " gradients" : ""}: ` +
      SHOWN.map((name) => `${name} ${say(this.of(`${way}/${what}/${name}`, shown)[t], digits)}`).join("  ")];
  }
}
