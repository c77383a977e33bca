"""What `import lstm_engine` brings along, and what it does without."""

import subprocess
import sys
import textwrap


def run(code):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)


def test_import_brings_in_no_audio_plots_keras_or_compiler():
    result = run(
        """
        import sys, lstm_engine
        heavy = ["librosa", "pandas", "matplotlib", "keras", "typer", "numba", "scipy", "features", "experiments"]
        print([name for name in heavy if name in sys.modules])
        """
    )
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_numpy_backend_works_without_numba():
    result = run(
        """
        import sys
        sys.modules["numba"] = None  # as if it were not installed
        import numpy as np, lstm_engine as le
        model = le.Sequential([le.LSTM(3), le.Dense(1, activation="sigmoid")], backend="numpy", seed=0)
        model.compile("adam", "binary_crossentropy")
        model.fit(np.ones((4, 5, 2)), [0, 1, 0, 1], verbose=0)
        print(model.predict(np.ones((1, 5, 2)), verbose=0).shape)
        """
    )
    assert result.stdout.strip() == "(1, 1)", result.stdout + result.stderr
