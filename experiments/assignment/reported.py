"""Mistakes that people reported in public, restated in the conventions of the solutions: does the gradient check locate them?

Each row has the thread where somebody reported it: an issue, a question, a proposal that was wrong. Only the mistake is taken
from there, no code. `gradcheck_leads.py` measures what `gradcheck_function` says of each.
"""

from __future__ import annotations

from typing import NamedTuple

from .mutants import COURSERA, CS231N, KARPATHY, RNN, RNN_COLUMNS, RNN_DICTS, ROWS, Mutant

INSIDE, BETWEEN, SUM, UPSTREAM = "inside a step", "between steps", "sum over steps", "upstream"


class Reported(NamedTuple):
    """A reported mistake: where, and which of its regions and quantities the check may name."""

    source: str
    mutant: Mutant
    regions: tuple[str, ...]


GITHUB, FORUM = "https://github.com", "https://community.deeplearning.ai/t"
STEP, WALK, CELL = "lstm_step_backward", "lstm_backward", "lstm_cell_backward"


def reported(
    source: str, name: str, solution: str, function: str, old: str, new: str, quantities: str, *regions: str
) -> Reported:
    """A row of the table; quantities with a space between."""
    return Reported(source, Mutant(name, solution, function, old, new, tuple(quantities.split())), regions)


REPORTED = [
    # -- an LSTM's state: δc ---------------------------------------------------------------------------------------------
    reported(
        f"{GITHUB}/apache/mxnet/issues/4057", "δc without what the step after hands back: = for +=", CS231N, STEP,
        "dnext_c = dnext_c + dnext_h * o", "dnext_c = dnext_h * o", "δc", INSIDE, BETWEEN,
    ),
    reported(
        f"{GITHUB}/cthorey/CS231/issues/1", "the same, proposed as a correction", KARPATHY, WALK,
        "dC[t] += (1 - Ct[t] ** 2)", "dC[t] = (1 - Ct[t] ** 2)", "δc δc'", INSIDE, BETWEEN, UPSTREAM,
    ),
    reported(
        f"{GITHUB}/nicodjimenez/lstm/pull/49", "the same, proposed since the loss fell faster", COURSERA, CELL,
        "dc = dc_next + da_next * ot", "dc = da_next * ot", "δc", INSIDE, BETWEEN,
    ),
    reported(
        f"{GITHUB}/nicklashansen/rnn_lstm_from_scratch/issues/1", "the slope of tanh is taken at tanh(c)", COURSERA, CELL,
        "dc = dc_next + da_next * ot * (1 - np.tanh(c_next) ** 2)",
        "dc = dc_next + da_next * ot * (1 - np.tanh(np.tanh(c_next)) ** 2)", "δc", INSIDE,
    ),
    reported(
        f"{GITHUB}/deeplearning4j/deeplearning4j/issues/8838", "the gradient of the last c is ignored", KARPATHY, WALK,
        "dC[T - 1] += dcn", "dC[T - 1] += 0 * dcn", "δc", UPSTREAM,
    ),
    # -- its gates ---------------------------------------------------------------------------------------------------------
    reported(
        "https://lzwjava.github.io/notes/2025-09-06-lstm-bugs-fixes-en", "δf takes a c that is one step too early",
        KARPATHY, WALK, "df = C[t - 1] * dC[t]", "df = C[max(t - 2, -1)] * dC[t]", "δf δz_f", INSIDE,
    ),
    reported(
        "https://lzwjava.github.io/notes/2025-09-06-lstm-bugs-fixes-en", "σ once more in the slope of i", CS231N, STEP,
        "dnext_c * g * i * (1 - i)", "dnext_c * g * sigmoid(i) * (1 - sigmoid(i))", "δi δz_i", INSIDE,
    ),
    reported(
        f"{GITHUB}/arunmallya/arunmallya.github.io/issues/6", "σ once more in the slope of o", CS231N, STEP,
        "dnext_h * tanh_c * o * (1 - o)", "dnext_h * tanh_c * sigmoid(o) * (1 - sigmoid(o))", "δo δz_o", INSIDE,
    ),
    reported(
        f"{GITHUB}/CaptainE/RNN-LSTM-in-numpy/issues/1", "σ(f) in the place of its slope", COURSERA, CELL,
        "dft = dc * c_prev * ft * (1 - ft)", "dft = dc * c_prev * sigmoid(ft)", "δf δz_f", INSIDE,
    ),
    reported(
        f"{GITHUB}/fengdu78/deeplearning_ai_books/issues/29", "δo without the slope of σ", COURSERA, CELL,
        "dot = da_next * np.tanh(c_next) * ot * (1 - ot)", "dot = da_next * np.tanh(c_next)", "δo δz_o", INSIDE,
    ),
    reported(
        f"{GITHUB}/jinzishuai/learn2deeplearn/issues/44", "δf: the slope of σ stands at one of two terms", COURSERA, CELL,
        "dft = dc * c_prev * ft * (1 - ft)", "dft = dc_next * c_prev + (dc - dc_next) * c_prev * ft * (1 - ft)",
        "δf δz_f", INSIDE,
    ),
    reported(
        f"{GITHUB}/jinzishuai/learn2deeplearn/issues/44", "δg: one of two terms, and the slope is taken at tanh(g)",
        COURSERA, CELL, "dcct = dc * it * (1 - cct**2)",
        "dcct = dc_next * it + (dc - dc_next) * it * cct * (1 - np.tanh(cct) ** 2)", "δg δz_g", INSIDE,
    ),
    reported(
        f"{GITHUB}/nicodjimenez/lstm/issues/41", "the slope of tanh is 1 + g²", ROWS, STEP,
        "dg * (1 - g**2)", "dg * (1 + g**2)", "δg δz_g", INSIDE,
    ),
    reported(
        f"{GITHUB}/ddbourgin/numpy-ml/issues/42", "the slope of f is taken with o's bias", COURSERA, CELL,
        "dft = dc * c_prev * ft * (1 - ft)",
        'fo = sigmoid(parameters["Wf"] @ concat + parameters["bo"])\n    dft = dc * c_prev * fo * (1 - fo)',
        "δf δz_f", INSIDE,
    ),
    reported(
        f"{GITHUB}/ddbourgin/numpy-ml/issues/42", "the slope of i is taken with o's bias", COURSERA, CELL,
        "dit = dc * cct * it * (1 - it)",
        'io = sigmoid(parameters["Wi"] @ concat + parameters["bo"])\n    dit = dc * cct * io * (1 - io)', "δi δz_i", INSIDE,
    ),
    # -- its parameters ----------------------------------------------------------------------------------------------------
    reported(
        f"{GITHUB}/hanbt/learn_dl/issues/53", "δb_i is the sum of δz_f", COURSERA, CELL,
        "dbi = np.sum(dit", "dbi = np.sum(dft", "δb δb_i", SUM, INSIDE,
    ),
    reported(
        f"{GITHUB}/hanbt/learn_dl/issues/53", "δb_o is the sum of δz_f", CS231N, STEP,
        "db = np.sum(da, axis=0)", "db = np.sum(da, axis=0)\n    db[2 * H : 3 * H] = db[H : 2 * H]", "δb δb_o", SUM, INSIDE,
    ),
    # -- between its steps -------------------------------------------------------------------------------------------------
    reported(
        f"{GITHUB}/CaptainE/RNN-LSTM-in-numpy/issues/1", "nothing is handed back", CS231N, WALK,
        "lstm_step_backward(dh[:, t] + dprev_h, dprev_c, cache[t])",
        "lstm_step_backward(dh[:, t], np.zeros((N, H)), cache[t])", "δh' δc' δh", BETWEEN,
    ),
    reported(
        f"{GITHUB}/sagarnildass/andrew_ng_deep_learning/issues/1", "da_prev is never taken up", COURSERA, WALK,
        "da[:, :, t] + da_prev, dc_prev", "da[:, :, t], dc_prev",
        "δh' δh", BETWEEN,
    ),
    reported(
        f"{FORUM}/dls-c5-week-1-ex7-lstm-cell-backward/405415", "h' gets the part of the weights that belongs to x", COURSERA,
        CELL, "da_prev = Wf[:, :n_a].T @ dft", "da_prev = Wf[:, -n_a:].T @ dft", "δh' δh", INSIDE, BETWEEN,
    ),
    # -- simple recurrent networks -----------------------------------------------------------------------------------------
    reported(
        f"{GITHUB}/hanbt/learn_dl/issues/29", "the slope of tanh is that of the step after", RNN_DICTS, "rnn_backward",
        "(1 - hs[t] * hs[t])", "(1 - hs[min(t + 1, len(xs) - 1)] ** 2)", "δz", INSIDE, BETWEEN,
    ),
    reported(
        f"{GITHUB}/hanbt/learn_dl/issues/29", "h in the place of its slope", RNN, "rnn_step_backward",
        "dz = dh_new * (1 - h_new**2)", "dz = dh_new * h_new", "δz", INSIDE,
    ),
    reported(
        f"{GITHUB}/oreilly-japan/deep-learning-from-scratch-2/issues/26", "divided by the slope, proposed as a correction",
        RNN, "rnn_step_backward", "dz = dh_new * (1 - h_new**2)", "dz = dh_new / (1 - h_new**2)", "δz", INSIDE,
    ),
    reported(
        f"{GITHUB}/VikParuchuri/zero_to_gpt/issues/9", "δU takes the h of this step, not of the step before", RNN_COLUMNS,
        "rnn_cell_backward", "dtanh @ a_prev.T", "dtanh @ a_next.T", "δU", SUM, INSIDE,
    ),
    reported(
        f"{GITHUB}/javaidnabi31/RNN-from-scratch/issues/2", "db += db, which stays 0", RNN_DICTS, "rnn_backward",
        "dbh += dhraw", "dbh += dbh", "δb", SUM, INSIDE,
    ),
    reported(
        f"{GITHUB}/qixianbiao/RNN/issues/2", "h's gradient is not handed to the step before", RNN_DICTS, "rnn_backward",
        "dh = dhs[t] + dhnext", "dh = dhs[t]", "δh' δh", BETWEEN,
    ),
    reported(
        f"{FORUM}/c5w1a1-help-for-optional-assignment-rnn-backward/11690", "the same, in columns", RNN_COLUMNS,
        "rnn_backward", "rnn_cell_backward(da[:, :, t] + da_prev, caches[t])", "rnn_cell_backward(da[:, :, t], caches[t])",
        "δh' δh", BETWEEN,
    ),
    reported(
        f"{FORUM}/question-on-backpropagation-week-1-prog-assignment-1/555129", "the upstream gradient is left out",
        RNN_COLUMNS, "rnn_backward", "rnn_cell_backward(da[:, :, t] + da_prev, caches[t])",
        "rnn_cell_backward(da_prev, caches[t])", "δh", UPSTREAM,
    ),
]  # fmt: skip
