"""Mistakes that learners make in a backward pass, planted one at a time in a correct solution.

A row says what is wrong, in which solution and function, the text that makes the mistake, and the quantities of which
the judge's sentence must name one. The mistakes are those of the laboratory, those that people reported about their
own LSTMs, and those that come of a convention: a transposed matrix, a gate's slice, a dict that is overwritten.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from experiments.assignment.reading import module_from

SOLUTIONS = Path(__file__).parent / "solutions"
ROWS, CS231N, COURSERA, KARPATHY = "lstm_rows", "lstm_cs231n", "lstm_coursera", "lstm_karpathy"
RNN, RNN_COLUMNS, RNN_DICTS, GRU, GRU_COLUMNS = "rnn_rows", "rnn_coursera", "rnn_karpathy", "gru_rows", "gru_columns"


class Mutant(NamedTuple):
    """A mistake: `old` becomes `new` in the solution's function of this name."""

    name: str  # what is wrong, in words
    solution: str
    function: str
    old: str
    new: str
    quantities: tuple[str, ...]  # the gate, term or gradient that the sentence must name, one of these

    def source(self) -> str:
        """The solution's file with the mistake in it. ValueError unless the old text stands in the function exactly once."""
        source = solution_source(self.solution)
        start = source.index(f"def {self.function}(")
        end = source.find("\ndef ", start) if source.find("\ndef ", start) > 0 else len(source)
        body = source[start:end]
        if (n := body.count(self.old)) != 1:
            raise ValueError(
                f"mutant {self.name!r}: {self.old!r} must stand exactly once in {self.function} of {self.solution}, "
                f"found {n} times"
            )
        return source[:start] + body.replace(self.old, self.new) + source[end:]


def solution_source(solution: str) -> str:
    return (SOLUTIONS / f"{solution}.py").read_text(encoding="utf-8")


def module_of(source: str, path: Path) -> ModuleType:
    """The source as a module; it is written to `path` first, so that the lines of its functions can be found."""
    path.write_text(source, encoding="utf-8")
    return module_from(path, path.stem)


I, F, G, O = (
    ("δi", "δz_i"),
    ("δf", "δz_f"),
    ("δg", "δz_g"),
    ("δo", "δz_o"),
)  # a gate, or what stands before its σ or tanh
C, C_BACK, H_BACK, H_SUM = (
    ("δc",),
    ("δc'",),
    ("δh'",),
    ("δh",),
)  # δh: the upstream gradient and what the step after hands back
W, U, B, X, C0, H0 = ("δW",), ("δU",), ("δb",), ("δx",), ("δc0", "δc'"), ("δh0", "δh'")

STEP, STEP_COLUMNS, WALK = "lstm_step_backward", "lstm_cell_backward", "lstm_backward"

MUTANTS = [
    # -- the engine's convention: rows, gates i f g o, a step and a walk -------------------------------------------------
    Mutant("δf takes the c of this step, not of the step before", ROWS, STEP, "df = dc_total * c\n",
           "df = dc_total * np.arctanh(tanh_c)\n", F),
    Mutant("δi is multiplied by i, not by g", ROWS, STEP, "di = dc_total * g", "di = dc_total * i", I),
    Mutant("δg is multiplied by f, not by i", ROWS, STEP, "dg = dc_total * i", "dg = dc_total * f", G),
    Mutant("δo takes c instead of tanh(c)", ROWS, STEP, "do = dh_new * tanh_c", "do = dh_new * np.arctanh(tanh_c)", O),
    Mutant("tanh' of tanh(c) is missing in δc", ROWS, STEP, "dh_new * o * (1 - tanh_c**2)", "dh_new * o", C),
    Mutant("tanh' is taken at tanh(tanh(c))", ROWS, STEP, "(1 - tanh_c**2)", "(1 - np.tanh(tanh_c) ** 2)", C),
    Mutant("δc lacks the factor o", ROWS, STEP, "dh_new * o * (1", "dh_new * (1", C),
    Mutant("δc lacks what the step after hands back", ROWS, STEP, "dc_new + dh_new * o", "dh_new * o", C),
    Mutant("δc lacks what comes through h", ROWS, STEP, "dc_new + dh_new * o * (1 - tanh_c**2)", "dc_new", C),
    Mutant("δc' lacks the forget gate", ROWS, STEP, "dc = dc_total * f", "dc = dc_total", C_BACK),
    Mutant("δc' is gated by i, not by f", ROWS, STEP, "dc = dc_total * f", "dc = dc_total * i", C_BACK),
    Mutant("δc' takes the upstream gradient alone", ROWS, STEP, "dc = dc_total * f", "dc = dc_new * f", C_BACK),
    Mutant("σ' of i is missing", ROWS, STEP, "di * i * (1 - i)", "di", I),
    Mutant("σ' of f is f, not f(1 - f)", ROWS, STEP, "df * f * (1 - f)", "df * f", F),
    Mutant("σ' of o is taken at the activated value", ROWS, STEP, "do * o * (1 - o)",
           "do * sigmoid(o) * (1 - sigmoid(o))", O),
    Mutant("tanh' of g is missing", ROWS, STEP, "dg * (1 - g**2)", "dg", G),
    Mutant("tanh' of g is taken at the activated value", ROWS, STEP, "dg * (1 - g**2)", "dg * (1 - np.tanh(g) ** 2)", G),
    Mutant("g is differentiated as a sigmoid", ROWS, STEP, "dg * (1 - g**2)", "dg * g * (1 - g)", G),
    Mutant("1 - g stands for 1 - g²", ROWS, STEP, "dg * (1 - g**2)", "dg * (1 - g)", G),
    Mutant("gates i and f are swapped in δz", ROWS, STEP, "[di * i * (1 - i), df * f * (1 - f),",
           "[df * f * (1 - f), di * i * (1 - i),", (*I, *F, "δz")),
    Mutant("gates g and o are swapped in δz", ROWS, STEP, "dg * (1 - g**2), do * o * (1 - o)]",
           "do * o * (1 - o), dg * (1 - g**2)]", (*G, *O, "δz")),
    Mutant("each gate's U is transposed", ROWS, STEP, "dh = dz @ U.T",
           "dh = sum(d @ u for d, u in zip(np.split(dz, 4, 1), np.split(U, 4, 1)))", H_BACK),
    Mutant("δh' adds the upstream gradient", ROWS, STEP, "dh = dz @ U.T", "dh = dh_new + dz @ U.T", H_BACK),
    Mutant("δU takes the h of this step, not of the step before", ROWS, STEP, "dU = h.T @ dz", "dU = (o * tanh_c).T @ dz",
           U),
    Mutant("δb is a mean over the batch", ROWS, STEP, "db = dz.sum(axis=0)", "db = dz.mean(axis=0)", B),
    Mutant("δx leaves the output gate out", ROWS, STEP, "dx = dz @ W.T",
           "dx = dz[:, : -o.shape[1]] @ W[:, : -o.shape[1]].T", X),
    Mutant("dh of the step after is not passed", ROWS, WALK, "(doutputs[t] + dh, dc)", "(doutputs[t], dc)",
           (*H_SUM, *H_BACK)),
    Mutant("dh from above is forgotten but at the last step", ROWS, WALK, "(doutputs[t] + dh, dc)",
           "(dh if t < len(caches) - 1 else doutputs[t], dc)", H_SUM),
    Mutant("dc of the step after is not passed", ROWS, WALK, "(doutputs[t] + dh, dc)",
           "(doutputs[t] + dh, np.zeros_like(c))",
           (*C, *C_BACK)),
    Mutant("δW is overwritten at every step: = for +=", ROWS, WALK, "dW += dW_t", "dW = dW_t", W),
    Mutant("δU is overwritten at every step: = for +=", ROWS, WALK, "dU += dU_t", "dU = dU_t", U),
    Mutant("δb is overwritten at every step: = for +=", ROWS, WALK, "db += db_t", "db = db_t", B),
    Mutant("the walk goes from the first step to the last", ROWS, WALK, "in reversed(range(len(caches)))",
           "in range(len(caches))",
           (*H_SUM, *H_BACK, *C, *C_BACK)),
    Mutant("the first step is left out", ROWS, WALK, "reversed(range(len(caches)))", "reversed(range(1, len(caches)))",
           (*H0, *C0, *X, *W, *H_BACK, *C_BACK)),
    Mutant("δh0 and δc0 stand in each other's place", ROWS, WALK, "dU, db, dh, dc", "dU, db, dc, dh", (*H0, *C0)),
    Mutant("δc0 is forgotten", ROWS, WALK, "dU, db, dh, dc", "dU, db, dh, np.zeros_like(dc)", C0),
    # -- CS231n: (N, T, D), gates i f o g, slices ----------------------------------------------------------------------
    Mutant("δf takes next_c, not prev_c", CS231N, STEP, "dnext_c * prev_c * f", "dnext_c * next_c * f", F),
    Mutant("δi takes f for g", CS231N, STEP, "dnext_c * g * i", "dnext_c * f * i", I),
    Mutant("σ' of o is missing", CS231N, STEP, "dnext_h * tanh_c * o * (1 - o)", "dnext_h * tanh_c", O),
    Mutant("δo takes next_c instead of its tanh", CS231N, STEP, "dnext_h * tanh_c * o", "dnext_h * next_c * o", O),
    Mutant("tanh' at c, not at tanh(c)", CS231N, STEP, "(1 - tanh_c**2)", "(1 - next_c**2)", C),
    Mutant("the slices of o and g are swapped", CS231N, STEP,
           "da[:, 2 * H : 3 * H] = dnext_h * tanh_c * o * (1 - o)\n    da[:, 3 * H :] = dnext_c * i * (1 - g**2)",
           "da[:, 3 * H :] = dnext_h * tanh_c * o * (1 - o)\n    da[:, 2 * H : 3 * H] = dnext_c * i * (1 - g**2)",
           (*G, *O, "δz")),
    Mutant("δc' lacks the forget gate", CS231N, STEP, "dprev_c = dnext_c * f", "dprev_c = dnext_c", C_BACK),
    Mutant("δc' is taken before what comes through h is added", CS231N, STEP, "dprev_c = dnext_c * f",
           "dprev_c = (dnext_c - dnext_h * o * (1 - tanh_c**2)) * f", C_BACK),
    Mutant("δWh takes next_h", CS231N, STEP, "dWh = prev_h.T.dot(da)", "dWh = (o * tanh_c).T.dot(da)", U),
    Mutant("δg lacks i", CS231N, STEP, "dnext_c * i * (1 - g**2)", "dnext_c * (1 - g**2)", G),
    Mutant("the last step's upstream gradient alone", CS231N, WALK, "dh[:, t] + dprev_h",
           "(dh[:, t] if t == T - 1 else 0) + dprev_h", H_SUM),
    Mutant("the upstream gradient of the step after", CS231N, WALK, "dh[:, t] + dprev_h",
           "dh[:, min(t + 1, T - 1)] + dprev_h",
           H_SUM),
    Mutant("the carried dprev_c is never set", CS231N, WALK, "dx[:, t], dprev_h, dprev_c = step[0], step[1], step[2]",
           "dx[:, t], dprev_h = step[0], step[1]", (*C, *C_BACK)),
    Mutant("the carried dprev_h is never set", CS231N, WALK, "dx[:, t], dprev_h, dprev_c = step[0], step[1], step[2]",
           "dx[:, t], dprev_c, dh0 = step[0], step[2], step[1]", (*H_SUM, *H_BACK)),
    Mutant("the carried gradients are added up", CS231N, WALK, "dx[:, t], dprev_h, dprev_c = step[0], step[1], step[2]",
           "dx[:, t], dprev_h, dprev_c = step[0], dprev_h + step[1], step[2]", (*H_SUM, *H_BACK, *H0)),
    Mutant("the cache of the step before", CS231N, WALK, "cache[t])", "cache[max(t - 1, 0)])",
           ("the cache", "cache", *X)),
    Mutant("δh0 is the gradient of the h of the first step", CS231N, WALK, "dh0 = dprev_h", "dh0 = dprev_h + dh[:, 0]",
           H0),
    Mutant("δb is overwritten at every step", CS231N, WALK, "db += step[5]", "db = step[5]", B),
    # -- Coursera: columns, four matrices on [a_prev; xt], dicts, a for h ------------------------------------------------
    Mutant("dft takes c_next, not c_prev", COURSERA, STEP_COLUMNS, "dc * c_prev * ft", "dc * c_next * ft", F),
    Mutant("dit takes it for cct", COURSERA, STEP_COLUMNS, "dc * cct * it * (1", "dc * it * it * (1", I),
    Mutant("dcct: the derivative of tanh at tanh(cct)", COURSERA, STEP_COLUMNS, "(1 - cct**2)", "(1 - np.tanh(cct) ** 2)",
           G),
    Mutant("dot lacks the derivative of σ", COURSERA, STEP_COLUMNS, "np.tanh(c_next) * ot * (1 - ot)", "np.tanh(c_next)",
           O),
    Mutant("dc lacks ot", COURSERA, STEP_COLUMNS, "da_next * ot * (1 - np.tanh", "da_next * (1 - np.tanh", C),
    Mutant("dc: tanh' of tanh(c) is missing", COURSERA, STEP_COLUMNS, "da_next * ot * (1 - np.tanh(c_next) ** 2)",
           "da_next * ot",
           C),
    Mutant("dc_prev lacks ft", COURSERA, STEP_COLUMNS, "dc_prev = dc * ft", "dc_prev = dc", C_BACK),
    Mutant("dc_prev: the part through a_next is missing", COURSERA, STEP_COLUMNS, "dc_prev = dc * ft",
           "dc_prev = dc_next * ft",
           C_BACK),
    Mutant("dWi is made of dft", COURSERA, STEP_COLUMNS, "dWi = dit @ concat.T", "dWi = dft @ concat.T",
           ("δW_i", "δU_i", *I, *W)),
    Mutant("dbo is made of dcct", COURSERA, STEP_COLUMNS, "dbo = np.sum(dot,", "dbo = np.sum(dcct,", ("δb_o", *O, *B)),
    Mutant("da_prev lacks the candidate", COURSERA, STEP_COLUMNS, "+ Wc[:, :n_a].T @ dcct + Wo[:, :n_a]", "+ Wo[:, :n_a]",
           H_BACK),
    Mutant("dxt takes the forget gate's matrix for the input gate", COURSERA, STEP_COLUMNS, "Wi[:, n_a:].T @ dit",
           "Wf[:, n_a:].T @ dit", X),
    Mutant("da_prev: one matrix is not transposed", COURSERA, STEP_COLUMNS, "Wo[:, :n_a].T @ dot\n    dxt",
           "Wo[:, :n_a] @ dot\n    dxt",
           H_BACK),
    Mutant("concat holds a_next", COURSERA, STEP_COLUMNS, "np.concatenate((a_prev, xt)", "np.concatenate((a_next, xt)",
           U),
    Mutant("da of the step after is not passed", COURSERA, WALK, "da[:, :, t] + da_prev", "da[:, :, t]",
           (*H_SUM, *H_BACK)),
    Mutant("dc of the step after is not passed: nothing is carried", COURSERA, WALK, "da_prev, dc_prev = step",
           "da_prev, dc = step",
           (*C, *C_BACK)),
    Mutant("a dict is overwritten: = for +=", COURSERA, WALK, "gradients[name] += step[name]",
           "gradients[name] = step[name]",
           (*W, *U, *B)),
    Mutant("da0 is zero", COURSERA, WALK, '"da0": da_prev', '"da0": np.zeros((n_a, m))', H0),
    # -- Karpathy: one matrix with a bias row, dicts by step, the walk alone ---------------------------------------------
    Mutant("δf takes C[t], not C[t - 1]", KARPATHY, WALK, "df = C[t - 1] * dC[t]", "df = C[t] * dC[t]", F),
    Mutant("δi is multiplied by i", KARPATHY, WALK, "di = g * dC[t]", "di = i * dC[t]", I),
    Mutant("= for +=: what the step after handed back is lost in dC[t]", KARPATHY, WALK, "dC[t] += (1 - Ct",
           "dC[t] = (1 - Ct",
           (*C, *C_BACK)),
    Mutant("= for +=: the upstream gradient of h is lost", KARPATHY, WALK, "dH[t - 1] += dHin", "dH[t - 1] = dHin",
           H_SUM),
    Mutant("the h part of dHin is not passed on", KARPATHY, WALK, "dH[t - 1] += dHin[:, 1 + D :]", "dH[t - 1] += 0",
           (*H_SUM, *H_BACK)),
    Mutant("δc' lacks the forget gate", KARPATHY, WALK, "dC[t - 1] += f * dC[t]", "dC[t - 1] += dC[t]", C_BACK),
    Mutant("tanh' of tanh(c) is missing", KARPATHY, WALK, "(1 - Ct[t] ** 2) * (o * dH[t])", "(o * dH[t])", C),
    Mutant("δo takes C for tanh C", KARPATHY, WALK, "do = Ct[t] * dH[t]", "do = C[t] * dH[t]", O),
    Mutant("σ' of f is missing", KARPATHY, WALK, "df * f * (1 - f)", "df", F),
    Mutant("g is differentiated as a sigmoid", KARPATHY, WALK, "dg * (1 - g**2)", "dg * g * (1 - g)", G),
    Mutant("the gradient of the last c is ignored", KARPATHY, WALK, "dC[T - 1] += dcn", "pass", (*C, "δc_T")),
    Mutant("δWLSTM is overwritten at every step", KARPATHY, WALK, "dWLSTM += Hin", "dWLSTM = Hin", (*W, *U, *B)),
    Mutant("δWLSTM is made of the input of the step before", KARPATHY, WALK, "Hin[t].T.dot", "Hin[max(t - 1, 0)].T.dot",
           (*W, *U)),
    # -- the GRU and the simple network ----------------------------------------------------------------------------------
    Mutant("δz has the wrong sign", GRU, "gru_step_backward", "dh_new * (h - n)", "dh_new * (n - h)", ("δz", "δz_z")),
    Mutant("δn is multiplied by z, not by 1 - z", GRU, "gru_step_backward", "dn = dh_new * (1 - z)", "dn = dh_new * z",
           ("δn", "δĥ", "δz_n", "δz_ĥ")),
    Mutant("tanh' of the candidate is missing", GRU, "gru_step_backward", "dn * (1 - n**2)", "dn",
           ("δn", "δĥ", "δz_n", "δz_ĥ")),
    Mutant("σ' of r is missing", GRU, "gru_step_backward", "da_r = dr * r * (1 - r)", "da_r = dr", ("δr", "δz_r")),
    Mutant("the leak z∘h' is not passed back", GRU, "gru_step_backward", "dh_new * z + ds * r", "ds * r", H_BACK),
    Mutant("δs is passed back without r", GRU, "gru_step_backward", "+ ds * r +", "+ ds +", H_BACK),
    Mutant("δU of the candidate takes h' instead of r∘h'", GRU, "gru_step_backward", "(r * h).T @ da_n", "h.T @ da_n",
           ("δU", "δU_n", "δU_ĥ")),
    Mutant("δr lacks h'", GRU_COLUMNS, "gru_step_backward", "drh * h_prev * r * (1 - r)", "drh * r * (1 - r)",
           ("δr", "δz_r")),
    Mutant("δz takes n alone", GRU_COLUMNS, "gru_step_backward", "dh_new * (h_prev - n) * z", "-dh_new * n * z",
           ("δz", "δz_z")),
    Mutant("dh of the step after is not passed", GRU_COLUMNS, "gru_backward", "dhs[t] + dh,", "dhs[t],",
           (*H_SUM, *H_BACK)),
    Mutant("tanh' is missing", RNN, "rnn_step_backward", "dh_new * (1 - h_new**2)", "dh_new", ("δz", "δh")),
    Mutant("tanh' is taken at the h of the step before", RNN, "rnn_step_backward", "(1 - h_new**2)", "(1 - h**2)",
           ("δz", "δh")),
    Mutant("U is not transposed", RNN, "rnn_step_backward", "dh = dz @ U.T", "dh = dz @ U", H_BACK),
    Mutant("dh of the step after is not passed", RNN, "rnn_backward", "doutputs[t] + dh,", "doutputs[t],",
           (*H_SUM, *H_BACK)),
    Mutant("δU takes h of this step", RNN_COLUMNS, "rnn_cell_backward", "dtanh @ a_prev.T", "dtanh @ a_next.T", U),
    Mutant("dWhh is overwritten at every step", RNN_DICTS, "rnn_backward", "dWhh += np.dot", "dWhh = np.dot", U),
    Mutant("dhnext is never set", RNN_DICTS, "rnn_backward", "dhnext = np.dot(Whh.T, dhraw)", "np.dot(Whh.T, dhraw)",
           (*H_SUM, *H_BACK)),
    Mutant("hs[t] for hs[t - 1] in dWhh", RNN_DICTS, "rnn_backward", "hs[t - 1].T", "hs[t].T", U),
]  # fmt: skip
