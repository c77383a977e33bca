// Moves a drawing of a cell: cellDrawing(root, cell).show(values), with values {f: .61, c_prev: .42, unit: 21, ...} as in cell.py.
// CELL_FIGURES holds the figures that cell.py drew. Here only numbers change; cell.css makes widths, colours and arcs of them.

function cellDrawing(root, cell) {
  root.innerHTML = CELL_FIGURES[cell];
  const figure = root.querySelector("figure"), note = figure.querySelector(".note"), caption = figure.querySelector("figcaption");
  const [awake, masked] = caption.children, parts = [...figure.querySelectorAll(".part")];
  const gate = { lstm: "f", simple_rnn: "z_h" }[cell] ?? "z";            // not a number at a masked step
  let values = {}, names = [], lit = null;

  function valueOf(expression) {
    if (expression === "unit") return values.unit;
    const product = expression.split("*").reduce((p, n) => p * (n.startsWith("1-") ? 1 - values[n.slice(2)] : values[n] ?? NaN), 1);
    return Number.isFinite(product) ? product : undefined;
  }

  function shown(expression, form = "") {
    const value = valueOf(expression);
    if (expression === "unit") return value === undefined ? "The unit" : `Unit ${value}`;
    if (value === undefined) return "";
    const digits = Math.floor(Math.abs(value) * 100 + 0.5), sign = value < 0 && digits ? "\u2212" : form === "+" ? "+" : "";
    if (form === "%") return `${sign}${digits}\u202f%`;
    const text = sign + (digits / 100).toFixed(2);
    return form === "p" && sign ? `(${text})` : text;
  }

  function light(name) {                                                  // a part, its equation and what it is, in words
    lit = name;
    for (const element of figure.querySelectorAll("[data-part]")) element.classList.toggle("lit", element.dataset.part === name);
    note.textContent = name === null ? "" : parts.find((part) => part.dataset.part === name)?.getAttribute("aria-label") ?? "";
  }

  for (const element of figure.querySelectorAll("[data-part]")) {
    element.addEventListener("pointerenter", () => light(element.dataset.part));
    element.addEventListener("pointerleave", () => light(null));
  }
  for (const part of parts) {
    part.says = part.getAttribute("aria-label");
    part.setAttribute("tabindex", 0);
    part.addEventListener("focus", () => light(part.dataset.part));
    part.addEventListener("blur", () => light(null));
  }

  function show(next) {
    values = next;
    for (const name of names) figure.style.removeProperty(`--${name}`);
    names = Object.keys(values).filter((name) => name !== "unit" && Number.isFinite(values[name]));
    for (const name of names) figure.style.setProperty(`--${name}`, values[name].toFixed(4));
    for (const place of figure.querySelectorAll("[data-number]")) place.textContent = shown(place.dataset.number, place.dataset.form);
    for (const piece of figure.querySelectorAll(".equation > span")) {
      piece.hidden = [...piece.querySelectorAll("[data-number]")].some((place) => place.textContent === "");
    }
    for (const part of parts) {
      const value = shown(part.dataset.part);
      part.setAttribute("aria-label", part.says + (value && `: ${value}`));
    }
    caption.hidden = names.length === 0;
    masked.hidden = !(awake.hidden = Number.isNaN(values[gate]));
    if (lit !== null) light(lit);
  }
  return { figure, show };
}
