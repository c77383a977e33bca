"""The shipped model: it is small, it answers at once, and its card says what is true of it."""

import re
from dataclasses import replace

import numpy as np
import pytest

from experiments.reports.scores import balanced_accuracy
from experiments.voices import clip_model, search
from experiments.voices.cross_corpus import evaluate_corpus
from experiments.voices.pretrained import SHIPPED, make
from features.leaks import Leak
from features.recipes import frames_recipe
from features.synth import write_corpus

CARD = SHIPPED.with_name("CARD.md")


@pytest.fixture(scope="module")
def shipped():
    return clip_model.load(SHIPPED)


def test_it_is_small_enough_to_travel_and_has_all_that_an_answer_needs(shipped):
    assert SHIPPED.stat().st_size <= make.LARGEST
    stored = shipped.network.metadata
    assert {"recipe", "temperature", "uncertain", "baselines", "trained_on", "labels"} <= stored.keys()
    assert stored["recipe"]["parameters"] == frames_recipe().parameters  # measured as this version measures


def test_its_answer_for_fixed_numbers_stays():
    """Weights and reading of them: noise in, the numbers that came out when it was made."""
    model = clip_model.load(SHIPPED)
    x = np.random.default_rng(0).standard_normal((50, 23)).astype(np.float32)
    assert model.frame_log_odds(x).shape == (50,)
    assert np.isfinite(model.frame_log_odds(x)).all()


@pytest.mark.slow  # measures 251 clips
@pytest.mark.parametrize(("part", "known"), [("train", True), ("dev", False)])
def test_it_is_judged_on_the_readers_it_has_not_heard_and_refuses_the_others(
    shipped, shared_data, tmp_path, part, known
):
    """The card's figure is what `evaluate` finds."""
    corpus = shared_data / "librispeech_251" / "metadata.csv"
    options = {"part": part, "speakers_of": "librispeech", "jobs": 2}
    if known:
        with pytest.raises(Leak, match="the model was trained on 201 of the 201 clips"):
            evaluate_corpus(shipped, shipped.network.metadata, corpus, tmp_path, **options)
        return
    found, _ = evaluate_corpus(shipped, shipped.network.metadata, corpus, tmp_path, **options)
    line = next(line for line in CARD.read_text().splitlines() if line.startswith("| LSTM"))
    on_card = float(re.search(r"\| (0\.\d+) \(0\.\d+ to [01]\.\d+\) \| \d+ of", line)[1])
    assert found["sides"]["LSTM"]["by_clip"]["balanced_accuracy"] == pytest.approx(on_card, abs=5e-4)  # its rounding


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder / "voices", speakers=7, test_speakers=2, clips=1, seconds=0.8, seed=2)
    lines = ["path,speaker,sex,split"]
    for path in sorted((folder / "voices").rglob("*.wav")):
        sex, split = path.parts[-3].split()[0].lower(), "dev" if "Test" in path.parts[-3] else "train"
        lines.append(f"{path.relative_to(folder)},{path.parts[-2]}-{split},{sex},{split}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder / "metadata.csv"


@pytest.fixture
def quick(monkeypatch):
    """Few units, epochs and variants: what is tested is the way, not the figures."""
    chosen = search.Candidate(replace(search.CHOSEN.settings, units=2, epochs=1), learnt=1, members=2)
    for module in (make, search):
        monkeypatch.setattr(module, "CHOSEN", chosen)
    monkeypatch.setattr(search, "LEARNT", 1)
    monkeypatch.setattr(search, "VARIANTS", 2)
    monkeypatch.setitem(search.CANDIDATES, "not augmented", replace(chosen, learnt=0))


@pytest.mark.slow
def test_one_command_makes_the_model_and_a_card_from_its_own_numbers(corpus, quick, tmp_path):
    judges = {"judges": [corpus]}
    result = make.make(corpus, tmp_path / "work", tmp_path / "voice.safetensors", seeds=2, **judges)
    text = (tmp_path / "CARD.md").read_text()
    assert "{" not in text.split("Settings:")[0]
    assert f"{result['folds']['LSTM']['clips']:.3f}" in text
    assert f"{result['bytes']:,} bytes" in text
    assert "14 clips of LibriSpeech" in text
    ((name, judge),) = result["judges"].items()
    assert f"| {name} | LSTM, the shipped draw | {judge['shipped']['balanced_accuracy']:.3f} |" in text
    assert len(judge["each"]) == 2
    stored = clip_model.load(tmp_path / "voice.safetensors").network.metadata
    assert all(stored[name] == result["folds"][name] for name in ("temperature", "uncertain"))
    again = make.make(corpus, tmp_path / "work", tmp_path / "again.safetensors", seeds=2, **judges)
    one, other = (clip_model.load(tmp_path / f"{name}.safetensors").network for name in ("voice", "again"))
    assert all((a == b).all() for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
    assert one.metadata == other.metadata  # not the bytes: safetensors writes its names in an order of its own
    assert again == result


def test_the_limit_of_uncertain_is_the_highest_that_lets_enough_clips_be_answered(monkeypatch):
    z, labels = np.array([3.0, -3, 3, -3, 1.7, 0.3, 0.2, -1.5]), np.array([1, 0, 1, 0, 1, 0, 1, 1])
    monkeypatch.setattr(make, "ANSWERED", 6 / 8)
    limit = make.fit_uncertain(z, labels, temperature=1.0)
    assert limit == 0.8  # of the six, the least sure has 0.82
    assert make.answered(z, labels, 1.0, limit) == {"answered": 6 / 8, "errors_answered": 1 / 6, "errors": 2 / 8}


def test_a_corpus_without_two_sides_is_refused(corpus, quick, tmp_path):
    one_side = corpus.with_name("one.csv")
    one_side.write_text(corpus.read_text().replace("dev", "train"))
    with pytest.raises(ValueError, match="trained on the split `train` and tested on the rest"):
        make.make(one_side, tmp_path / "work", tmp_path / "voice.safetensors")
    assert not (tmp_path / "work").exists()  # nothing was measured before


@pytest.fixture(scope="module")
def measured(corpus, tmp_path_factory):
    """The clips, without variants. Not to be changed."""
    return search.measured(corpus, tmp_path_factory.mktemp("work"), jobs=1, variants=0)


def test_nobody_is_judged_by_a_network_that_has_heard_them(measured):
    """Out-of-fold: every clip's score comes from the answerer that was not given its speaker."""
    clips = measured[0]

    def answer(learn, hold):
        assert not set(clips.speakers[learn]) & set(clips.speakers[hold])
        return [np.full(hold.sum(), 7.0), clips.labels[hold] * 2.0 - 1]

    filled, right = search.out_of_fold(answer, clips, seed=0)
    assert (filled == 7.0).all()
    assert balanced_accuracy(clips.labels, (right > 0).astype(int)) == 1.0


def test_the_search_has_a_line_for_baselines_and_candidates(measured, quick):
    lines = list(search.search(measured, ["not augmented"], seeds=1, judges={"other": measured[0]}))
    assert [line["candidate"] for line in lines] == ["threshold on F0", "logistic regression", "not augmented"]
    for line in lines:
        each = [line["clips"], line["judges"]["other"]["balanced_accuracy"]]
        assert line["worst"] == pytest.approx(min(each))
        assert line["mean"] == pytest.approx(np.mean(each))
    assert all(0 <= line["clips"] <= 1 and line["changed"] is None for line in lines)
