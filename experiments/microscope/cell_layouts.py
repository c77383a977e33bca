"""Where the parts of each cell stand: wires, dials, nodes and numbers on a canvas 640 wide, one function a cell.

A part names the value that it carries by an expression: "f", a product "f*c_prev", or a complement "1-z". `cell.css` turns
the value into a width, a colour or an arc, so a drawing moves when its values change and nothing here is drawn again.
"""

import math
from html import escape

R = 33  # of a dial
END = 36  # from the edge of the canvas to the middle of a state's label


def lstm() -> tuple[int, str]:
    """The height of the drawing and its parts. Memory c runs along the top, h' and x along the bottom, no wires cross."""
    f, i, g, o, show = 142, 228, 324, 412, 488  # the columns
    top, pair, gates, bus = 84, 152, 236, 322
    wires = [
        wire("c_prev", f"M0 {top}H{f}"),
        wire("f*c_prev", f"M{f} {top}H{(i + g) // 2}"),
        wire("c", f"M{(i + g) // 2} {top}H640"),
        wire("c", f"M{show - 16} {top}q16 0 16 16V132"),
        wire("tanh_c", f"M{show} 156V{gates}"),
        wire("f", f"M{f} {gates - R}V{top}"),
        wire("i", f"M{i} {gates - R}V{pair + 14}q0 -14 14 -14H{(i + g) // 2}"),
        wire("g", f"M{g} {gates - R}V{pair + 14}q0 -14 -14 -14H{(i + g) // 2}"),
        wire("i*g", f"M{(i + g) // 2} {pair}V{top}"),
        wire("o", f"M{o + R} {gates}H{show}"),
        wire("h", f"M{show} {gates}V{bus - 16}q0 16 16 16H640"),
        wire("h_prev", f"M0 {bus}H{o - 16}q16 0 16 -16"),
        wire("x", f"M104 400V{bus + 16}q0 -16 16 -16"),
        *(
            wire(f"z_{gate}", f"M{at} {bus - 16}V{gates + R}", 0.25)
            for gate, at in zip("figo", (f, i, g, o), strict=True)
        ),
        *(wire("", f"M{at - 16} {bus}q16 0 16 -16") for at in (f, i, g)),
    ]
    parts = [
        end("c_prev", "c'", END, top, "the memory of the step before"),
        end("c", "c", 640 - END, top, "the memory after this step"),
        end("h_prev", "h'", END, bus, "the output of the step before; the gates read that of every unit"),
        end("h", "h", 640 - END, bus, "the output of this step"),
        end("x", "x", 104, 384, "the input of this step", beside=True),
        dial("f", "f", f, gates, "forget gate: the share of the memory to keep"),
        dial("i", "i", i, gates, "input gate: the share of the candidate to write"),
        dial("g", "g", g, gates, "candidate: the new value", signed=True),
        dial("o", "o", o, gates, "output gate: the share of the memory to show"),
        *(word(text, at, bus + 26) for text, at in (("forget", f), ("input", i), ("candidate", g), ("output", o))),
        node("∘", f, top), node("∘", (i + g) // 2, pair), node("+", (i + g) // 2, top), node("∘", show, gates),
        node("tanh", show, 144, 29),
        number("f*c_prev", (f + (i + g) // 2) // 2, top - 13),
        number("i*g", (i + g) // 2 + 12, 127, "start"),
        number("tanh_c", show - 10, 192, "end"),
    ]  # fmt: skip
    return 400, box(84, 36, 472, 326) + "".join(wires + parts)


def gru(reset_after: bool = True) -> tuple[int, str]:
    """As `lstm`. The state h runs along the top; h' and x have a line each, since the reset gate acts on h' alone."""
    z, r, new = 164, 284, 464  # the columns
    top, share, gates, bus, inputs = 84, 146, 232, 316, 356
    product, matrix = (382, 334) if reset_after else (344, 392)  # where r multiplies, and where U stands
    wires = [
        wire("h_prev", f"M0 {top}H{z}"),
        wire("z*h_prev", f"M{z} {top}H{new}"),
        wire("h", f"M{new} {top}H640"),
        wire("h_prev", f"M94 {top}q16 0 16 16V{bus - 16}q0 16 16 16H{min(product, matrix)}"),
        wire("", f"M{min(product, matrix)} {bus}H{new}"),
        wire("x", f"M110 440V{inputs + 16}q0 -16 16 -16H{new - 16}q16 0 16 -16V{bus}"),
        wire("z", f"M{z} {gates - R}V{top}"),
        wire("1-z", f"M{z} {share}H{new}"),
        wire("candidate", f"M{new} {gates - R}V{share}"),
        wire("1-z*candidate", f"M{new} {share}V{top}"),
        wire("r", f"M{r + R} {gates}H{product - 14}q14 0 14 14V{bus}"),
        *(wire("h_prev", f"M{at - 8} {bus}V{gates + 31}") for at in (z, r)),
        *(wire("x", f"M{at + 8} {inputs}V{gates + 31}") for at in (z, r)),
        wire("z_candidate", f"M{new} {bus}V{gates + R}", 0.25),
    ]
    dots = [(z, share), (z - 8, bus), (r - 8, bus), (z + 8, inputs), (r + 8, inputs)]
    parts = [
        *(f'<circle class="joint" cx="{x}" cy="{y}" r="4"/>' for x, y in dots),
        end("h_prev", "h'", END, top, "the state of the step before"),
        end("h", "h", 640 - END, top, "the state after this step, which is also the output"),
        end("x", "x", 110, 426, "the input of this step", beside=True),
        dial("z", "z", z, gates, "update gate: the share of the state to keep"),
        dial("r", "r", r, gates, "reset gate: the share of the state that the candidate reads"),
        dial("candidate", "ĥ", new, gates, "candidate: the new value", signed=True),
        node("∘", z, top), node("+", new, top), node("∘", new, share), node("1−", 264, share, 20),
        node("∘", product, bus), node("U", matrix, bus, 17), node("+", new, bus),
        number("z*h_prev", (z + new) // 2, top - 13),
        number("1-z", 364, share - 12),
        number("1-z*candidate", new + 12, 122, "start"),
        *(word(text, at, inputs + 26) for text, at in (("update", z), ("reset", r), ("candidate", new))),
    ]  # fmt: skip
    return 440, box(84, 36, 472, 364) + "".join(wires + parts)


def simple_rnn() -> tuple[int, str]:
    """As `lstm`: one dial, whose value is the whole state."""
    inner, total, at, line = 166, 246, 356, 110
    wires = [
        wire("h_prev", f"M0 {line}H{inner}"),
        wire("", f"M{inner} {line}H{total}"),
        wire("x", f"M{total} 240V172"),
        wire("", f"M{total} 172V{line}"),
        wire("z_h", f"M{total} {line}H{at - R}", 0.25),
        wire("h", f"M{at + R} {line}H640"),
    ]
    parts = [
        end("h_prev", "h'", END, line, "the state of the step before"),
        end("h", "h", 640 - END, line, "the state after this step, which is also the output"),
        end("x", "x", total, 228, "the input of this step", beside=True),
        node("U", inner, line, 17), node("W", total, 172, 17), node("+", total, line),
        dial("h", "tanh", at, line, "the only gate: everything is new at every step", signed=True),
    ]  # fmt: skip
    return 240, box(84, 36, 472, 168) + "".join(wires + parts)


def css_value(expression: str) -> str:
    """The expression as CSS computes it from the values, which are custom properties of the drawing; 0 where one is missing.

    >>> css_value("1-z*candidate")
    'calc((1 - var(--z,1))*var(--candidate,0))'
    """
    factors = (f"(1 - var(--{n[2:]},1))" if n.startswith("1-") else f"var(--{n},0)" for n in expression.split("*"))
    return f"calc({'*'.join(factors)})"


def wire(expression: str, d: str, scale: float = 1.0) -> str:
    """A thin line, and above it a blue one as wide as the value or an orange one as wide as minus the value."""
    line = f'<path class="line" d="{d}"/>'
    if not expression:
        return line
    value = css_value(expression) if scale == 1 else f"calc({css_value(expression)}*{scale})"
    return f'<g class="wire" style="--v:{value}">{line}<path class="more" d="{d}"/><path class="less" d="{d}"/></g>'


def dial(name: str, letter: str, x: int, y: int, says: str, signed: bool = False) -> str:
    """An arc of three quarters that fills from 0 to 1, or from the top to the right (up to 1) and to the left (to -1)."""

    def arc(start: int, stop: int, kind: str) -> str:
        (x1, y1), (x2, y2) = (
            (x + R * math.sin(a), y - R * math.cos(a)) for a in (math.radians(start), math.radians(stop))
        )
        flags = f"{int(abs(stop - start) > 180)} {int(stop > start)}"
        return f'<path class="arc {kind}" pathLength="1" d="M{x1:.1f} {y1:.1f}A{R} {R} 0 {flags} {x2:.1f} {y2:.1f}"/>'

    fills = arc(0, 135, "more") + arc(0, -135, "less") if signed else arc(-135, 135, "more")
    label = f'<text class="letter" x="{x - 13}" y="{y - R - 10}" text-anchor="end">{letter}</text>'
    return part(
        name, letter, says,
        f'<circle class="face" cx="{x}" cy="{y}" r="{R}"/>{arc(-135, 135, "track")}{fills}{number(name, x, y + 6)}{label}',
    )  # fmt: skip


def end(name: str, letter: str, x: int, y: int, says: str, beside: bool = False) -> str:
    """Where a state enters or leaves: its letter above the line and its number below, or both right of it."""
    at = [(x + 14, y, "start"), (x + 36, y, "start")] if beside else [(x, y - 14, "middle"), (x, y + 27, "middle")]
    (lx, ly, anchor), (nx, ny, side) = at
    text = f'<text class="letter" x="{lx}" y="{ly}" text-anchor="{anchor}">{escape(letter, quote=False)}</text>'
    return part(name, letter, says, text + number(name, nx, ny, side))


def part(name: str, letter: str, says: str, drawn: str) -> str:
    """A group that a reader can point at; its label says what it is, and its number is added when it is shown."""
    says = escape(f"{letter}, {says}")
    return f'<g class="part" data-part="{name}" data-says="{says}" style="--v:{css_value(name)}">{drawn}</g>'


def node(sign: str, x: int, y: int, half: int = 13) -> str:
    """A round node for ∘ and +, a wide one for what is written out."""
    kind = "node sign" if sign in "∘+" else "node"
    return (
        f'<g class="{kind}"><rect x="{x - half}" y="{y - 13}" width="{2 * half}" height="26" rx="13"/>'
        f'<text x="{x}" y="{y + 6}" text-anchor="middle">{sign}</text></g>'
    )


def number(expression: str, x: int, y: int, anchor: str = "middle") -> str:
    return f'<text class="number" data-number="{expression}" x="{x}" y="{y}" text-anchor="{anchor}"></text>'


def word(text: str, x: int, y: int) -> str:
    return f'<text class="word" x="{x}" y="{y}" text-anchor="middle">{text}</text>'


def box(x: int, y: int, width: int, height: int) -> str:
    return f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="22"/>'
