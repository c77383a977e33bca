"""The command line as a person meets it: help, exit codes 0, 1 and 2, errors in a line, and JSON for programs."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from rich.console import Console

import lstm_engine as le
from experiments import cli
from features.tables import read_features

COMMANDS = [command.callback.__name__ for command in cli.app.registered_commands]
STUDIES = [f"study {command.name}" for command in cli.studies.registered_commands]


def words(text):
    """Without the line breaks and the borders that depend on the terminal's width."""
    return " ".join(re.sub(r"[│┃╭╮╰╯─━┏┓┗┛]", " ", text).split())


def is_one_line_error(outcome):
    return outcome.err.startswith("error: ") and outcome.err.count("\n") == 1 and "Traceback" not in outcome.err


def test_the_commands_are_there():
    verbs = "check doctor demo train evaluate compare lessons gradcheck bench features fetch predict record inspect"
    assert verbs.split() == COMMANDS
    assert [f"study {name}" for name in ("epochs", "lstm1997", "memory", "variants", "gap")] == STUDIES


@pytest.mark.parametrize("command", [*COMMANDS, "study", *STUDIES])
def test_help_has_an_example(lstm_engine, command):
    shown = lstm_engine(*command.split(), "--help")
    assert shown.code == 0
    assert re.search(rf"Examples?: lstm-engine {command} ", words(shown.out))
    assert shown.err == ""


@pytest.mark.parametrize("command", [*COMMANDS, *STUDIES])
def test_a_command_with_a_result_has_json(lstm_engine, command):
    assert "--json" in lstm_engine(*command.split(), "--help").out


def test_a_flag_is_shown_without_a_type(lstm_engine):
    for command in (["gradcheck"], ["study", "epochs"], []):
        shown = lstm_engine(*command, "--help").out
        assert "--help" in shown
        assert "bool" not in shown.lower()


def test_help_lists_every_command(lstm_engine):
    shown = lstm_engine("--help")
    assert shown.code == 0
    assert all(re.search(rf"\b{command}\b", shown.out) for command in [*COMMANDS, "study"])
    assert "--debug" in shown.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "x", "--bogus"], "No such option"),
        (["bogus"], "No such command 'bogus'"),
        (["train"], "name the folder to learn from"),
        (["evaluate", "x"], "name the model that train wrote with --model"),
        (["train", "x", "--epochs", "0"], "--epochs"),
        (["train", "x", "--epochs", "many"], "valid integer"),
    ],
)
def test_bad_usage_exits_2_and_says_what(lstm_engine, arguments, said):
    outcome = lstm_engine(*arguments)
    assert outcome.code == 2
    assert said in words(outcome.err)
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train {tmp}/none", "none/male_features.csv does not exist: make it with `lstm-engine features`"),
        ("train {tables} --reading sideways --out {tmp}/x", "reading must be one of steps, frames, got 'sideways'"),
        ("train {tables} --learning-rate -1 --out {tmp}/x", "learning_rate must be a number of at least 0, got -1.0"),
        ("compare {tables} --dtype float16 --out {tmp}/x", "dtype must be one of float32, float64, got 'float16'"),
        ("evaluate {tables} --model {model} --part dev", "part must be one of held-out, train, test, all, got 'dev'"),
        ("evaluate {tables} --model {tmp}/none", "there is no model file"),
        ("predict x.wav --model {tables}/recipe.json", "is not a safetensors file that can be read"),
        (
            "train {corpus} --out {tmp}/x",
            "holds recordings, not features: measure them first with `lstm-engine features",
        ),
        ("train {corpus}/SYNTHETIC.txt --out {tmp}/x", "is a file: name a folder with male_features.csv"),
        ("check {corpus}/SYNTHETIC.txt", "is a corpus of the kind folders: name that folder"),
        ("check {tables}", "It holds features already: `lstm-engine train` reads them"),
        ("check", "name one source"),
        ("features {tmp}/none", "none is not a folder"),
        (
            "features {corpus} --recipe spectrogram",
            "there is no recipe 'spectrogram': expected one of tutorial, frames",
        ),
        ("features {corpus} --recipe frames --pitch praat", "pitch must be one of yin, pyin, got 'praat'"),
        ("features {corpus} --pitch yin", "the recipe tutorial has no option 'pitch'"),
        ("features", "name one source"),
        ("features --male {corpus}/Male", "name one source"),
        (
            "features --corpus vctk --table {tables}/male_rows.csv",
            "--corpus says what a folder is: name the folder too",
        ),
        ("features {corpus} --corpus timit", "there is no corpus 'timit': expected one of folders, librispeech"),
        ("features {corpus} --corpus vctk", "is not a corpus that can be read."),
        ("fetch", "name one archive, or --list them"),
        ("fetch vctk --list", "name one archive, or --list them"),
        ("fetch common-voice", "common-voice is available only after a sign-up"),
        ("fetch librispeech-dev-clean --mirror {tmp} --out {tmp}/x", "the mirror must be an http or https address"),
        ("features {corpus} --table {tables}/male_rows.csv", "name one source"),
    ],
)
def test_bad_input_exits_2_with_one_line_and_leaves_nothing(
    lstm_engine, arguments, said, tmp_path, tables, corpus, trained, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    places = {"tmp": tmp_path, "tables": tables, "corpus": corpus, "model": trained.model}
    outcome = lstm_engine(*(a.format(**places) for a in arguments.split()))
    assert outcome.code == 2
    assert is_one_line_error(outcome)
    assert said in outcome.err
    assert outcome.out == ""
    assert not any(tmp_path.iterdir())


def test_a_traceback_comes_only_with_debug(lstm_engine, monkeypatch, tmp_path):
    assert is_one_line_error(lstm_engine("train", tmp_path / "none"))
    monkeypatch.setattr(sys, "argv", ["lstm-engine", "train", str(tmp_path / "none"), "--debug"])
    with pytest.raises((OSError, ValueError), match=r"male_features\.csv does not exist"):  # which Python shows whole
        cli.main()


@pytest.mark.slow
@pytest.mark.parametrize("debug", [False, True])
def test_the_program_prints_a_traceback_only_with_debug(tmp_path, debug):
    command = [sys.executable, "-m", "experiments.cli", "train", str(tmp_path / "none"), *["--debug"] * debug]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(cli.__file__).parents[2])
    assert ("Traceback" in done.stderr) == debug
    assert "none/male_features.csv does not exist" in done.stderr.replace(os.sep, "/")
    assert done.stdout == ""
    assert done.returncode == (1 if debug else 2)


def test_an_earlier_run_is_replaced_only_with_force(lstm_engine, tables, tmp_path, no_report):
    command = ["train", tables, "--out", tmp_path, "--epochs", 1, "--units", 2]
    assert lstm_engine(*command).code == 0
    first = (tmp_path / "model.safetensors").read_bytes()
    refused = lstm_engine(*command, "--units", 3)
    assert refused.code == 2
    assert is_one_line_error(refused)
    assert "--force" in refused.err
    assert (tmp_path / "model.safetensors").read_bytes() == first
    assert lstm_engine(*command, "--units", 3, "--force").code == 0
    assert le.load(tmp_path / "model.safetensors").layers[0].units == 3


def test_train_says_the_scores_and_where_they_lie(lstm_engine, tables, tmp_path, no_report):
    shown = lstm_engine("train", tables, "--out", tmp_path, "--epochs", 2, "--units", 2)
    assert "Epoch" not in shown.out  # this is no terminal: no progress
    assert re.search(r"held-out speakers \(2 clips, speakers: 2\): accuracy \d\.\d{3}, balanced accuracy", shown.out)
    assert f"Report: {tmp_path / 'report.html'}" in shown.out


def test_json_is_all_that_train_and_evaluate_print(lstm_engine, tables, tmp_path, no_report):
    trained = json.loads(lstm_engine("train", tables, "--out", tmp_path, "--epochs", 1, "--json").out)
    model = tmp_path / "model.safetensors"
    outcome = lstm_engine("evaluate", tables, "--model", model, "--json")
    evaluated = json.loads(outcome.out)
    assert outcome.code == 0
    assert evaluated["balanced_accuracy"] == trained["balanced_accuracy"]
    shown = lstm_engine("evaluate", tables, "--model", model).out
    assert f"balanced accuracy {evaluated['balanced_accuracy']:.3f}" in shown
    assert f"({evaluated['pitch_baseline']['threshold_hz']:.0f} Hz)" in shown


def test_a_warning_is_a_note_on_standard_error(lstm_engine, noise_tables, tmp_path, no_report):
    outcome = lstm_engine("train", noise_tables, "--out", tmp_path, "--epochs", 1, "--json")
    assert outcome.code == 0
    assert outcome.err.startswith("note: ")
    assert "has no recipe.json" in outcome.err
    json.loads(outcome.out)


def test_predict_exits_0_when_every_clip_could_be_measured(lstm_engine, trained, corpus):
    clips = sorted(str(p) for p in corpus.glob("* Test/*/*.wav"))
    outcome = lstm_engine("predict", *clips, "--model", trained.model, "--json")
    rows = json.loads(outcome.out)
    assert outcome.code == 0
    assert [row["file"] for row in rows] == clips
    assert all(0 < row["probability"] < 1 and row["error"] is None for row in rows)
    shown = lstm_engine("predict", clips[0], "--model", trained.model)
    assert shown.code == 0
    assert f"{rows[0]['probability']:.3f}" in shown.out
    assert rows[0]["label"] in shown.out
    assert "a guess about a recording, not a fact about a person" in words(shown.out)


def test_predict_exits_1_when_one_could_not(lstm_engine, trained, corpus, bad_clips):
    clip = next(corpus.glob("Male/*/*.wav"))
    outcome = lstm_engine("predict", bad_clips["silent"], clip, "--model", trained.model, "--json")
    silent, good = json.loads(outcome.out)
    assert outcome.code == 1
    assert "silent" in silent["error"]
    assert silent["probability"] is None
    assert good["probability"] is not None
    shown = lstm_engine("predict", *bad_clips.values(), clip, "--model", trained.model)
    assert shown.code == 1
    assert all(reason in words(shown.out) for reason in bad_clips)
    assert f"{good['probability']:.3f}" in shown.out


@pytest.fixture
def speaker_table(corpus, tmp_path):
    clips = sorted(p for folder in ("Male", "Female") for p in (corpus / folder).rglob("*.wav"))
    rows = [{"path": p, "speaker": p.parent.name, "sex": p.parent.parent.name.lower()} for p in clips]
    pd.DataFrame(rows).to_csv(tmp_path / "speakers.csv", index=False)
    return tmp_path / "speakers.csv"


def test_features_come_from_a_tree_from_folders_or_from_a_table(lstm_engine, corpus, speaker_table, tmp_path, tables):
    male, female = corpus / "Male", corpus / "Female"
    sources = {
        "tree": [corpus],
        "folders": ["--male", male, "--female", female],
        "tests": ["--male", male, "--female", female, "--male-test", f"{male} Test", "--female-test", f"{female} Test"],
        "table": ["--table", speaker_table],
    }
    for name, source in sources.items():
        outcome = lstm_engine("features", *source, "--out", tmp_path / name, "--json")
        assert outcome.code == 0, outcome
        rows = json.loads(outcome.out)["rows"]
        assert (rows["male_features.csv"], rows["female_features.csv"]) == (5, 5)
        assert rows.get("male_test_features.csv") == (2 if name in ("tree", "tests") else None)
        for sex in ("male", "female"):
            written = read_features(tmp_path / name / f"{sex}_features.csv", sex)
            np.testing.assert_array_equal(written, read_features(tables / f"{sex}_features.csv", sex), err_msg=name)


def test_features_say_what_a_folder_was_taken_for(lstm_engine, corpus, tmp_path):
    root = tmp_path / "corpora" / "LibriSpeech"
    readers = {"F": [14, 16], "M": [17, 26]}
    for folder, sex in (("Female", "F"), ("Male", "M")):
        for reader, clip in zip(readers[sex], sorted((corpus / folder).rglob("*.wav")), strict=False):
            (root / f"{reader}-1-0000.wav").parent.mkdir(parents=True, exist_ok=True)
            (root / f"{reader}-1-0000.wav").write_bytes(clip.read_bytes())
    lines = [f"{reader} | {sex} | dev-clean | 8.0 | Somebody\n" for sex in readers for reader in readers[sex]]
    (root / "SPEAKERS.TXT").write_text("".join(lines))
    (root / "17-1-0001.wav.part").write_bytes(b"")
    outcome = lstm_engine("features", tmp_path / "corpora", "--out", tmp_path / "out")
    assert outcome.code == 0
    said = f"{root} is taken for LibriSpeech (librispeech): 4 clips, 4 speakers (2 male, 2 female)"
    assert outcome.out.splitlines()[0] == said
    assert pd.read_csv(tmp_path / "out" / "male_rows.csv")["speaker"].tolist() == [17, 26]
    told = json.loads(lstm_engine("features", tmp_path / "corpora", "--out", tmp_path / "two", "--json").out)
    assert told["corpus"] == "librispeech"


def test_what_features_leave_out_is_a_note(lstm_engine, speaker_table, tmp_path):
    table = pd.read_csv(speaker_table)
    table.loc[len(table)] = ["x.wav", "nobody", "other"]
    table.to_csv(speaker_table, index=False)
    outcome = lstm_engine("features", speaker_table, "--out", tmp_path / "out")
    assert outcome.code == 0
    assert re.search(r"^note: .*1 of 11 clips left out, their sex is neither .* \(1 'other'\)$", outcome.err.strip())


def test_check_exits_0_on_a_collection_in_order_and_shows_it(lstm_engine, corpus):
    shown = lstm_engine("check", corpus)
    assert (shown.code, shown.err) == (0, "")
    assert re.search(r"^ *speakers +7 +7 +14 *$", shown.out, re.MULTILINE)
    assert re.search(r"^ *\.wav, 16 kHz, mono, 16 bit +7 +7 +14 *$", shown.out, re.MULTILINE)
    assert f"Nothing needs a decision. Next: lstm-engine features {corpus} --out my_features" in words(shown.out)


def test_what_needs_a_decision_exits_1_and_features_tells_it_before_measuring(lstm_engine, corpus, tmp_path):
    mine = shutil.copytree(corpus, tmp_path / "mine")
    first, other = (next((mine / sex).rglob("*.wav")) for sex in ("Male", "Female"))
    shutil.copy(first, other.with_name("again.wav"))
    (first.parent / "memo.ac3").write_bytes(b"x")
    told = lstm_engine("check", mine, "--quick", "--json")
    found = {finding["kind"]: finding for finding in json.loads(told.out)["findings"]}
    assert told.code == 1
    assert found["both_sexes"]["names"] == [
        f"{first.relative_to(mine)} = {other.relative_to(mine).with_name('again.wav')}"
    ]
    assert found["not_read"]["count"] == 1
    sf.write(first.with_suffix(".flac"), *sf.read(first))
    late = json.loads(lstm_engine("features", mine, "--out", tmp_path / "json", "--json").out)["notes"][-1]
    # with the copy in another format, known once it is measured
    assert (late["kind"], late["count"]) == ("both_sexes", 3)
    first.with_suffix(".flac").unlink()
    shown = lstm_engine("features", mine, "--out", tmp_path / "out")
    assert shown.code == 0
    assert "note: the same sound under both sexes (all of its clips are left out): 1 (" in shown.err
    assert "Kinds of file: .wav 15" in shown.out
    assert "male_features.csv: 4 rows" in shown.out  # of 5: without the one that both have


def test_fetch_lists_what_there_is(lstm_engine):
    shown = lstm_engine("fetch", "--list")
    assert shown.code == 0
    assert re.search(r"librispeech-dev-clean +337 +www\.openslr\.org/resources/12\n", shown.out.replace(" \n", "\n"))
    assert "common-voice is available only after a sign-up" in shown.out
    told = json.loads(lstm_engine("fetch", "--list", "--json").out)
    assert told["librispeech-dev-clean"]["md5"] == "42e2234ba48799c1f50f24a7926300a1"


def test_fetch_says_where_it_lies_and_what_comes_next(lstm_engine, tmp_path):
    folder = tmp_path / "LibriSpeech" / "dev-clean"
    folder.mkdir(parents=True)
    shown = lstm_engine("fetch", "librispeech-dev-clean", "--out", tmp_path)
    assert shown.code == 0
    assert shown.out.splitlines() == [
        f"{folder} is there already: remove it to download it again.",
        f"{folder} is complete. Next: lstm-engine features {tmp_path}",
    ]
    told = json.loads(lstm_engine("fetch", "librispeech-dev-clean", "--out", tmp_path, "--json").out)
    assert told == {"name": "librispeech-dev-clean", "folder": str(folder), "fetched": False}


def test_features_cut_long_clips_into_windows(lstm_engine, corpus, tmp_path):
    outcome = lstm_engine("features", corpus, "--window", 0.4, "--least", 0.2, "--out", tmp_path)
    assert outcome.code == 0
    assert f"{tmp_path / 'male_features.csv'}: 15 rows" in outcome.out  # 1 s is 0.4 + 0.4 + 0.2
    assert list(pd.read_csv(tmp_path / "male_rows.csv")["start_s"][:3]) == [0.0, 0.4, 0.8]


def test_tables_of_synthetic_voices_say_so(lstm_engine, corpus, tmp_path):
    lstm_engine("features", corpus, "--out", tmp_path / "features")
    assert (tmp_path / "features" / "SYNTHETIC.txt").read_text() == (corpus / "SYNTHETIC.txt").read_text()
    lstm_engine("train", tmp_path / "features", "--out", tmp_path / "run", "--epochs", 1, "--units", 2)
    assert "synthetic" in (tmp_path / "run" / "report.html").read_text()
    assert le.load(tmp_path / "run" / "model.safetensors").metadata["synthetic"] is True


def test_features_exit_1_when_a_clip_failed(lstm_engine, speaker_table, bad_clips, tmp_path):
    table = pd.read_csv(speaker_table)
    table.loc[len(table)] = [bad_clips["silent"], "nobody", "male"]
    table.to_csv(speaker_table, index=False)
    outcome = lstm_engine("features", "--table", speaker_table, "--out", tmp_path / "out")
    assert outcome.code == 1
    assert "male_features.csv: 5 rows" in outcome.out
    assert re.search(r"left out \(silent\): .*silent\.wav: it is silent", outcome.out)
    failed = pd.read_csv(tmp_path / "out" / "failed.csv")
    assert list(failed["reason"]) == ["silent"]
    told = json.loads(lstm_engine("features", "--table", speaker_table, "--out", tmp_path / "b", "--json").out)[
        "failed"
    ]
    assert [reason for _, reason, _ in told] == ["silent"]


def test_features_are_replaced_only_with_force(lstm_engine, corpus, tables):
    outcome = lstm_engine("features", corpus, "--recipe", "frames", "--out", tables)
    assert outcome.code == 2
    assert is_one_line_error(outcome)
    assert "(there and now: recipe tutorial and frames)" in outcome.err
    assert "--force" in outcome.err


def test_features_of_frames_say_where_they_lie_and_how_fast_they_came(lstm_engine, corpus, tmp_path):
    outcome = lstm_engine("features", corpus, "--recipe", "frames", "--deltas", "--csv", "--out", tmp_path / "out")
    assert outcome.code == 0
    assert f"{tmp_path / 'out' / 'male_test_frames.csv'}: 2 clips" in outcome.out
    assert re.search(r"^14 clips measured in \d+\.\d s, \d+ x real time$", outcome.out, re.MULTILINE)
    stamp = json.loads((tmp_path / "out" / "recipe.json").read_text())
    assert (stamp["recipe"], stamp["parameters"]["deltas"], stamp["parameters"]["pitch"]) == ("frames", True, "yin")
    again = lstm_engine("features", corpus, "--recipe", "frames", "--deltas", "--out", tmp_path / "out", "--json")
    told = json.loads(again.out)
    assert (told["clips"], told["measured"], told["audio_s"]) == (14, 0, 14.0)
    assert "nothing to do: all 14 clips are there" in again.err


def test_features_go_on_where_they_were_stopped_and_try_again_on_request(
    lstm_engine, speaker_table, bad_clips, tmp_path
):
    listed = pd.read_csv(speaker_table)
    listed.loc[len(listed)] = [bad_clips["silent"], "nobody", "male"]
    listed.to_csv(speaker_table, index=False)
    ask = ("features", speaker_table, "--out", tmp_path / "out")
    assert lstm_engine(*ask).code == 1
    (tmp_path / "out" / "manifest.jsonl").unlink()
    stopped = lstm_engine(*ask)
    assert stopped.code == 1  # the failed clip is still told, though it was not tried again
    assert "clips measured" not in stopped.out
    told = json.loads(lstm_engine(*ask, "--retry-failed", "--json").out)
    assert (told["measured"], [reason for _, reason, _ in told["failed"]]) == (1, ["silent"])


def test_features_say_how_many_clips_are_new_kept_and_gone(lstm_engine, speaker_table, tmp_path):
    listed, ask = pd.read_csv(speaker_table), ("features", speaker_table, "--out", tmp_path / "out")
    listed[1:].to_csv(speaker_table, index=False)
    lstm_engine(*ask)
    listed[:-1].to_csv(speaker_table, index=False)
    kept = len(listed) - 2
    assert f"1 clip measured, {kept} kept, 1 no longer in the list and removed, in " in lstm_engine(*ask).out
    told = json.loads(lstm_engine(*ask, "--json").out)
    assert (told["measured"], told["kept"], told["gone"]) == (0, kept + 1, 0)


@pytest.fixture
def quick_compare(compared, monkeypatch):
    """The command without its minutes: what `compare` gives is the tests' one comparison; its arguments are kept."""
    calls = []

    def instead(task, *arguments):
        calls.append(arguments)
        return compared.comparison, compared.model

    monkeypatch.setattr("experiments.tutorial.comparison.compare", instead)
    monkeypatch.setattr(
        "experiments.tutorial.comparison_report.section", lambda *_, **__: []
    )  # test_comparison has its page
    return calls


def test_compare_shows_and_saves_the_comparison(lstm_engine, quick_compare, compared, noise_tables, tmp_path):
    shown = lstm_engine("compare", noise_tables, "--out", tmp_path, "--epochs", 3, "--units", 8, "--batch-size", 7)
    assert shown.code == 0, shown
    assert quick_compare[0][:6] == (3, 8, 7, 0.001, "float32", 0)
    assert "at least 100.0% same answers" in words(shown.out)
    last = compared.comparison.rows[-1]
    assert f"{last['engine_loss']:.3f}" in shown.out
    written = {"comparison.json", "config.json", "epochs.csv", "model.safetensors", "report.html"}
    assert written <= {path.name for path in tmp_path.iterdir()}
    assert le.load(tmp_path / "model.safetensors").metadata["reading"] == "frames"


def test_compare_repeats_with_as_many_seeds_as_asked(lstm_engine, quick_compare, noise_tables, tmp_path):
    outcome = lstm_engine("compare", noise_tables, "--out", tmp_path, "--seed", 5, "--seeds", 2, "--json")
    result = json.loads(outcome.out)
    assert [arguments[5] for arguments in quick_compare] == [5, 6]
    assert len(result["comparisons"]) == 2
    assert result["closeness"]["held_out"]["smallest_agreement"] == 1.0


def test_compare_control_saves_no_model(lstm_engine, quick_compare, noise_tables, tmp_path):
    assert lstm_engine("compare", noise_tables, "--out", tmp_path, "--control").code == 0
    assert quick_compare[0][6] is True
    assert not (tmp_path / "model.safetensors").exists()


def test_compare_steps_exits_0_while_the_two_stay_together(lstm_engine, tables, tmp_path):
    pytest.importorskip("keras")
    command = ["compare", tables, "--steps", 3, "--units", 4, "--batch-size", 4, "--out", tmp_path]
    shown = lstm_engine(*command)
    assert shown.code == 0, shown
    assert "the two stay within the tolerance" in words(shown.out)
    steps = pd.read_csv(tmp_path / "steps.csv", index_col="batch")
    assert list(steps.index) == [0, 1, 2]
    assert {"prediction", "loss", "gradient lstm/kernel", "velocity dense/bias", "weight lstm/bias"} <= set(steps)


def test_compare_steps_exits_1_when_they_part(lstm_engine, tables, tmp_path):
    pytest.importorskip("keras")
    command = ["compare", tables, "--steps", 1, "--units", 4, "--batch-size", 4, "--out", tmp_path, "--json"]
    outcome = lstm_engine(*command, "--tol", 0)
    result = json.loads(outcome.out)
    assert outcome.code == 1
    assert result["ok"] is False
    assert result["first"]["batch"] == 0
    assert result["tolerance"] == 0


def test_without_keras_compare_says_how_to_get_it(lstm_engine, tables, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)  # import keras then fails
    outcome = lstm_engine("compare", tables, "--steps", 1, "--out", tmp_path)
    assert outcome.code == 2
    assert is_one_line_error(outcome)
    assert "pip install 'lstm-engine[keras]'" in outcome.err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("compare {tables} --steps 2 --seeds 3", "leave out --seeds and --control"),
        ("compare {tables} --tol 1e-3", "--tol belongs to --steps"),
        ("features {tables} --male-test {tables}", "--male-test and --female-test go with --male"),
        ("features {tables} --jobs 0", "expected 1 to 256, or -1"),
        ("train {tables} --seed -1", "--seed"),
    ],
)
def test_options_that_would_do_nothing_are_refused(lstm_engine, tables, tmp_path, command, words):
    words_of_command = [part.format(tables=tables) for part in command.split()]
    shown = lstm_engine(*words_of_command, "--out", tmp_path / "new")
    assert shown.code == 2
    assert words in " ".join(shown.err.split())


def test_a_folder_with_anything_in_it_is_not_written_over(lstm_engine, tables, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    shown = lstm_engine("train", tables, "--out", tmp_path)
    assert shown.code == 2
    assert "is not empty" in shown.err
    assert (tmp_path / "report.html").read_text() == "mine"


def test_another_package_of_the_same_name_is_pointed_out(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", "import experiments"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "Python finds another 'features'" in done.stderr
    assert "start in another folder, or rename that one" in done.stderr


def test_a_table_that_is_wider_than_the_terminal_loses_nothing(monkeypatch):
    console = Console(width=60, file=io.StringIO())
    monkeypatch.setattr(cli.shared, "out_console", console)
    table = pd.DataFrame({f"column {k}": ["as-long-as-this"] for k in range(4)}, index=["2c-q1000-p1000"])
    cli.shared.print_frame("", table)
    shown = re.sub(r"\s", "", console.file.getvalue())
    assert "…" not in shown
    assert all(shown.count(c) >= 4 * "as-long-as-this".count(c) for c in "aslongthi")


def test_a_training_that_diverges_is_a_line_and_exit_code_1(monkeypatch, capsys):
    """The input was good, and the answer is bad: 2 is for bad input."""

    def train(*_, **__):
        model = le.Sequential([le.Dense(1, input_shape=(2,))], seed=0, backend="numpy")
        model.compile(le.SGD(1e30), "mse")
        model.fit(np.ones((4, 2)), np.ones(4), epochs=3, verbose=0)

    monkeypatch.setattr(cli, "app", train)
    monkeypatch.setattr(sys, "argv", ["lstm-engine", "train"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    outcome = capsys.readouterr()
    assert is_one_line_error(outcome)
    assert "epoch 2, batch 1: the loss is inf" in outcome.err
