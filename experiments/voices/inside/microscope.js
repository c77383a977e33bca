// The user's choices, for all sides at once, and their effects.

const D = JSON.parse($("data").textContent), several = D.sides.length > 1;
document.body.classList.toggle("two", several);

const longest = Math.max(...D.clips.map((clip) => clip.seconds));
const clips = D.clips.map((data, k) => new Clip(data, "AB"[k], longest, moved));
const sides = D.sides.map((data, k) => new Side(data, clips[data.clip], "AB"[k]));
const alike = sides.every((side) => side.units === sides[0].units);       // then a row is the same unit on every side
let unit = 0, pointed = null;                        // the chosen unit; where the mouse is: {plot, unit, row, share}

function chosen() {
  const way = $("way").value, kind = $("kind").value, held = `${$("gate").value}/${$("held").value}`;
  const change = { none: null, silence: `${way}/silence/${unit}`, hold: `${$("where").value}/${held}`, one: `${way}/${held}/${unit}` }[kind];
  return { way, what: $("what").value, unit, change };
}

function drawAnswer() {
  const kind = $("kind").value;
  $("gate").disabled = $("held").disabled = kind !== "hold" && kind !== "one";
  $("where").disabled = kind !== "hold";
  for (const side of sides) side.drawAnswer(chosen());
  const outcomes = sides.map((side) => (several ? `${side.letter} ` : "") + side.outcome(chosen()));
  $("outcome").textContent = `${changeInWords()}probability of male: ${outcomes.join(",  ")}`;
}

function changeInWords() {
  const way = $("way").value, held = `gate ${$("gate").value} of`, at = `, held at ${$("held").selectedOptions[0].text.replace("-", "−")}: `;
  const where = $("where").value === "both" ? "both directions" : `the ${$("where").value} direction`;
  return { none: "", silence: `Unit ${unit}, ${way}, silenced: `, one: `${held} unit ${unit}, ${way}${at}`, hold: `${held} all units in ${where}${at}` }[$("kind").value].replace(/^g/, "G");
}

function drawLSTM() {
  sortUnits();
  drawMaps();
  for (const side of sides) side.drawReach(chosen());
  fillTable();
  pick(unit);
}

// -- rows -------------------------------------------------------------------------------------------------------------

function sortUnits() {                               // by the larger of both sides, so that a row is one unit in both
  const by = $("sort").value, { way } = chosen();
  for (const side of sides) {
    const keys = by === "index" ? [] : (alike ? sides : [side]).map((one) => one.weight(way, by));
    const key = (u) => Math.max(...keys.map((values) => Math.abs(values[u])));
    side.order = Array.from({ length: side.units }, (_, u) => u);
    if (keys.length) side.order.sort((a, b) => key(b) - key(a));
  }
  const { order } = sides.reduce((most, side) => (side.units > most.units ? side : most));
  $("unit").replaceChildren(...order.map((u) => new Option(`${u}`, u, false, u === unit)));
}

function drawMaps() {
  const { way, what } = chosen(), most = {};
  $("gradient-note").hidden = what === "value";
  document.body.classList.toggle("gradients", what === "gradient");
  for (const name of SHOWN) {
    most[name] = what === "value" && name !== "c" ? 1 : shared((side) => quantile(side.A[`${way}/${what}/${name}`].a, .99));
    showScale($(`scale-${name}`), most[name], isSigned(what, name));
  }
  for (const side of sides) side.drawMaps(chosen(), most);
  drawDifferences();
}

function pick(u) {
  unit = u;
  $("unit").value = u;
  const now = chosen();
  for (const name of document.querySelectorAll(".unit-name")) name.textContent = `${u}, ${now.way}${now.what === "gradient" ? ", gradients" : ""}`;
  for (const side of sides) side.drawUnit(now);
  markRows();
  $("unit-facts").replaceChildren(...sides.map((side) => make("p", { textContent: (several ? `${side.letter}: ` : "") + side.unitFacts(now) })));
  drawAnswer();
  showCells();
  readout();
}

function showCells() {
  $("cell-title").textContent = `Unit ${unit}, ${$("way").value}, at the line`;
  for (const side of sides) side.showCell(chosen());
}

function markRows() { for (const side of sides) side.mark(chosen(), pointed?.unit ?? null); }

function fillTable() {
  const { way } = chosen(), columns = [["half_life", 2], ["low", 2], ["high", 2], ["ablation", 3], ["by_gradient", 3]];
  $("letters").replaceChildren(make("th"), ...columns.flatMap(() => sides.map((side) => make("th", { textContent: side.letter }))));
  for (const th of document.querySelectorAll("#columns th:not(:first-child)")) th.colSpan = sides.length;
  $("table").tBodies[0].replaceChildren(...Array.from($("unit").options, ({ value: u }) => {
    const row = make("tr");
    row.insertCell().append(make("button", { type: "button", textContent: u, onclick: () => pick(+u) }));
    for (const [name, digits] of columns) for (const side of sides) row.insertCell().textContent = say(side.weight(way, name)[u], digits);
    return row;
  }));
}

// -- two networks that heard one clip ---------------------------------------------------------------------------------

const differences = {};
if (D.one_sound) {
  $("both").hidden = false;
  differences.p = new Plot($("both").querySelector(".wide"), "both-p", "Probability of male by both networks over time", clips[0]);
}
if (D.differences) {
  $("difference-choice").hidden = false;
  for (const place of document.querySelectorAll("[data-plot^=map-]")) {
    const { plot } = place.dataset, map = differences[plot] = place.appendChild(make("div", { className: "wide", hidden: true }));
    map.append(make("div", { className: "side-name", textContent: "B − A  " }));
    map.firstChild.append(map.scale = make("span", { className: "scale signed" }));
    map.plot = Object.assign(new Plot(map, `difference-${plot.slice(-1)}`, `B minus A: ${place.dataset.label}`, clips[0]), { name: "difference" });
  }
}

function drawDifferences() {
  if (differences.p) differences.p.draw(sides.map((side, k) => line(side.heard, side.A.p.a, ["blue", "orange"][k], ["solid", "dash"][k])), 190, PROBABILITY());
  if (!D.differences) return;
  const { way, what } = chosen(), [A, B] = sides, on = $("difference").checked;
  $("difference-note").hidden = !on;
  for (const name of SHOWN) {
    const map = differences[`map-${name}`], [a, b] = [A, B].map((side) => side.A[`${way}/${what}/${name}`].a);
    map.hidden = !on;
    if (!on) continue;
    const less = b.map((v, k) => v - a[k]), most = quantile(less, .99);
    map.plot.drawMap(A.heard, A.order.map((u) => less.subarray(u * A.T, (u + 1) * A.T)), most, true);
    showScale(map.scale, most, true);
  }
}

function differenceAt(u) {
  const { way, what } = chosen(), [A, B] = sides, t = (clips[0].hover ?? clips[0].frame) - A.first;
  const less = (name) => B.of(`${way}/${what}/${name}`, u)[t] - A.of(`${way}/${what}/${name}`, u)[t];
  return `B − A  unit ${u}: ` + SHOWN.map((name) => `${name} ${say(less(name), what === "value" ? 2 : 4)}`).join("  ");
}

// -- time -------------------------------------------------------------------------------------------------------------

function readout() {
  const readings = sides.map((side) => side.reading(chosen(), pointed).join("  |  "));
  const lines = readings.map((text, k) => (several ? `${sides[k].letter}  ` : "") + text);
  if (pointed?.plot === "difference" && pointed.unit !== null) lines.push(differenceAt(pointed.unit));
  const under = pointed?.unit == null ? [] : sides.map((side) => side.sentence(chosen(), pointed.unit, (side.clip.hover ?? side.clip.frame) - side.first));
  readOut([...lines, ...under.map((words, k) => words && (several ? `${sides[k].letter}  ` : "") + words).filter(Boolean)].join("\n"));
  if (clips.every((clip) => clip.hover === null)) for (const clip of clips) clip.player.time.setAttribute("aria-valuetext", readings.filter((_, k) => sides[k].clip === clip).join(", "));
}

let restsDue = false;
function moved() {
  if (!restsDue) { restsDue = true; requestAnimationFrame(() => { restsDue = false; for (const side of sides) side.drawRests(); showCells(); }); }
  readout();
}

// -- the mouse, or a finger -------------------------------------------------------------------------------------------

const MAPS = sides.flatMap((side) => SHOWN.map((name) => [side.plots[`map-${name}`], side]));
for (const [place, map] of Object.entries(differences)) if (place !== "p") MAPS.push([map.plot, sides[0]]);
const sideOf = new Map(MAPS);

for (const clip of clips) for (const plot of clip.plots) {
  const side = sideOf.get(plot), { element } = plot;
  const unitAt = (event) => (side && side.order[Math.floor(plot.height(event) * side.units)]) ?? null;
  element.addEventListener("pointermove", (event) => {
    clip.point(clip.frameAt(plot.share(event)));
    pointed = { plot: plot.name, unit: unitAt(event), row: Math.max(0, Math.min(19, Math.floor(plot.height(event) * 20))) };
    markRows();
    readout();
  });
  element.addEventListener("pointerleave", () => { clip.point(null); pointed = null; markRows(); readout(); });
  element.addEventListener("click", (event) => {
    clip.seek(clip.frameAt(plot.share(event)));
    const u = unitAt(event);
    if (u !== null) pick(u);
  });
}
for (const side of sides) {
  const { lag, wave } = side.plots;
  dragToZoom(wave);
  lag.element.addEventListener("pointermove", (event) => { pointed = { plot: "lag", share: lag.share(event) }; readout(); });
  lag.element.addEventListener("pointerleave", () => { pointed = null; readout(); });
}

function dragToZoom(plot) {                          // all pictures then show the part that was dragged over
  const { element, clip } = plot, band = element.appendChild(make("div", { className: "band", hidden: true }));
  let start = null, dragged = false;
  element.addEventListener("pointerdown", (event) => {
    [start, dragged] = [plot.share(event), false];
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (start === null) return;
    const wide = Math.abs(plot.share(event) - start);
    dragged ||= wide * element.clientWidth > 8;
    band.hidden = !dragged;
    band.style.setProperty("--at", Math.min(start, plot.share(event)));
    band.style.setProperty("--wide", wide);
  });
  element.addEventListener("pointerup", (event) => {
    const [a, b] = [start, plot.share(event)].sort((a, b) => a - b).map((share) => clip.from + share * (clip.to - clip.from));
    [start, band.hidden] = [null, true];
    if (dragged) clip.choose(a, b);
  });
  element.addEventListener("pointercancel", () => { [start, dragged, band.hidden] = [null, false, true]; });
  element.addEventListener("click", (event) => { if (dragged) event.stopImmediatePropagation(); }, true);
}

// -- begin ------------------------------------------------------------------------------------------------------------

$("gate").onchange = () => {
  $("held").replaceChildren(...D.held[$("gate").value].map((v) => new Option(v, v)));
  drawAnswer();
};
$("unit").onchange = () => pick(+$("unit").value);
$("kind").onchange = $("held").onchange = $("where").onchange = drawAnswer;
$("way").onchange = $("what").onchange = $("sort").onchange = drawLSTM;
$("difference").onchange = drawDifferences;
const weight = Array.from(sides[0].weight("forward", "ablation"), Math.abs);
unit = weight.indexOf(Math.max(...weight));          // start with the unit that affects the answer most
for (const place of document.querySelectorAll(".not-asked")) {
  place.textContent = sides.filter((side) => side.notAsked()).map((side) => (several ? `${side.letter}: ` : "") + side.notAsked()).join(" ");
}
$("gate").onchange();
drawAlways(() => {
  for (const side of sides) { side.drawSound(); side.drawRests(); }
  drawLSTM();
});
for (const clip of clips) {
  clip.point(null);
  clip.showStretch();
  clip.seek(clip.sides[0].first);
  if (clips.length === 1 && clip.cutSilence(Math.min(...sides.map(({ first }) => first)), Math.max(...sides.map(({ first, T }) => first + T)))) $("cut").hidden = false;
}

const near = () => clips.find((clip) => !clip.sound.paused) ?? clips[0];   // the clip that plays, or the first
const nextUnit = (by) => { const { options, selectedIndex } = $("unit"); pick(+options[Math.max(0, Math.min(options.length - 1, selectedIndex + by))].value); };
keyboard({
  " ": ["play or stop the sound", () => near().toggle()],
  ArrowLeft: ["one frame back", () => near().seek(near().frame - 1)],
  ArrowRight: ["one frame on", () => near().seek(near().frame + 1)],
  ArrowUp: ["the unit above", () => nextUnit(-1)],
  ArrowDown: ["the unit below", () => nextUnit(1)],
  Home: ["to the start", () => near().seek(0)],
  End: ["to the end", () => near().seek(near().frames)],
  g: ["values or gradients", () => { $("what").selectedIndex = 1 - $("what").selectedIndex; drawLSTM(); }],
  "+": ["one second at the line", () => near().stretch.near.click()],
  "-": ["the whole clip", () => near().stretch.whole.click()],
});
