"""The 46 scripts: where each is, the data that it gets, and every word of it that is mended.

Sizes are cut so that two epochs take seconds. A mend of the kind KERAS_2 is a word that Keras 3 refuses and the engine takes:
it is made for Keras alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import stand_ins
from .rewriting import DATA, KERAS_2, LIBRARY, SIZE, TYPO, Mend


@dataclass(frozen=True)
class Script:
    """A public script, with the files of its repository that it needs beside it."""

    name: str
    repository: str
    commit: str
    path: str
    modules: tuple[str, ...] = ()  # Python files that it imports
    files: tuple[tuple[str, int], ...] = ()  # data files of the repository, and how many of their lines; 0: all
    stand_in: Callable[[Path], None] | None = None
    mends: tuple[Mend, ...] = ()
    start: str = ""  # what is started where it is not the script itself
    first: str = ""  # another listed script, which Keras runs before: it leaves a file that this one reads

    @property
    def address(self) -> str:
        return f"https://github.com/{self.repository}"

    @property
    def keras_2(self) -> set[str]:
        """The words that Keras 3 refuses, each once."""
        return {mend.why for mend in self.mends if mend.kind == KERAS_2}


BOOL = Mend("np.bool", "bool", LIBRARY, "NumPy 2 has no np.bool of that meaning")
SHORT_TEXT = Mend("range(400)", "range(5)", SIZE)
LEARNING_RATE = Mend("lr=", "learning_rate=", KERAS_2, "lr is learning_rate")


def twice(loop: str, of: str) -> Mend:
    return Mend(loop, of, SIZE)


# -- time series -------------------------------------------------------------------------------------------------------

AIRLINE = Script(
    "airline passengers", "luoshao23/ML_algorithm", "6e94fdd0718cd892118fd036c7c5851cf3e6d796",
    "TSA/internationalAir/Time+Series+Prediction+with+LSTM.py",
    files=(("TSA/internationalAir/international-airline-passengers.csv", 0),),
    mends=(
        Mend("import MinMaxScaler,", "import MinMaxScaler", TYPO, "a comma too many"),
        Mend("import numpy as np", "import numpy, numpy as np", TYPO, "numpy under two names"),
    ),
)  # fmt: skip
SERIES = "vectormars/DeepLearning-Time-Series", "17bf1c7e0b0bd99a690dbbdad5aa3dc1154fa8af"
SERIES_NAMES = (
    "01_Vanilla_LSTM_Univariate", "02_Stacked_LSTM_Univariate", "03_Bidirectional_LSTM_Univariate",
    "04_CNN_LSTM_Univariate", "05_CONV_LSTM_Univariate", "06_Vanilla_LSTM_Multivariate (Multiple Input Series)",
    "07_Stacked_LSTM_Multivariate (Multiple Parallel Series)", "08_Multi-step_LSTM_Model (Vector Output Model)",
    "09_Multi-step_LSTM_Model (Encoder_Decoder)", "10_Stacked_LSTM_Multivariate_Multi_step",
    "11_Encoder-Decoder_LSTM_Multiple_Parallel_Multi_step",
)  # fmt: skip
TIME_SERIES = [
    Script(f"series {name.partition(' (')[0]}", *SERIES, f"04. LSTM for Time Series/Code/{name}.ipynb")
    for name in SERIES_NAMES
]

# -- Keras's own examples and guides -----------------------------------------------------------------------------------

KERAS_231 = "keras-team/keras", "2.3.1"
KERAS_IO = "keras-team/keras", "v3.0.0"  # keras.io's scripts, as Keras 3.0.0 has them in examples/keras_io


def example(name: str, *mends: Mend, stand_in: Callable[[Path], None] | None = None, first: str = "") -> Script:
    return Script(f"{name} (2.3.1)", *KERAS_231, f"examples/{name}.py", stand_in=stand_in, mends=mends, first=first)


def keras_io(path: str, *mends: Mend, stand_in: Callable[[Path], None] | None = None) -> Script:
    name = path.rpartition("/")[2]
    return Script(f"{name} (keras.io)", *KERAS_IO, f"examples/keras_io/{path}.py", stand_in=stand_in, mends=mends)


FEWER_SUMS = Mend("TRAINING_SIZE = 50000", "TRAINING_SIZE = 500", SIZE)
STATEFUL = (
    Mend("input_len = 1000", "input_len = 60", SIZE),
    Mend("epochs = 10", "epochs = 2", SIZE),
    Mend(
        "model.add(LSTM(20,\n              input_shape=(lahead, 1),\n              batch_size=batch_size,",
        "model.add(Input(batch_shape=(batch_size, lahead, 1)))\n    model.add(LSTM(20,", KERAS_2,
        "LSTM(batch_size=) is Input(batch_shape=)",
    ),
    Mend("import Dense, LSTM", "import Dense, Input, LSTM", KERAS_2, "LSTM(batch_size=) is Input(batch_shape=)"),
    Mend(
        "model_stateful.reset_states()", "model_stateful.layers[0].reset_states()", KERAS_2,
        "a model has no reset_states, its layers have",
    ),
)  # fmt: skip
EXAMPLES = [
    example("lstm_text_generation", BOOL, SHORT_TEXT, stand_in=stand_ins.nietzsche),
    example("mnist_irnn"),
    example("lstm_stateful", *STATEFUL),
    example(
        "addition_rnn", FEWER_SUMS, BOOL, twice("range(1, 200)", "range(1, 3)"),
        Mend("from six.moves import range", "", LIBRARY, "for Python 2"),
        Mend(
            "model.predict_classes(rowx, verbose=0)", "np.argmax(model.predict(rowx, verbose=0), axis=-1)", KERAS_2,
            "predict_classes is the argmax of predict",
        ),
    ),
    example("imdb_lstm"),
    example("imdb_bidirectional_lstm"),
    example("imdb_cnn_lstm"),
    example("lstm_seq2seq", twice("range(100)", "range(3)"), stand_in=stand_ins.french),
    example(
        "lstm_seq2seq_restore", twice("range(100)", "range(3)"), stand_in=stand_ins.french, first="lstm_seq2seq (2.3.1)"
    ),
    example("babi_rnn", stand_in=stand_ins.stories),
    example("mnist_hierarchical_rnn"),
    example("cnn_seq2seq", Mend("nb_examples = 100", "nb_examples = 120", SIZE), stand_in=stand_ins.french),
    example(
        "conv_lstm", Mend("np.float)", "float)", LIBRARY, "NumPy 2 has no np.float"),
        Mend("n_samples=1200)", "n_samples=6)", SIZE), Mend("[:1000]", "[:4]", SIZE), Mend("filters=40", "filters=4", SIZE),
        Mend("which = 1004", "which = 5", SIZE), Mend("range(16)", "range(2)", SIZE), Mend("range(15)", "range(2)", SIZE),
    ),
    keras_io(
        "tensorflow/generative/lstm_character_level_text_generation", SHORT_TEXT, twice("epochs = 40", "epochs = 2"),
        stand_in=stand_ins.nietzsche,
    ),
    keras_io("nlp/addition_rnn", FEWER_SUMS, twice("epochs = 30", "epochs = 3")),
    keras_io("nlp/bidirectional_lstm_imdb"),
    keras_io("nlp/lstm_seq2seq", twice("range(20)", "range(3)"), stand_in=stand_ins.french_zipped),
    keras_io(
        "timeseries/timeseries_weather_forecasting",
        Mend(".numpy()", "", DATA, "batches are arrays, not TensorFlow's tensors"), stand_in=stand_ins.climate,
    ),
    Script(
        "guide: working with RNNs", "keras-team/keras-io", "5f44850dce7daa12767becd9a7cc57b9b64f4ad2",
        "guides/working_with_rnns.py",
    ),
    Script("guide: masking and padding", *KERAS_IO, "guides/understanding_masking_and_padding.py"),
]  # fmt: skip

# -- Chollet's notebooks -----------------------------------------------------------------------------------------------

CHOLLET = "fchollet/deep-learning-with-python-notebooks", "dea84a4e12cc3bb3cb61ce952a0168bca113d315"
CLIMATE_1ST = (
    Mend("/home/ubuntu/data/", "", DATA, "the folder of the data"),
    Mend("\nnp.mean(np.abs(preds - targets))\n", "\n", TYPO, "a cell that shows a formula of names that nothing defines"),
    Mend("300000", "4000", SIZE), Mend("300001", "4001", SIZE), Mend("200000", "2000", SIZE), Mend("200001", "2001", SIZE),
    Mend("fit_generator", "fit", KERAS_2, "fit_generator is fit"),
)  # fmt: skip
BOOKS = [
    Script(
        "Chollet 6.2", *CHOLLET, "first_edition/6.2-understanding-recurrent-neural-networks.ipynb",
        mends=(Mend("maxlen = 500", "maxlen = 60", SIZE),),
    ),
    Script(
        "Chollet 6.3", *CHOLLET, "first_edition/6.3-advanced-usage-of-recurrent-neural-networks.ipynb",
        stand_in=stand_ins.climate, mends=(*CLIMATE_1ST, Mend("maxlen = 500", "maxlen = 60", SIZE)),
    ),
    Script(
        "Chollet 8.1", *CHOLLET, "first_edition/8.1-text-generation-with-lstm.ipynb", stand_in=stand_ins.nietzsche,
        mends=(BOOL, SHORT_TEXT, LEARNING_RATE, twice("range(1, 60)", "range(1, 3)")),
    ),
    Script(
        "Chollet, 2nd ed., ch. 10", *CHOLLET, "second_edition/chapter10_dl-for-timeseries.ipynb", stand_in=stand_ins.climate
    ),
    Script(
        "Chollet, 2nd ed., ch. 11 part 2", *CHOLLET, "second_edition/chapter11_part02_sequence-models.ipynb",
        stand_in=stand_ins.reviews,
    ),
    Script(
        "Chollet, 3rd ed., ch. 13", *CHOLLET, "chapter13_timeseries-forecasting.ipynb", stand_in=stand_ins.climate,
        mends=(
            Mend("from IPython.core.magic import register_cell_magic", "", LIBRARY, "it is not run in a notebook"),
            Mend("@register_cell_magic", "", LIBRARY, "it is not run in a notebook"),
        ),
    ),
]  # fmt: skip

# -- applications ------------------------------------------------------------------------------------------------------

HAR = Script(
    "human activity", "servomac/Human-Activity-Recognition", "bd84d1bfb95e0f3d8a33013e704229fa5a288f92", "main.py",
    modules=("data.py", "utils.py"), stand_in=stand_ins.human_activity,
    mends=(Mend("delim_whitespace=True", "sep=r'\\s+'", LIBRARY, "pandas 3 has no delim_whitespace"),),
)  # fmt: skip
MUSIC = Script(
    "music genre", "ruohoruotsi/LSTM-Music-Genre-Classification", "3401d8a3efa8657a481bf6317872870b6323e7cf",
    "lstm_genre_classifier_keras.py", stand_in=stand_ins.genres,
)  # fmt: skip
PIANO = Script(
    "classical piano composer", "Skuldur/Classical-Piano-Composer", "15724e2600ff0a1d53afcdfb0565a095c74cf369", "lstm.py",
    files=(("data/notes", 0),), stand_in=stand_ins.notes,
    mends=(
        Mend(
            "notes = get_notes()", "notes = pickle.load(open('data/notes', 'rb'))[:240]", DATA,
            "the notes that the repository keeps, in the place of the MIDI files",
        ),
        Mend("512", "64", SIZE),
    ),
)  # fmt: skip
STOCK = Script(
    "stock prices", "jaungiers/LSTM-Neural-Network-for-Time-Series-Prediction",
    "da44411c91135b64c02eb60da3c7f574c7c4c253", "run.py",
    modules=("core/__init__.py", "core/model.py", "core/data_processor.py", "core/utils.py"),
    files=(("config.json", 0), ("data/sp500.csv", 700)),
    mends=(
        Mend("fit_generator", "fit", KERAS_2, "fit_generator is fit"),
        Mend("callbacks=callbacks,\n\t\t\tworkers=1", "callbacks=callbacks", KERAS_2, "fit has no workers"),
    ),
)  # fmt: skip
MAINTENANCE = "umbertogriffo/Predictive-Maintenance-using-LSTM", "18de0efbec638e217763c7e7e66be5b55cce0435"
MAINTENANCE_FILES = (("Dataset/PM_train.txt", 1200), ("Dataset/PM_test.txt", 1500), ("Dataset/PM_truth.txt", 0))
SMALL_PICTURE = Mend("figsize=(100, 50)", "figsize=(10, 5)", SIZE)


def maintenance(name: str, *mends: Mend) -> Script:
    return Script(
        f"predictive maintenance, {name.partition('_')[0]}", *MAINTENANCE, f"src/lstm/{name}.py", files=MAINTENANCE_FILES,
        mends=(SMALL_PICTURE, *mends),
    )  # fmt: skip


APPLICATIONS = [
    MUSIC,
    HAR,
    PIANO,
    STOCK,
    maintenance(
        "binary_classification", Mend("['acc']", "['accuracy']", KERAS_2, "'acc' is 'accuracy' in the history"),
        Mend("['val_acc']", "['val_accuracy']", KERAS_2, "'acc' is 'accuracy' in the history"),
        Mend(
            "/ (precision_test + recall_test)", "/ max(precision_test + recall_test, 1e-9)", SIZE,
            "after two epochs no failure is predicted",
        ),
        Mend(
            "model.predict_classes(seq_array,verbose=1, batch_size=200)",
            "(model.predict(seq_array, verbose=1, batch_size=200) > 0.5).astype('int32')", KERAS_2,
            "predict_classes is predict > 0.5",
        ),
        Mend(
            "estimator.predict_classes(seq_array_test_last)",
            "(estimator.predict(seq_array_test_last) > 0.5).astype('int32')", KERAS_2, "predict_classes is predict > 0.5",
        ),
    ),
    maintenance("regression"),
    Script(
        "speech emotion", "Renovamen/Speech-Emotion-Recognition", "64e2f48be4ed0ed3fba3f85af824209f6c5c3884",
        "models/dnn/lstm.py", modules=("models/dnn/dnn.py", "models/base.py"), stand_in=stand_ins.emotions,
        start="train_lstm.py", mends=(
            Mend("Adam(lr=lr)", "Adam(learning_rate=lr)", KERAS_2, "lr is learning_rate"),
            Mend('".h5"', '".weights.h5"', KERAS_2, "save_weights writes .weights.h5"),
        ),
    ),
    Script(
        "gender by voice", "x4nth055/gender-recognition-by-voice", "53cff084161eb100a9223bd644a07ec7a03b0091", "train.py",
        modules=("utils.py",), stand_in=stand_ins.voices,
    ),
]  # fmt: skip

SCRIPTS = [AIRLINE, *TIME_SERIES, *EXAMPLES, *BOOKS, *APPLICATIONS]
