"""A model on another corpus, from recordings to the page: synthetic voices, and a model that answers by pitch alone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from experiments.voices import clip_model
from experiments.voices.baselines import f0_statistic
from experiments.voices.cross_corpus import evaluate_corpus, for_evaluation
from features import corpora
from features.clips import Clips, read_clips
from features.extraction import extract
from features.leaks import Leak
from features.recipes import recipe_named
from features.synth import write_corpus


@dataclass(frozen=True)
class ByPitch:
    """Log-odds that only the pitch decides, to know what the evaluation must find."""

    hz: float

    def log_odds(self, clips: Clips) -> np.ndarray:
        return 10 * np.log(self.hz / f0_statistic(clips))


@pytest.fixture(scope="session")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(recordings, what was measured on them): the corpus that the model learns from. Not to be changed."""
    folder = tmp_path_factory.mktemp("home")
    write_corpus(folder / "corpus", speakers=6, test_speakers=0, clips=1, seconds=1.0, seed=1)
    return folder / "corpus", extract(
        corpora.tutorial_folders(folder / "corpus"), folder / "clips", recipe=recipe_named("frames")
    ).out


@pytest.fixture(scope="session")
def abroad(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was measured on the corpus of other voices, by the same recipe. Not to be changed."""
    return extract(
        corpora.tutorial_folders(corpus), tmp_path_factory.mktemp("abroad") / "clips", recipe=recipe_named("frames")
    ).out


@pytest.fixture(scope="session")
def metadata(at_home) -> dict[str, Any]:
    """As a model carries it, through JSON."""
    clips = read_clips(at_home[1])
    told = {"recipe": clips.stamp, "temperature": 1.5, "uncertain": 0.7} | for_evaluation(clips, "home")
    return json.loads(json.dumps(told))


def test_another_corpus_is_measured_judged_and_written_down(corpus, metadata, tmp_path):
    told = []
    found, failed = evaluate_corpus(ByPitch(170), metadata, corpus, tmp_path / "run", say=told.append)
    assert "14 clips, 14 speakers (7 male, 7 female)" in told[0]
    assert (found["clips"], found["speakers"], failed) == (14, 14, 0)
    sides = found["sides"]
    assert list(sides) == ["LSTM", f"F0 below {metadata['baselines']['f0_hz']:.0f} Hz", "logistic regression"]
    rows = pd.read_csv(tmp_path / "run" / "clips.csv", keep_default_na=False)
    right = (rows["f0_hz"] < 170) == (rows["sex"] == "male")
    assert rows["right"].tolist() == right.tolist()
    assert sides["LSTM"]["by_clip"]["accuracy"] == pytest.approx(right.mean())
    assert found["notes"] == ["These voices are synthetic: the figures describe a source-filter model, not people."]
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert json.loads((tmp_path / "run" / "result.json").read_text())["uncertain"] == pytest.approx([0.3, 0.7])


@pytest.mark.usefixtures("undrawn")
def test_a_part_by_the_corpus_own_name(abroad, corpus, metadata, tmp_path):
    for n, source in enumerate((abroad, corpus)):  # measured before, and recordings
        assert evaluate_corpus(ByPitch(170), metadata, source, tmp_path / f"{n}", part="test")[0]["clips"] == 4
        with pytest.raises(ValueError, match=r"part 'dev': there is test \(4\)"):
            evaluate_corpus(ByPitch(170), metadata, source, tmp_path / f"other {n}", part="dev")


@pytest.mark.usefixtures("undrawn")
def test_the_only_part_that_was_fetched_is_still_known_by_its_name(corpus, metadata, tmp_path):
    """LibriSpeech's dev-clean alone: `features` calls its part "", so that `train` splits it."""
    lines = []
    for n, file in enumerate(sorted(corpus.rglob("*.wav"))):
        copy = tmp_path / "LibriSpeech" / f"{n}-1-0000.wav"
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(file.read_bytes())
        lines.append(f"{n} | {file.relative_to(corpus).parts[0][0]} | dev-clean | 1.0 | Somebody")
    (tmp_path / "LibriSpeech" / "SPEAKERS.TXT").write_text("\n".join(lines))
    found, _ = evaluate_corpus(ByPitch(170), metadata, tmp_path / "LibriSpeech", tmp_path / "run", part="dev")
    assert found["clips"] == 14
    with pytest.raises(ValueError, match=r"part 'test': there is dev \(14\)"):
        evaluate_corpus(ByPitch(170), metadata, tmp_path / "LibriSpeech", tmp_path / "test", part="test")


@pytest.mark.usefixtures("undrawn")
def test_force_replaces_a_report_and_measures_only_what_is_of_other_clips(corpus, metadata, tmp_path):
    told: list[str] = []
    evaluate_corpus(ByPitch(170), metadata, corpus, tmp_path)
    evaluate_corpus(ByPitch(170), metadata, corpus, tmp_path, say=told.append, force=True)
    assert told[1].startswith("nothing to do: all 14 clips")
    assert evaluate_corpus(ByPitch(170), metadata, corpus, tmp_path, part="test", force=True)[0]["clips"] == 4


def test_the_corpus_that_it_has_learnt_from_is_refused(at_home, metadata, tmp_path):
    with pytest.raises(Leak, match=r"trained on 12 of the 12 clips .*the recording itself.*--allow-known"):
        evaluate_corpus(ByPitch(170), metadata, at_home[0], tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_known_clips_alone_leave_nothing_to_judge_by(at_home, metadata, tmp_path):
    with pytest.raises(ValueError, match=r"trained on all \d+ clips or on their speakers.*: name other recordings"):
        evaluate_corpus(ByPitch(170), metadata, at_home[0], tmp_path / "run", allow_known=True)


@pytest.mark.usefixtures("undrawn")
def test_known_clips_are_left_out_and_counted(at_home, corpus, metadata, tmp_path):
    """A corpus of the old clips and of new ones, under new names and in another format."""
    for source, folder in ((at_home[0], "old"), (corpus, "new")):
        for file in source.rglob("*.wav"):
            copy = tmp_path / "both" / file.relative_to(source).parts[0].split()[0] / f"{folder} {file.stem}.flac"
            copy.parent.mkdir(parents=True, exist_ok=True)
            sf.write(copy, *sf.read(file, dtype="int16"))
    found, _ = evaluate_corpus(ByPitch(170), metadata, tmp_path / "both", tmp_path / "run", allow_known=True)
    assert found["clips"] == 14
    assert found["notes"] == ["12 of 26 clips are left out: the model was trained on them or on their speakers."]


@pytest.mark.usefixtures("undrawn")
def test_a_store_knows_whose_names_its_speakers_have(corpus, metadata, tmp_path):
    """Measured as of `home`, wherever it lies: female/f000 is the one that the model has heard there."""
    folder, recipe = tmp_path / "clips", recipe_named("frames")
    extract(corpora.tutorial_folders(corpus), folder, recipe=recipe, corpus="home")
    with pytest.raises(Leak, match="speaker 'female/f000'"):
        evaluate_corpus(ByPitch(170), metadata, folder, tmp_path / "run")


@pytest.mark.usefixtures("undrawn")
def test_a_speaker_is_known_by_the_corpus_whose_name_it_is(abroad, metadata, tmp_path):
    """The model has heard female/f000 of `home`; hers of this corpus is somebody else, unless the names are home's."""
    assert evaluate_corpus(ByPitch(170), metadata, abroad, tmp_path / "apart")[0]["notes"] == []
    with pytest.raises(Leak, match="speaker 'female/f000'"):
        evaluate_corpus(ByPitch(170), metadata, abroad, tmp_path / "same", speakers_of="home")


@pytest.mark.usefixtures("undrawn")
def test_what_was_measured_before_is_taken_as_it_is(abroad, corpus, metadata, tmp_path):
    again = evaluate_corpus(ByPitch(170), metadata, abroad, tmp_path / "again")
    anew = evaluate_corpus(ByPitch(170), metadata, corpus, tmp_path / "anew")
    assert again[0] | {"notes": []} == anew[0] | {"notes": []}
    assert not (tmp_path / "again" / "clips").exists()


def test_clips_measured_otherwise_are_refused(corpus, metadata, tmp_path):
    deltas = extract(
        corpora.tutorial_folders(corpus), tmp_path / "clips", recipe=recipe_named("frames", deltas=True)
    ).out
    with pytest.raises(ValueError, match=r"not measured as the model's clips were \(.*parameter deltas True and False"):
        evaluate_corpus(ByPitch(170), metadata, deltas, tmp_path / "run")


@pytest.mark.usefixtures("undrawn")
def test_clips_measured_by_another_version_are_told(abroad, metadata, tmp_path):
    older = metadata["recipe"]["versions"] | {"librosa": "0.10.2"}
    with pytest.warns(UserWarning, match=r"by other versions: librosa .* and 0\.10\.2"):
        evaluate_corpus(ByPitch(170), metadata | {"recipe": metadata["recipe"] | {"versions": older}}, abroad, tmp_path)


def test_a_model_that_does_not_say_what_it_learnt_from_is_refused(metadata, corpus, tmp_path):
    bare = {k: v for k, v in metadata.items() if k not in ("baselines", "trained_on")}
    with pytest.raises(ValueError, match="the model's metadata lacks baselines, trained_on"):
        evaluate_corpus(ByPitch(170), bare, corpus, tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_a_run_that_was_stopped_is_gone_on_with_and_a_finished_one_kept(corpus, metadata, tmp_path):
    told: list[str] = []
    clips, recipe = corpora.tutorial_folders(corpus), recipe_named("frames")
    extract(clips, tmp_path / "clips", recipe=recipe, corpus=corpus.name)  # and then it was stopped
    evaluate_corpus(ByPitch(170), metadata, corpus, tmp_path, say=told.append)
    assert told[1].startswith("nothing to do")
    with pytest.raises(FileExistsError, match="--force"):
        evaluate_corpus(ByPitch(170), metadata, corpus, tmp_path)
    evaluate_corpus(ByPitch(170), metadata, corpus, tmp_path, force=True, say=told.append)
    assert told[3].startswith("nothing to do")  # the report is made anew, and nothing is measured again


def librispeech(root: Path, utterances: list[Path]) -> Path:
    """Recordings in LibriSpeech's layout, a reader each, men with odd numbers."""
    lines = [f"{n} | {'FM'[n % 2]} | train-clean-100 | 1 | Reader {n}" for n in range(1, len(utterances) + 1)]
    root.mkdir()
    (root / "SPEAKERS.TXT").write_text("\n".join(lines) + "\n")
    for n, source in enumerate(utterances, start=1):
        place = root / "train-clean-100" / str(n) / "7"
        place.mkdir(parents=True)
        samples, rate = sf.read(source)
        sf.write(place / f"{n}-7-{root.name}.flac", samples[: len(samples) // 2], rate)
    return root


@pytest.mark.usefixtures("undrawn")
def test_a_reader_is_known_again_from_features_to_evaluate_whatever_the_folders_are_called(
    lstm_engine, corpus, tmp_path
):
    """Two folders with other recordings of the same LibriSpeech readers: one is learnt from, the other is refused."""
    files = {sex: sorted((corpus / sex).rglob("*.wav"))[:5] for sex in ("Male", "Female")}
    readers = [path for pair in zip(files["Male"], files["Female"], strict=True) for path in pair]
    here, there = librispeech(tmp_path / "here", readers), librispeech(tmp_path / "there", readers[::-1][::-1])
    assert lstm_engine("features", here, "--recipe", "frames", "--out", tmp_path / "h").code == 0
    assert lstm_engine("train", tmp_path / "h", "--epochs", 1, "--units", 2, "--out", tmp_path / "run").code == 0
    for path in (there / "train-clean-100").rglob("*.flac"):  # other sound by the same reader
        samples, rate = sf.read(path)
        sf.write(path, samples[::-1], rate)
    model = tmp_path / "run" / "model.safetensors"
    assert lstm_engine("features", there, "--recipe", "frames", "--out", tmp_path / "t").code == 0
    for other in (there, tmp_path / "t"):
        outcome = lstm_engine("evaluate", "--corpus", other, "--model", model, "--out", tmp_path / f"e{other.name}")
        assert outcome.code == 2
        assert "the model was trained on" in outcome.err
        assert "speaker '" in outcome.err


@pytest.fixture(scope="session")
def voice(at_home, tmp_path_factory) -> Path:
    """A network of frames that has barely learnt. Not to be changed."""
    clips = read_clips(at_home[1])
    settings = clip_model.Settings(units=4, epochs=2, crop_s=0.5)
    model, _ = clip_model.train(clips, settings)
    path = tmp_path_factory.mktemp("voice") / "voice.safetensors"
    clip_model.save(model, path, clips, settings, **for_evaluation(clips, "home"))
    return path


@pytest.mark.usefixtures("undrawn")
def test_the_command_shows_baselines_errors_and_what_failed(lstm_engine, voice, corpus, tmp_path):
    for file in corpus.rglob("*.wav"):
        copy = tmp_path / "corpus" / file.relative_to(corpus)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    (tmp_path / "corpus" / "Male" / "broken.wav").write_text("no sound")
    outcome = lstm_engine("evaluate", "--corpus", tmp_path / "corpus", "--model", voice, "--out", tmp_path / "run")
    assert outcome.code == 1, outcome.err  # a clip failed
    assert "1 of 15 clips could not be measured and are not counted" in outcome.out
    assert "On 14 clips of 14 speakers" in outcome.out
    assert "logistic regression" in outcome.out
    table = pd.read_csv(tmp_path / "run" / "errors.csv")
    assert outcome.out.count("wrong: ") == min(len(table), 10)


@pytest.mark.usefixtures("undrawn")
def test_the_command_refuses_what_the_model_has_learnt_from(lstm_engine, voice, at_home, tmp_path):
    outcome = lstm_engine("evaluate", "--corpus", at_home[1], "--model", voice, "--out", tmp_path / "run")
    assert outcome.code == 2
    assert outcome.err.startswith("error: the model was trained on 12 of the 12 clips")


@pytest.mark.usefixtures("undrawn")
def test_the_command_gives_json_alone(lstm_engine, voice, abroad, tmp_path):
    outcome = lstm_engine("evaluate", "--corpus", abroad, "--model", voice, "--out", tmp_path / "run", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["sides"]["LSTM"]["by_clip"]["male"]["of"] == 7


def test_a_store_where_tables_are_expected_is_told_from_them(lstm_engine, voice, abroad):
    outcome = lstm_engine("evaluate", abroad, "--model", voice)
    assert outcome.code == 2
    assert outcome.err.strip() == f"error: {abroad} holds frames, not tables: evaluate --corpus {abroad}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name a folder of tables, or recordings with --corpus"),
        (("tables", "--corpus", "x"), "name a folder of tables, or recordings with --corpus"),
        (("tables", "--allow-known"), "--allow-known can go with --corpus only"),
    ],
)
def test_the_command_says_what_goes_together(lstm_engine, voice, arguments, words):
    outcome = lstm_engine("evaluate", "--model", voice, *arguments)
    assert (outcome.code, words in outcome.err) == (2, True)
