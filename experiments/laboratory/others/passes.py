"""Every public pass that is judged: repository, commit, functions, adapter; and for a wrong one what is wrong and its mend.

`expected` and `error` are what docs/others.md says; the command exits with 1 when a clone says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from . import characters, courses, layers
from .expected_output import Printed
from .source import Mend, Theirs
from .standard import Case

PROVED, WRONG, UNJUDGED = "proved", "wrong", "cannot be judged"


@dataclass(frozen=True)
class Finding:
    """What is wrong in a backward pass: the first wrong quantity on the way back, and its equation."""

    regions: tuple[str, ...]  # where: "inside a step", "between steps", ...; more than one where both are true
    quantities: tuple[str, ...]  # the first wrong one; more where the same line computes both, or gates are wrong alike
    equation: str
    instead: str
    error: float  # the largest norm-wise relative error of a row at unit scale
    mends: tuple[Mend, ...]


@dataclass(frozen=True)
class Pass:
    """A public backward pass, and what docs/others.md says of it."""

    repository: str
    commit: str
    cell: str  # "lstm", "gru", "rnn"
    name: str  # the functions that are judged
    files: dict[str, tuple[str, ...]]
    adapter: Callable[[Theirs], Case] | None  # None: its definitions cannot be read at all
    finding: Finding | None = None
    cannot: str = ""  # why it cannot be judged
    forward: str = ""  # how the forward differs from the cell's equations

    @property
    def expected(self) -> str:
        return UNJUDGED if self.cannot else WRONG if self.finding else PROVED

    @property
    def address(self) -> str:
        return f"https://github.com/{self.repository}"


# -- CS231n's assignment 3 ---------------------------------------------------------------------------------------------

CS231N = "assignment3/cs231n/rnn_layers.py"
STEPS = {
    cell: tuple(f"{cell}_{part}" for part in ("step_forward", "step_backward", "forward", "backward"))
    for cell in ("rnn", "lstm")
}


def cs231n(repository: str, commit: str, cell: str) -> Pass:
    files = {CS231N: STEPS[cell] + ("sigmoid",) * (cell == "lstm")}
    return Pass(repository, commit, cell, f"{cell}_backward", files, partial(courses.cs231n, cell=cell))


# -- Coursera's sequence models, week 1 --------------------------------------------------------------------------------


def coursera(repository: str, commit: str, path: str, utils: str = "", **lstm: Finding | str) -> list[Pass]:
    """A solution of "Building a Recurrent Neural Network - Step by Step": the RNN, the LSTM's step, the LSTM."""
    activations = {utils: ("sigmoid", "softmax")}
    step = ("lstm_cell_forward", "lstm_cell_backward")
    rnn = ("rnn_cell_forward", "rnn_forward", "rnn_cell_backward", "rnn_backward")
    finding, cannot = (lstm.get(k) for k in ("finding", "cannot"))
    return [
        Pass(repository, commit, "rnn", "rnn_backward", activations | {path: rnn}, courses.coursera_rnn),
        Pass(repository, commit, "lstm", "lstm_cell_backward", activations | {path: step}, courses.coursera_step),
        Pass(
            repository, commit, "lstm", "lstm_backward", activations | {path: (*step, "lstm_forward", "lstm_backward")},
            courses.coursera_lstm, finding, cannot or "",
        ),
    ]  # fmt: skip


KULBEAR = "Sequence Models/Building a Recurrent Neural Network - Step by Step - v2.ipynb"
SAGAR = "course_5_sequence_models/Building a Recurrent Neural Network - Step by Step - v3.ipynb"
JINZI = "deeplearning.ai/C5.SequenceModel/Week1_RNN/assignment"
STEP_BY_STEP = f"{JINZI}/Building a Recurrent Neural Network - Step by Step"
DINOSAURS = f"{JINZI}/Dinosaur Island -- Character-level language model/utils.py"
CARRIED = 'da_prevt, dc_prevt = gradients["da_prev"], gradients["dc_prev"]'
NOT_CARRIED: dict[str, Any] = {
    "regions": ("between steps",),
    "quantities": ("δh'", "δh", "δc'", "δc"),
    "equation": "δh = dh + δh' of the step after, δc likewise",
    "instead": "δh = dh",
}
COURSERA = [
    *coursera(
        "Kulbear/deep-learning-coursera", "997fdb2e2db67acd45d29ae418212463a54be06d", KULBEAR,
        "Sequence Models/rnn_utils.py",
        finding=Finding(**NOT_CARRIED, error=0.720, mends=(Mend(KULBEAR, 627, f'dbo += gradients["dbo"]\n{CARRIED}'),)),
    ),
    *coursera(
        "sagarnildass/andrew_ng_deep_learning", "3f20420829d16c4bf5a77ab3086df57300cb8c38", SAGAR,
        "course_5_sequence_models/rnn_utils.py",
        finding=Finding(
            **NOT_CARRIED, error=0.720,
            mends=(
                Mend(SAGAR, 622, "gradients = lstm_cell_backward(da_prevt + da[:, :, t], dc_prevt, caches[t])"),
                Mend(SAGAR, 632, f'dbo += gradients["dbo"]\n{CARRIED}'),
            ),
        ),
    ),
    *coursera(
        "jinzishuai/learn2deeplearn", "e0b911b6e922f55eb59d1d4d069b96095ccf36e0", f"{STEP_BY_STEP}/hw1.py",
        f"{STEP_BY_STEP}/rnn_utils.py", cannot="lstm_backward is the exercise's empty form",
    ),
    Pass(
        "jinzishuai/learn2deeplearn", "e0b911b6e922f55eb59d1d4d069b96095ccf36e0", "rnn", "utils.rnn_backward",
        {DINOSAURS: ("softmax", "rnn_step_forward", "rnn_step_backward", "rnn_forward", "rnn_backward")},
        characters.dinosaurs,
    ),
    Pass(
        "Kunal-artist/lstm-from-scratch-numpy", "c508db6dfd7856a789d97f2504e44e8ceeb06539", "lstm", "lstm_backward",
        {"LSTM_From_Scratch.ipynb": (
            "softmax", "sigmoid", "lstm_cell_forward", "lstm_forward", "lstm_cell_backward", "lstm_backward",
        )},
        courses.coursera_lstm,
    ),
]  # fmt: skip

KJPOU1 = "src/models/lstm_model.py"
KJPOU1_COMMIT = "1f8f676af1d4321ec7279086326c04378aa8964d"
ACTIVATIONS = {
    "src/activations/base_activation.py": ("BaseActivation",),
    "src/activations/tanh.py": ("TanhActivation",),
    "src/activations/sigmoid.py": ("SigmoidActivation",),
}
KJPOU1_FINDING = Finding(
    ("inside a step",), ("δz_g", "δg"), "δz_g = δg∘(1 - g²)", "δg∘(1 - tanh²(g))", 0.461,
    (Mend(KJPOU1, 168, "dcct = dc_combined * it * (1 - cct**2)"),),
)  # fmt: skip
KJPOU1_PASSES = [
    Pass(
        "kjpou1/rnn_lstm_from_scratch", KJPOU1_COMMIT, "lstm", "lstm_step_backward",
        ACTIVATIONS | {KJPOU1: ("lstm_cell_step", "lstm_step_backward")},
        partial(courses.coursera_step, forward_name="lstm_cell_step", backward_name="lstm_step_backward"),
        KJPOU1_FINDING,
    ),
    Pass(
        "kjpou1/rnn_lstm_from_scratch", KJPOU1_COMMIT, "lstm", "lstm_backwards",
        ACTIVATIONS | {KJPOU1: ("lstm_cell_step", "lstm_forward", "lstm_step_backward", "lstm_backwards")},
        courses.token_lstm, replace(KJPOU1_FINDING, error=0.671),
    ),
    Pass(
        "kjpou1/rnn_lstm_from_scratch", KJPOU1_COMMIT, "rnn", "rnn_backward",
        ACTIVATIONS | {"src/models/rnn_model.py": ("rnn_cell_step", "rnn_forward", "rnn_step_backward", "rnn_backward")},
        courses.token_rnn,
    ),
]  # fmt: skip

# -- characters --------------------------------------------------------------------------------------------------------

NICKLAS = "nicklashansen/rnn_lstm_from_scratch"
COMPLETE = "3e0a08cee0e4a2dd58691a953e0cea7fdd03805e"  # the last commit in which the exercise's blanks are filled
CAPTAIN, CAPTAIN_COMMIT = "CaptainE/RNN-LSTM-in-numpy", "f0d2c883d6a0ee913bff9dae21162b9da494be00"
AB = "RNN_LSTM_from_scratch.ipynb"
AB_RNN = ("sigmoid", "tanh", "softmax", "forward_pass", "backward_pass")
AB_LSTM = ("sigmoid", "tanh", "softmax", "forward", "backward")


def ab_rnn(slope: int) -> Finding:
    """The slope of tanh stands on this line of the notebook's code; nine lines on, states[-1] stands for h0."""
    mends = (
        Mend(AB, slope, "d_f = d_h * (1 - hidden_states[t] ** 2)"),
        Mend(AB, slope + 9, "d_V += np.outer(d_f, hidden_states[t - 1] if t else 0 * d_f)"),
    )
    return Finding(("inside a step",), ("δz",), "δz = δh∘(1 - h²)", "δh∘(1 - tanh²(h))", 0.524, mends)


def ab_lstm(first: int) -> Finding:
    """backward begins at this line; the lists of states begin with the state before the first step, the others do not."""
    mended = {
        60: "C_prev = C[t]",
        67: "W_v_d += np.outer(dv, h[t + 1])",
        73: "do = dh * tanh(C[t + 1])",
        74: "do = do * o[t] * (1 - o[t])",
        82: "dC += dh * o[t] * (1 - tanh(C[t + 1]) ** 2)",
        84: "dg = dg * (1 - g[t] ** 2)",
        92: "di = di * i[t] * (1 - i[t])",
        98: "df = df * f[t] * (1 - f[t])",
        107: "dh_next = dz[:hidden_size]",
        108: "dC_next = dC * f[t]",
    }
    mends = tuple(Mend(AB, first + line, code) for line, code in mended.items())
    return Finding(("last layer",), ("δV",), "δV = Σ hᵀδlogits", "Σ h'ᵀδlogits, h of the step before", 0.982, mends)


ELIBEN, ELIBEN_COMMIT = "eliben/deep-learning-samples", "26e866b5c42ffb7e1c256c6086e842e89536716a"
JAVAID = "RNN_char_text generator.ipynb"
TUTORIAL = "content/tutorial-nlp-from-scratch.md"
CHARACTERS = [
    Pass(
        NICKLAS, COMPLETE, "rnn", "backward_pass", {AB: AB_RNN}, characters.ab_rnn, ab_rnn(436),
    ),
    Pass(NICKLAS, COMPLETE, "lstm", "backward", {AB: AB_LSTM}, characters.ab_lstm, ab_lstm(798)),
    Pass(
        NICKLAS, "f5b56e1763f345c5fd686a8ff25f8ff2aaf5ef45", "rnn", "backward_pass", {AB: AB_RNN}, characters.ab_rnn,
        cannot="an exercise: its blanks are the reader's to fill",
    ),
    Pass(CAPTAIN, CAPTAIN_COMMIT, "rnn", "backward_pass", {AB: AB_RNN}, characters.ab_rnn, ab_rnn(427)),
    Pass(CAPTAIN, CAPTAIN_COMMIT, "lstm", "backward", {AB: AB_LSTM}, characters.ab_lstm, ab_lstm(774)),
    Pass(ELIBEN, ELIBEN_COMMIT, "rnn", "lossFun", {"min-char-rnn/min-char-rnn.py": ("lossFun",)}, characters.eliben_rnn),
    Pass(
        ELIBEN, ELIBEN_COMMIT, "lstm", "lossFun", {"min-char-rnn/min-char-lstm.py": ("sigmoid", "lossFun")},
        characters.eliben_lstm,
    ),
    Pass(
        "JY-Yoon/RNN-Implementation-using-NumPy", "64ea405ec2c5547e17e20abea6df67661101a317", "rnn", "backprop",
        {"RNN Implementation using NumPy.ipynb": ("forwardprop", "backprop")}, characters.jy_yoon,
    ),
    Pass(
        "javaidnabi31/RNN-from-scratch", "5ac3de08f97baf75fbb4c7c811ccbf45edb0ae42", "rnn", "RNN.backward",
        {JAVAID: ("RNN",)}, characters.javaidnabi31,
        Finding(("last layer",), ("δd",), "δd = Σ δlogits", "2δd, which stays 0", 1.0, (Mend(JAVAID, 92, "dc += dy"),)),
    ),
    Pass(
        "erikvdplas/gru-rnn", "958f185ef69d29e7846205300307b2799754a541", "gru", "lossFun",
        {"main.py": ("sigmoid", "tanh", "softmax", "lossFun")}, characters.erikvdplas,
    ),
    Pass(
        "numpy/numpy-tutorials", "08fcaf9f8e56dc30a8d4e5420c651e460e75303b", "lstm", "backprop",
        {TUTORIAL: (
            "sigmoid", "fp_forget_gate", "fp_input_gate", "fp_output_gate", "fp_fc_layer", "forward_prop", "initialize_grads",
            "bp_forget_gate", "bp_input_gate", "bp_output_gate", "bp_fc_layer", "backprop",
        )},
        characters.numpy_tutorial,
        Finding(
            ("between steps",), ("δc'",), "δc' = (δc + δh∘o∘(1 - tanh²c))∘f", "with δh' in the place of δh", 0.772,
            (Mend(
                TUTORIAL, 770,
                'dc_prev = cache["ft"] * (dc_prev + dh_prev * cache["ot"] * (1 - np.tanh(cache["next_cs"]) ** 2))\n'
                "dh_prev = dh_f + dh_i + dh_cm + dh_o",
                last=773,
            ),),
        ),
    ),
]  # fmt: skip

# -- classes -----------------------------------------------------------------------------------------------------------

LLSOURCELL, LLSOURCELL_COMMIT, DEMO = (
    "llSourcell/LSTM_Networks",
    "ddcf2da5464c29be2ccfdd49423f7b30a79e05e3",
    "LSTM Demo.ipynb",
)
HANBT, HANBT_COMMIT = "hanbt/learn_dl", "c2ec5f1399818a39c2140bef7e2edd46e6c6815a"
NUMPY_ML, NUMPY_ML_LAYERS = "ddbourgin/numpy-ml", "numpy_ml/neural_nets/layers/layers.py"
NUMPY_ML_ACTIVATIONS = {"numpy_ml/neural_nets/activations/activations.py": ("ActivationBase", "Sigmoid", "Tanh")}
NUMPY_ML_NOW, NUMPY_ML_BEFORE = "b0359af5285fbf9699d64fd5ec059493228af03e", "712dfe4c70b7c5a82638bf1499e3a75830927dd3"
OREILLY, OREILLY_COMMIT = "oreilly-japan/deep-learning-from-scratch-2", "842ae31c2bb070f5116275606ed90396626a2c17"
EPYNN, EPYNN_COMMIT = "Synthaze/EpyNN", "06ea8cbd78e38da7fd6be651a6dacabb3e37734d"


def llsourcell() -> Finding:
    mended = {
        235: "do = e * self.tangent(self.cs) * o * (1 - o)",
        237: "ou = np.outer(do, self.x)",
        241: "dc = dcs * i * (1 - c**2)",
        243: "cu = np.outer(dc, self.x)",
        245: "di = dcs * c * i * (1 - i)",
        247: "iu = np.outer(di, self.x)",
        249: "df = dcs * pcs * f * (1 - f)",
        251: "fu = np.outer(df, self.x)",
    }
    mends = tuple(Mend(DEMO, line, code) for line, code in mended.items())
    return Finding(
        ("inside a step",),
        ("δz", "δz_i", "δz_f", "δz_g", "δz_o"),
        "δz_o = δo∘o∘(1 - o), ...",
        "slopes at σ(z) and tanh(z), none on the way to h'",
        2.35,
        mends,
    )


def hanbt_lstm() -> Finding:
    grads = {230: "f", 231: "i", 232: "o", 233: "c"}
    lists = {"f": "delta_f_list", "i": "delta_i_list", "o": "delta_o_list", "c": "delta_ct_list"}
    summed = "self.W{k}x_grad = sum(np.outer(d, x_t) for d, x_t in zip(self.{deltas}[1:], self.every_x))"
    mends = (
        Mend(
            "lstm.py", 168,
            "delta_k = self.delta_h_list[k]\n"
            "delta_c = delta_k * og * (1 - tanh_c**2) + (self.delta_c_prev if k < self.times else 0)\n"
            "self.delta_c_prev = delta_c * fg",
        ),
        Mend("lstm.py", 173, "delta_f = delta_c * c_prev * fg * (1 - fg)", last=175),
        Mend("lstm.py", 176, "delta_i = delta_c * ct * ig * (1 - ig)", last=178),
        Mend("lstm.py", 179, "delta_ct = delta_c * ig * (1 - ct**2)", last=181),
        *(Mend("lstm.py", line, summed.format(k=k, deltas=lists[k])) for line, k in grads.items()),
        Mend("lstm.py", 254, "bi_grad = self.delta_i_list[t]"),
        Mend("lstm.py", 256, "bo_grad = self.delta_o_list[t]"),
    )  # fmt: skip
    return Finding(
        ("sum over steps", "inside a step"),
        ("δb", "δb_i", "δb_o"),
        "δb_i = Σ δz_i, δb_o = Σ δz_o",
        "Σ δz_f for all three",
        0.836,
        mends,
    )


def oreilly(cell: str) -> Pass:
    kind = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}[cell]
    files = {"common/functions.py": ("sigmoid",), "common/time_layers.py": (kind, f"Time{kind}")}
    return Pass(OREILLY, OREILLY_COMMIT, cell, f"Time{kind}.backward", files, partial(layers.oreilly, cell=cell))


def epynn(cell: str) -> Pass:
    files = {
        "epynn/commons/maths.py": ("sigmoid", "tanh"),
        f"epynn/{cell}/parameters.py": (f"{cell}_compute_gradients",),
        f"epynn/{cell}/forward.py": ("initialize_forward", f"{cell}_forward"),
        f"epynn/{cell}/backward.py": ("initialize_backward", f"{cell}_backward"),
    }
    return Pass(EPYNN, EPYNN_COMMIT, cell, f"{cell}_backward", files, partial(layers.epynn, cell=cell))


CLASSES = [
    Pass(
        "nicodjimenez/lstm", "a2f2e99cb48acee421d5ba3a084af63131da10c6", "lstm", "LstmNetwork.y_list_is",
        {"lstm.py": (
            "sigmoid", "sigmoid_derivative", "tanh_derivative", "LstmParam", "LstmState", "LstmNode", "LstmNetwork",
        )},
        layers.nicodjimenez, forward="h = o∘c: the tanh of c is left out",
    ),
    Pass(
        HANBT, HANBT_COMMIT, "rnn", "RecurrentLayer.backward",
        {"activators.py": ("TanhActivator",), "cnn.py": ("element_wise_op",), "rnn.py": ("RecurrentLayer",)},
        layers.hanbt_rnn,
        Finding(
            ("between steps",), ("δz", "δh'"), "δz' = (Uᵀδz)∘(1 - h'²)", "(Uᵀδz)∘h, h of the step after", 2.24,
            (Mend("rnn.py", 64, "state = activator.backward(self.state_list[k])", last=66),),
        ),
    ),
    Pass(
        HANBT, HANBT_COMMIT, "lstm", "LstmLayer.backward",
        {"activators.py": ("SigmoidActivator", "TanhActivator"), "lstm.py": ("LstmLayer",)},
        layers.hanbt_lstm, hanbt_lstm(),
    ),
    Pass(LLSOURCELL, LLSOURCELL_COMMIT, "lstm", "LSTM.backProp", {DEMO: ("LSTM",)}, layers.llsourcell, llsourcell()),
    Pass(
        LLSOURCELL, LLSOURCELL_COMMIT, "lstm", "RecurrentNeuralNetwork.backProp", {DEMO: ("RecurrentNeuralNetwork",)},
        None, cannot="the class around it has two syntax errors",
    ),
    Pass(
        NUMPY_ML, NUMPY_ML_NOW, "lstm", "LSTMCell.backward",
        NUMPY_ML_ACTIVATIONS | {NUMPY_ML_LAYERS: ("LayerBase", "LSTMCell")}, layers.numpy_ml_lstm,
    ),
    Pass(
        NUMPY_ML, NUMPY_ML_BEFORE, "lstm", "LSTMCell.backward",
        NUMPY_ML_ACTIVATIONS | {NUMPY_ML_LAYERS: ("LayerBase", "LSTMCell")}, layers.numpy_ml_lstm,
        Finding(
            ("inside a step",), ("δz_f", "δz_i", "δf", "δi"), "δz_f = δf∘f∘(1 - f), with f's own bias",
            "f and i with o's bias", 0.478,
            (Mend(NUMPY_ML_LAYERS, 3820, "_Gf = Zt @ Wf + bf"), Mend(NUMPY_ML_LAYERS, 3821, "_Gu = Zt @ Wu + bu")),
        ),
    ),
    Pass(
        NUMPY_ML, NUMPY_ML_NOW, "rnn", "RNNCell.backward",
        NUMPY_ML_ACTIVATIONS | {NUMPY_ML_LAYERS: ("LayerBase", "RNNCell")}, layers.numpy_ml_rnn,
    ),
    Pass(
        NUMPY_ML, NUMPY_ML_NOW, "lstm", "LSTM.backward", {NUMPY_ML_LAYERS: ("LayerBase", "LSTMCell", "LSTM")},
        layers.numpy_ml_layer, cannot="the layer hands its cell an argument n_in, which the cell does not take",
    ),
    *map(oreilly, ("rnn", "lstm", "gru")),
    *map(epynn, ("rnn", "lstm", "gru")),
]  # fmt: skip

PASSES: list[Pass] = [
    *(cs231n("cthorey/CS231", "11f0521c4f7865a0005f21bb24ec29c8b00c2712", cell) for cell in ("rnn", "lstm")),
    *(cs231n("Burton2000/CS231n-2017", "0a0bd0194d9d4606dc864272823c21dba7b0e0f9", cell) for cell in ("rnn", "lstm")),
    *COURSERA,
    *KJPOU1_PASSES,
    *CHARACTERS,
    *CLASSES,
]

PRINTED_NUMBERS = 'the "Expected Output" of lstm_backward'
V3 = f"{STEP_BY_STEP}/Building+a+Recurrent+Neural+Network+-+Step+by+Step+-+v3.ipynb"
PRINTED = [
    Printed("Kulbear/deep-learning-coursera", "997fdb2e2db67acd45d29ae418212463a54be06d", KULBEAR),
    Printed("sagarnildass/andrew_ng_deep_learning", "3f20420829d16c4bf5a77ab3086df57300cb8c38", SAGAR),
    Printed("jinzishuai/learn2deeplearn", "e0b911b6e922f55eb59d1d4d069b96095ccf36e0", V3),
]
