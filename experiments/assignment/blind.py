"""Mistakes that were written down before anybody looked at which ones the gradient check knows.

`python -m experiments.assignment.blind` plants each in a pass of `blind_passes.py`, calls gradcheck_function bare and, where
the judge takes the pass, le.assignment.check, and counts: found, right region, first wrong term named, misled, silent.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import typer

import lstm_engine as le
from lstm_engine.gradient_check import judge
from lstm_engine.gradient_check.wrong_rows import REGIONS

from .mutants import module_of

PASSES = Path(__file__).parent / "blind_passes.py"
BATCH, DICT, TEXT, GATES, AFTER = "lstm_batch", "lstm_dict", "lstm_text", "gru_gates", "gru_after"
PLAIN, VALUE, STEP, LABEL = "rnn_plain", "rnn_value", "lstm_step", "lstm_label"
JUDGED = (BATCH, DICT, GATES, AFTER, PLAIN, STEP)
INSIDE, BETWEEN, SUM, LAST, UPSTREAM = (
    "inside a step",
    "between steps",
    "sum over steps",
    "last layer",
    "upstream",
)


class Mistake(NamedTuple):
    """`old` becomes `new` in the backward of this pass."""

    name: str
    of: str
    old: str
    new: str
    regions: tuple[str, ...]  # any of which is right
    quantities: tuple[str, ...]  # any of which is right

    def source(self) -> str:
        source = PASSES.read_text(encoding="utf-8")
        start = source.index(f"def {self.of}_backward(")
        end = source.find("\n\n\ndef ", start)
        body = source[start : end if end > 0 else None]
        for old, new in zip(self.old.split(" && "), self.new.split(" && "), strict=True):
            if (n := body.count(old)) != 1:
                raise ValueError(
                    f"{self.name!r}: {old!r} must stand exactly once in {self.of}_backward, found {n} times"
                )
            body = body.replace(old, new)
        return source[:start] + body + (source[end:] if end > 0 else "")


def mistake(name: str, of: str, old: str, new: str, regions: str, quantities: str) -> Mistake:
    return Mistake(name, of, old, new, tuple(regions.split(" | ")), tuple(quantities.split()))


MISTAKES = [
    mistake("σ' of i is taken at i + 1", BATCH, "di * i * (1 - i)", "di * (1 + i) * -i", INSIDE, "δi δz_i"),
    mistake("δo takes tanh(c')", BATCH, "do = dh * np.tanh(c)", "do = dh * np.tanh(c_prev)", INSIDE, "δo"),
    mistake("tanh' is 1 - c²", BATCH, "(1 - np.tanh(c) ** 2)", "(1 - c ** 2)", INSIDE, "δc"),
    mistake("dh_next is not added", BATCH, "dhs[:, t] + dh_next", "dhs[:, t]", BETWEEN, "δh δh'"),
    mistake("δc' takes f of the step after", BATCH, "dc_next = dc * f", "dc_next = dc * cache[min(t + 1, T - 1)][4]",
            BETWEEN, "δc'"),
    mistake("σ' of i and of o are missing", BATCH, "do * o * (1 - o) && di * i * (1 - i)", "do && di", INSIDE,
            "δi δz_i δo δz_o"),
    mistake("δb is a mean over the batch", BATCH, "db += dz.sum(axis=0)", "db += dz.mean(axis=0)",
            f"{INSIDE} | {SUM}", "δb"),
    mistake("the loop leaves out the first step", BATCH, "reversed(range(T))", "range(T - 1, 0, -1)",
            f"{BETWEEN} | {SUM} | loop", "δx δh0 δc0 δW δU δb δh' δc'"),
    mistake("δh' is multiplied by o", BATCH, "dh_next = dz @ Wh.T", "dh_next = dz @ Wh.T * o", BETWEEN, "δh'"),
    mistake("dcT is added at every step", BATCH, "dc_next = dc * f", "dc_next = dc * f + dcT * (t > 0)",
            f"{UPSTREAM} | {BETWEEN}", "δc δc' δc_T"),
    mistake("δU takes h of the same step", BATCH, "h_prev.T @ dz", "(o * np.tanh(c)).T @ dz", f"{SUM} | {INSIDE}", "δU"),
    mistake("dh0 and dc0 stand in each other's place", BATCH, "dx, dh_next, dc_next,", "dx, dc_next, dh_next,",
            "order of gradients", "δh0 δc0"),
    mistake("δx is divided by the batch", BATCH, "dz @ Wx.T", "dz @ Wx.T / len(x)",
            f"{INSIDE} | a constant factor", "δx"),
    mistake("tanh' of g is 1 - g", BATCH, "(1 - g**2)", "(1 - g)", INSIDE, "δg δz_g"),
    mistake("all is divided by T", BATCH, "return dx, dh_next, dc_next, dWx, dWh, db",
            "return [a / T for a in (dx, dh_next, dc_next, dWx, dWh, db)]", f"{UPSTREAM} | a constant factor", ""),
    mistake("δz is clipped at every step", BATCH, "dWx += x_t.T", "dz = np.clip(dz, -0.1, 0.1); dWx += x_t.T", INSIDE,
            "δz"),
    mistake("f and o are swapped in δz", BATCH, "[dzo, dzf, dzi, dzg]", "[dzf, dzo, dzi, dzg]", INSIDE, "δz_f δz_o δz"),
    mistake("δc misses what the step after hands back", BATCH, "dc = dc_next + dh", "dc = dh", f"{BETWEEN} | {UPSTREAM}",
            "δc δc'"),
    mistake("δc' takes i", DICT, "dc_next = f * dc", "dc_next = i * dc", BETWEEN, "δc'"),
    mistake("δW is made of [x; h']", DICT, "dh = dh + dh_next",
            "dh = dh + dh_next; s = np.concatenate([s[H:], s[:H]])", f"{INSIDE} | {SUM}", "δW δU"),
    mistake("o is left out of what goes to [h'; x]", DICT, ' + params["Wo"].T @ dzo', "", f"{BETWEEN} | {INSIDE}", "δh' δx"),
    mistake("δb_o is overwritten", DICT, 'grads["dbo"] +=', 'grads["dbo"] =', SUM, "δb δb_o δbo"),
    mistake("dh0 is handed back as 0", DICT, "dh_next, dc_next, {", "0 * dh_next, dc_next, {",
            f"{BETWEEN} | first state", "δh0"),
    mistake("δc lacks o", DICT, "dc_next + dh * o * (1", "dc_next + dh * (1", INSIDE, "δc"),
    mistake("σ' stands for tanh' at the candidate", DICT, "(1 - g**2)", "g * (1 - g)", INSIDE, "δg δz_g"),
    mistake("δf takes c", DICT, "dc * c_prev * f", "dc * c * f", INSIDE, "δf δz_f"),
    mistake("δWc and δWi are swapped", DICT, 'grads["dWi"] += dzi && grads["dWc"] += dzg',
            'grads["dWi"] += dzg && grads["dWc"] += dzi', f"order of gradients | {INSIDE} | {SUM}",
            "δW δU δz_i δz_g δWi δWc δz δW_i δW_g"),
    mistake("1 is taken off at the letter that came in", TEXT, "targets[t]] -= 1", "ids[t]] -= 1", f"{LAST} | {UPSTREAM}",
            "δy δlogits dy δp δV δd δh δV, δd"),
    mistake("δV takes h'", TEXT, "dV += h.T", "dV += h_prev.T", LAST, "δV"),
    mistake("dh_next is never used", TEXT, "dy @ V.T + dh_next", "dy @ V.T", BETWEEN, "δh δh'"),
    mistake("σ' of f is missing", TEXT, "df * f * (1 - f)", "df", INSIDE, "δf δz_f"),
    mistake("the mean of the loss is forgotten", TEXT, "dy /= T * B", "pass", f"{LAST} | {UPSTREAM} | a constant factor", ""),
    mistake("equal letters of a batch overwrite each other", TEXT, "np.add.at(dW, ids[t], dz)", "dW[ids[t]] += dz",
            f"{SUM} | {INSIDE}", "δW"),
    mistake("δd is the last step's", TEXT, "dd += dy", "dd = dy", f"{LAST} | {SUM}", "δd"),
    mistake("δi takes tanh(g)", TEXT, "dc * g, dc * c_prev", "dc * np.tanh(g), dc * c_prev", INSIDE, "δi"),
    mistake("σ' of o is that of i", TEXT, "do * o * (1 - o)", "do * i * (1 - i)", INSIDE, "δo δz_o"),
    mistake("δc' is lost", TEXT, "dz @ U.T, dc * f", "dz @ U.T, 0", BETWEEN, "δc' δc"),
    mistake("δz takes ĥ alone", GATES, "(n - h)", "n", INSIDE, "δz δz_z"),
    mistake("δr takes ĥ", GATES, "dr = drh * h", "dr = drh * n", INSIDE, "δr δz_r"),
    mistake("z's way to h' is left out", GATES, " + dz_pre @ Uz.T", "", BETWEEN, "δh'"),
    mistake("δU of ĥ takes h'", GATES, "(r * h).T", "h.T", f"{INSIDE} | {SUM}", "δU δU_ĥ δU_h δUh"),
    mistake("tanh' of ĥ is missing", GATES, "dn * (1 - n * n)", "dn", INSIDE, "δĥ δz_ĥ δn δz_n"),
    mistake("h' is leaked by z", GATES, "dh * (1 - z) + drh", "dh * z + drh", BETWEEN, "δh'"),
    mistake("δbz and δbr are swapped", GATES, "dUh, dbz, dbr,", "dUh, dbr, dbz,", "order of gradients",
            "δb δbz δbr δb_z δb_r"),
    mistake("δr is multiplied by r once more", GATES, "dr * r * (1 - r)", "dr * r * r * (1 - r)", INSIDE, "δr δz_r"),
    mistake("the recurrent bias of n lacks r", AFTER, "db_rec += ds.sum(0)", "db_rec += da.sum(0)", f"{INSIDE} | {SUM}",
            "δb' δb'_ĥ δb'_n δb_rec"),
    mistake("δr takes n", AFTER, "dzn * s * r", "dzn * n * r", INSIDE, "δr δz_r"),
    mistake("half of δU of n", AFTER, "dU += h.T @ ds", "dU += h.T @ ds * np.repeat([1, 1, 0.5], h.shape[1])",
            f"{INSIDE} | {SUM}", "δU δU_ĥ δU_n"),
    mistake("z's share of h' is not handed back", AFTER, "dh * z + ds @ U.T", "ds @ U.T", BETWEEN, "δh'"),
    mistake("n is weighted by z", AFTER, "dh * (1 - z) * (1 - n**2)", "dh * z * (1 - n**2)", INSIDE, "δĥ δn δz_ĥ δz_n"),
    mistake("tanh' is taken at h'", PLAIN, "(1 - h * h)", "(1 - states[t] ** 2)", INSIDE, "δz δh"),
    mistake("Whh is not transposed", PLAIN, "da @ Whh.T", "da @ Whh", BETWEEN, "δh'"),
    mistake("δx lies one step late", PLAIN, "dx[:, t] =", "dx[:, (t + 1) % x.shape[1]] =", f"{SUM} | {BETWEEN}",
            "δx"),
    mistake("δWhh leaves out the last step", PLAIN, "dWhh += states[t].T @ da",
            "dWhh += states[t].T @ da * (t + 1 < x.shape[1])", SUM, "δU δWhh"),
    mistake("the carry is cut at every second step", PLAIN, "carry = da @ Whh.T", "carry = da @ Whh.T * (t % 2)", BETWEEN,
            "δh' δh"),
    mistake("tanh' multiplies the upstream alone", PLAIN, "(dout[:, t] + carry) * (1 - h * h)",
            "dout[:, t] * (1 - h * h) + carry", f"{BETWEEN} | {INSIDE}", "δz δh δh'"),
    mistake("the 2 of the square is forgotten", VALUE, "2 * (out", "(out", f"{LAST} | {UPSTREAM} | a constant factor", ""),
    mistake("δWhy takes the first h", VALUE, "hs[-1].T", "hs[1].T", LAST, "δWhy δV"),
    mistake("the loss reaches every step", VALUE, "dh = dz @ Whh.T", "dh = dz @ Whh.T + dout @ Why.T",
            f"{UPSTREAM} | {BETWEEN}", "δh"),
    mistake("δby is not a mean", VALUE, "dby = dout.sum(axis=0)", "dby = dout.sum(axis=0) * out.size", LAST, "δby δd"),
    mistake("δg lacks i", STEP, "dct * i * (1", "dct * (1", INSIDE, "δg δz_g"),
    mistake("δc' takes o", STEP, "dc_prev = dct * f", "dc_prev = dct * o", f"{BETWEEN} | {INSIDE}", "δc'"),
    mistake("the upstream of c is ignored", STEP, "dct = dc + dh", "dct = dh", UPSTREAM, "δc"),
    mistake("g is left out of what goes to [x, h']", STEP, "ds = dz @ W.T",
            "ds = dz[:, : 3 * i.shape[1]] @ W[:, : 3 * i.shape[1]].T", f"{INSIDE} | {BETWEEN}", "δx δh'"),
    mistake("σ' of f is f²", STEP, "f * (1 - f)", "f * f", INSIDE, "δf δz_f"),
    mistake("the batch's mean of the labels is forgotten", LABEL, "dy = dy / B", "pass",
            f"{LAST} | {UPSTREAM} | a constant factor", ""),
    mistake("1 is not taken off at the label", LABEL, "labels] -= 1", "labels] -= 0", f"{LAST} | {UPSTREAM}",
            "δy δlogits δV δd δh"),
    mistake("dc starts at 1", LABEL, "dc_next = np.zeros_like(dh)", "dc_next = np.ones_like(dh)",
            f"{UPSTREAM} | {BETWEEN}", "δc δc_T δc'"),
    mistake("δU takes c'", LABEL, "dU += h.T", "dU += c.T", f"{INSIDE} | {SUM}", "δU"),
    mistake("δc' and δh' are made in the wrong order: f of δh", LABEL, "dc_next = dc * f", "dc_next = dc * f * o", BETWEEN,
            "δc'"),
]  # fmt: skip


def inputs_of(of: str) -> dict[str, Any]:
    """Random inputs at unit scale, all axes of different lengths."""
    rng = np.random.default_rng(0)
    T, B, D, H, K = 4, 3, 2, 5, 6

    def normal(**shapes: tuple[int, ...]) -> dict[str, Any]:
        return {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    if of == BATCH:
        return normal(x=(B, T, D), h0=(B, H), c0=(B, H), Wx=(D, 4 * H), Wh=(H, 4 * H), b=(4 * H,))
    if of == DICT:
        gates = {f"W{g}": (H, H + D) for g in "fico"} | {f"b{g}": (H, 1) for g in "fico"}
        return normal(x=(T, D, B), h0=(H, B), c0=(H, B)) | {"params": normal(**gates)}
    if of == TEXT:
        letters = {"ids": np.array([[1, 1, 4], [0, 5, 0], [3, 3, 3], [2, 1, 0]]), "targets": rng.integers(0, K, (T, B))}
        return letters | normal(W=(K, 4 * H), U=(H, 4 * H), b=(4 * H,), V=(H, K), d=(K,))
    if of == GATES:
        weights = {f"W{g}": (D, H) for g in "zrh"} | {f"U{g}": (H, H) for g in "zrh"} | {f"b{g}": (H,) for g in "zrh"}
        return normal(x=(T, B, D), h0=(B, H), **weights)
    if of == AFTER:
        return normal(x=(B, T, D), h0=(B, H), W=(D, 3 * H), U=(H, 3 * H), b=(3 * H,), b_rec=(3 * H,))
    if of == PLAIN:
        return normal(x=(B, T, D), Wxh=(D, H), Whh=(H, H), bh=(H,))
    if of == VALUE:
        return normal(x=(T, B, D), y=(B, 2), Wxh=(D, H), Whh=(H, H), Why=(H, 2), bh=(H,), by=(2,))
    if of == STEP:
        return normal(x=(B, D), h_prev=(B, H), c_prev=(B, H), W=(D + H, 4 * H), b=(4 * H,))
    labels = {"x": rng.standard_normal((T, B, D)), "labels": rng.integers(0, K, B)}
    return labels | normal(W=(D, 4 * H), U=(H, 4 * H), b=(4 * H,), V=(H, K), d=(K,))


class Answer(NamedTuple):
    """What was said of one mistake."""

    mistake: Mistake
    found: bool
    region: str
    quantity: str
    sentence: str

    @property
    def silent(self) -> bool:
        return not (self.region or self.quantity)

    @property
    def right_region(self) -> bool:
        return self.region in self.mistake.regions

    @property
    def right_term(self) -> bool:
        if not self.mistake.quantities:
            return self.right_region
        parts = set(re.split(r",\s*| and ", self.quantity))
        return bool(parts & set(self.mistake.quantities))

    @property
    def misled(self) -> bool:
        """A wrong quantity is named, or no quantity and a wrong region."""
        if self.silent or self.right_term:
            return False
        return bool(self.quantity) or not self.right_region

    @property
    def mark(self) -> str:
        words = {"NOT FOUND": not self.found, "MISLED": self.misled, "silent": self.silent, "right": self.right_term}
        return next((word for word, is_so in words.items() if is_so), "region")


def by_gradient_check(of: Mistake, forward: Callable[..., Any], backward: Callable[..., Any]) -> Answer:
    report = le.gradcheck_function(forward, backward, inputs_of(of.of))
    lead = report.lead
    return Answer(of, report.failed, *((lead.region, lead.quantity, lead.sentence) if lead else ("", "", "")))


def by_judge(of: Mistake, forward: Callable[..., Any], backward: Callable[..., Any]) -> Answer:
    verdict = judge.check(forward, backward, hint=3)
    finding = verdict.finding
    if finding is None:
        return Answer(of, False, "", "", "")
    region = next((key for key, words in REGIONS.items() if words == finding.region), finding.region)
    return Answer(of, True, region, finding.quantity, " / ".join(verdict.said()))


def answers(check: Callable[..., Answer], mistakes: list[Mistake]) -> list[Answer]:
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for k, row in enumerate(mistakes):
            module = module_of(row.source(), Path(folder) / f"{row.of}_{k}.py")
            rows.append(check(row, getattr(module, f"{row.of}_forward"), getattr(module, f"{row.of}_backward")))
        return rows


def figures(rows: list[Answer]) -> str:
    counts = {
        "found": sum(row.found for row in rows),
        "in the right region": sum(row.right_region for row in rows),
        "the first wrong term named": sum(row.right_term for row in rows),
        "misled": sum(row.misled for row in rows),
        "silent": sum(row.silent for row in rows),
    }
    return f"{len(rows)} mistakes: " + ", ".join(f"{n} {what}" for what, n in counts.items())


def main() -> None:
    """Plants the mistakes and prints what is said of each (about a minute).

    Exit code 1 when one is not found or somebody is misled. Example: python -m experiments.assignment.blind
    """
    by_check = answers(by_gradient_check, MISTAKES)
    judged = answers(by_judge, [row for row in MISTAKES if row.of in JUDGED])
    for title, rows in (("gradcheck_function", by_check), ("le.assignment.check", judged)):
        typer.echo(f"\n{title}")
        for row in rows:
            typer.echo(
                f"{row.mark:<10} {row.mistake.of}: {row.mistake.name}: [{row.region}] {row.quantity}: {row.sentence}"
            )
    typer.echo(f"gradcheck_function: {figures(by_check)}")
    typer.echo(f"le.assignment.check: {figures(judged)}")
    raise typer.Exit(int(any(not row.found or row.misled for row in by_check + judged)))


if __name__ == "__main__":
    typer.run(main)
