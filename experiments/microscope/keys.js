// The keyboard: keys with what they do, and a list of them that ? opens.

function keyboard(keys) {                            // {key: [words for the list, what it does]}; a key of two has a space between
  const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
  const help = document.body.appendChild(make("dialog", { id: "help" })), list = make("dl");
  for (const [key, [words]] of Object.entries(keys)) list.append(make("dt", { textContent: NAMES[key] ?? key }), make("dd", { textContent: words }));
  list.append(make("dt", { textContent: "?" }), make("dd", { textContent: "this list" }));
  const close = make("button", { type: "button", textContent: "Close", onclick: () => help.close() });
  help.setAttribute("aria-label", "Keys");
  help.append(make("h2", { textContent: "Keys" }), list, close);
  const open = () => (help.open ? help.close() : help.showModal());
  for (const button of document.querySelectorAll(".help")) button.onclick = open;
  document.addEventListener("keydown", (event) => {
    const { target, key } = event, field = target.closest("select, textarea, input:not([type=range], [type=checkbox])");
    if (event.ctrlKey || event.metaKey || event.altKey || field) return;
    if (key === "?") return open();
    if (help.open || !keys[key]) return;
    if (key === " " && target.closest("button, summary, input[type=checkbox]")) return;      // Space presses them
    if (target.matches("input[type=range]") && key.startsWith("Arrow")) return;              // the slider moves by itself
    event.preventDefault();
    keys[key][1]();
  });
}
