"""Makes the shipped model and its card: `python -m experiments.voices.pretrained.make CORPUS`.

Cross-validation over the training speakers gives the first figures and the temperature. The model is then trained on all of
them, in several random draws of which other corpora choose one, and evaluated once on the other speakers. All numbers in the
card come from these steps.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from rich.console import Console
from scipy.special import expit

from experiments.reports.run import to_json, versions
from experiments.reports.scores import balanced_accuracy
from experiments.voices import clip_model
from experiments.voices.baselines import f0_statistic
from experiments.voices.clip_model import SURE, ClipModel
from experiments.voices.cross_corpus import for_evaluation
from experiments.voices.evaluation import evaluate_model, fit_temperature
from experiments.voices.measure import corpus_source
from experiments.voices.pretrained import SHIPPED
from experiments.voices.search import CHOSEN, LEARNT, by_baselines, by_network, figures, measured
from features.clips import Clips
from features.leaks import refuse_leaks
from lstm_engine.files import write_atomically

SEEDS = 5
DRAWS = 8  # trainings on all speakers from which the judges choose
OVERLAP_HZ = (145.0, 175.0)
LARGEST = 500_000  # bytes: it travels with the package


def make(
    corpus: str | Path, work: str | Path, out: str | Path = SHIPPED, seeds: int = SEEDS,
    say: Callable[[str], None] = lambda text: None, judges: Sequence[str | Path] = (),
) -> dict[str, Any]:  # fmt: skip
    """Write the model to `out` and CARD.md beside it; returns the figures. work: folder for the measured features.

    judges: tables of other corpora, in folders of their own, which choose among DRAWS draws and on which nothing is trained;
    without any the first draw is taken.

    Raises ValueError if the corpus has no split "train" or no other speakers, if both sides share a speaker or a recording,
    or if the file would be larger than LARGEST.
    """
    splits = {clip.split for clip in corpus_source(corpus).clips}
    if "train" not in splits or splits == {"train"}:
        raise ValueError(f"{corpus}: the model is trained on the split `train` and tested on the rest; both are needed")
    say("measuring the clips and their randomly changed variants ...")
    variants = measured(corpus, work)
    rows = variants[0].splits == "train"
    learn, test = [v.take(rows) for v in variants], variants[0].take(~rows)
    refuse_leaks(learn[0], test)
    others = {Path(j).parent.name: measured(j, f"{work}_{Path(j).parent.name}", variants=0)[0] for j in judges}
    say(f"{seeds} x 5 networks on folds of {len(set(learn[0].speakers))} training speakers ...")
    folds = cross_validation(learn, seeds)
    say("the network on all training speakers ...")
    model, draws = best_draw(learn, others)
    metadata = {"temperature": folds["temperature"], "uncertain": SURE, **for_evaluation(learn[0], "librispeech")}
    tested, _ = evaluate_model(model, metadata, test)
    data = {"corpus": "LibriSpeech train-clean-100 (CC BY 4.0)"} | who(learn[0])
    clip_model.save(model, out, learn[0], CHOSEN, **metadata, data=data, versions=versions())
    if (size := Path(out).stat().st_size) > LARGEST:
        Path(out).unlink()
        raise ValueError(f"the model would be {size:,} bytes, above the {LARGEST:,} that may be shipped")
    text = card(folds, tested, who(learn[0]), who(test), size, draws)
    write_atomically(Path(out).with_name("CARD.md"), text.encode())
    return {"folds": folds, "test": tested, "bytes": size, "draws": draws}


def best_draw(learn: Sequence[Clips], judges: dict[str, Clips]) -> tuple[ClipModel, dict[str, list[float]]]:
    """The network of the draw with the highest mean over the judges, and each judge's balanced accuracy of every draw."""
    models = [
        clip_model.train(learn[0], CHOSEN, seed, learn[1 : 1 + LEARNT])[0] for seed in range(DRAWS if judges else 1)
    ]
    draws = {
        name: [balanced_accuracy(clips.labels, (m.log_odds(clips) > 0).astype(int)) for m in models]
        for name, clips in judges.items()
    }
    return models[chosen(draws)], draws


def chosen(draws: dict[str, list[float]]) -> int:
    return int(np.argmax(np.mean([*draws.values()], axis=0))) if draws else 0


def who(clips: Clips) -> dict[str, int]:
    """The number of clips, and of speakers of each sex."""
    speakers = {(s, label) for s, label in zip(clips.speakers, clips.labels.tolist(), strict=True)}
    counts = [sum(label == k for _, label in speakers) for k in (1, 0)]
    return {"clips": len(clips), "male": counts[0], "female": counts[1]}


def cross_validation(variants: Sequence[Clips], seeds: int) -> dict[str, Any]:
    """Figures of the network and of both baselines on the same folds, and the temperature fitted on all held-out answers.

    lead: the network's balanced accuracy minus the logistic regression's. abstains: the share of uncertain answers; answered:
    the accuracy of the others. overlap, apart: the accuracy on clips with a median F0 within OVERLAP_HZ, and on the others.
    """
    labels = variants[0].labels
    scores = [by_network(variants, CHOSEN, LEARNT, seed) for seed in range(seeds)]
    baselines = [by_baselines(variants, seed) for seed in range(seeds)]
    result: dict[str, Any] = {"LSTM": figures(labels, scores)}
    result |= {name: figures(labels, [of_seed[name] for of_seed in baselines]) for name in baselines[0]}
    z, y = np.concatenate([on_clips for on_clips, *_ in scores]), np.tile(labels, seeds)
    temperature = fit_temperature(z, y)
    p = expit(np.abs(z) / temperature)
    sure, right = p >= SURE, (z > 0) == y
    f0 = np.tile(f0_statistic(variants[0]), seeds)
    within = (f0 >= OVERLAP_HZ[0]) & (f0 <= OVERLAP_HZ[1])
    return result | {
        "lead": result["LSTM"]["clips"] - result["logistic regression"]["clips"],
        "temperature": temperature,
        "overlap": share(right[within]),
        "apart": share(right[~within]),
        "abstains": float(1 - sure.mean()),
        "answered": share(right[sure]),
    }


def share(right: np.ndarray) -> float | None:
    """The share of right answers; None without answers."""
    return float(right.mean()) if len(right) else None


def share_words(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def choice(draws: dict[str, list[float]]) -> str:
    """The card's sentence on how the weights were chosen; draws: see `best_draw`."""
    if not draws:
        return "The weights are those of the first random draw."
    names, best = " and ".join(draws), [f"{each[chosen(draws)]:.3f}" for each in draws.values()]
    ranges = [f"{min(each):.3f} to {max(each):.3f}" for each in draws.values()]
    return (
        f"The weights are those of the draw, of {DRAWS}, with the highest balanced accuracy on {names} together, sets on "
        f"which nothing was trained: draw {chosen(draws)}, with {' and '.join(best)} (the draws have "
        f"{' and '.join(ranges)}), so that these figures are slightly too good."
    )


def card(
    folds: dict[str, Any], tested: dict[str, Any], learnt: dict[str, int], test: dict[str, int], size: int,
    draws: dict[str, list[float]],
) -> str:  # fmt: skip
    """The text of CARD.md."""
    lines = []
    for name, side in tested["sides"].items():
        kind = "logistic regression" if name.startswith("logistic") else "LSTM" if name == "LSTM" else "threshold on F0"
        by, (low, high) = side["by_clip"], side["by_clip"]["interval_95"]
        lines.append(
            f"| {name} | {folds[kind]['clips']:.3f} ({min(folds[kind]['each']):.3f} to {max(folds[kind]['each']):.3f}) "
            f"| {folds[kind]['changed']:.3f} | {by['balanced_accuracy']:.3f} ({low:.3f} to {high:.3f}) "
            f"| {by['male']['right']} of {by['male']['of']}, {by['female']['right']} of {by['female']['of']} |"
        )
    errors = [
        f"| {row['path']} | {row['speaker']} | {row['sex']} | {row['p']:.2f} | {row['f0_hz']:.0f} | {row['remark']} |"
        for row in tested["errors"]
    ]
    after = tested["calibration"]["after"]
    regression = tested["sides"]["logistic regression"]["by_clip"]
    lead, (lead_low, lead_high) = regression["model_leads_by"], regression["model_leads_by_95"]
    return CARD.format(
        size=f"{size:,}", learnt=LEARNT, choice=fill(choice(draws), 126), seeds=len(folds["LSTM"]["each"]),
        settings=CHOSEN,
        train_clips=learnt["clips"], train_male=learnt["male"], train_female=learnt["female"],
        test_clips=test["clips"], test_male=test["male"], test_female=test["female"],
        all_clips=learnt["clips"] + test["clips"],
        table="\n".join(lines), errors="\n".join(errors) or "| none | | | | | |",
        lead=f"{folds['lead']:.3f}", low_hz=OVERLAP_HZ[0], high_hz=OVERLAP_HZ[1],
        overlap=share_words(folds["overlap"]), apart=share_words(folds["apart"]),
        temperature=f"{folds['temperature']:.2f}", sure=SURE,
        test_lead=f"{lead:.3f}", test_lead_low=f"{lead_low:.3f}", test_lead_high=f"{lead_high:.3f}",
        abstains=f"{folds['abstains']:.1%}", answered=share_words(folds["answered"]),
        ece=f"{after['expected_calibration_error']:.3f}", brier=f"{after['brier']:.3f}",
        test_abstains=tested["abstentions"]["uncertain"],
    )  # fmt: skip


CARD = """# The shipped voice model

The model says whether a recorded voice sounds male or female. A bidirectional LSTM reads 23 numbers every 20 ms (log F0,
voicing, energy, 20 MFCC) and answers at every frame; the answer for a clip is the mean of its frames' log-odds. The file has
{size} bytes (safetensors), and NumPy is enough to run it. One command made the model and this card:

```
python -m experiments.voices.pretrained.make $LSTM_ENGINE_DATA/librispeech_251/metadata.csv \\
    --judge $LSTM_ENGINE_DATA/nemo_acted/metadata.csv --judge $LSTM_ENGINE_DATA/baved_words/metadata.csv
```

**Data.** {train_clips} clips of LibriSpeech train-clean-100 (Panayotov et al. 2015, CC BY 4.0, http://www.openslr.org/12),
one clip a reader, {train_male} labelled male and {train_female} female, and {learnt} randomly changed variants of each clip
(`features.augment`). They are English audiobooks, read by adults; the labels are the corpus's. The model contains no
recordings, only an 8-byte fingerprint of each training clip and speaker, by which `evaluate` recognises them.

**How good.** Balanced accuracy. Folds: five-fold cross-validation over the training speakers, mean and range of {seeds} draws
of folds and weights. "Changed" are the same clips, randomly changed as in training, by draws that no network was trained on.
All settings were chosen by these folds.
{choice}
New readers: {test_clips} clips, {test_male} male and {test_female} female, with a 95 % bootstrap interval. They had no part
in choosing the network or its training, with three exceptions: an earlier, short training and the baselines were evaluated on
them; the rule that finds speech was made on all {all_clips} clips; and the decision to leave out the pauses at both ends of a
clip was made on these readers, with another network.

| | folds | folds, changed | new readers | right: male, female |
|---|---|---|---|---|
{table}

Because the folds chose the settings, their figures are slightly too good. On the same folds the LSTM leads the logistic
regression by {lead}; on the new readers by {test_lead} (95 % interval {test_lead_low} to {test_lead_high}). Among the clips
of the folds with a median F0 from {low_hz:.0f} to {high_hz:.0f} Hz, where the sexes overlap, the LSTM is right on {overlap};
among the others on {apart}.

**How certain.** The log-odds are divided by {temperature}, a temperature fitted on the answers of the folds. On the new
readers the expected calibration error is then {ece} and the Brier score {brier}. If the likelier sex has a probability below
{sure}, the answer is "uncertain": {abstains} of the clips of the folds (on the others the answer is right in {answered}), and
{test_abstains} of the {test_clips} clips of the new readers.

**Errors among the new readers.** p is the probability of male.

| clip | speaker | label | p | median F0, Hz | |
|---|---|---|---|---|---|
{errors}

**Limits.** One corpus, one language, one style of speech, adults. The model was not evaluated on children, on trans or
non-binary speakers, on whispering, singing, or illness of the voice. If the microphone, language or style differs from the
training clips, expect more errors than the probabilities say. A label from a voice is a guess about a recording, not a fact
about a person: decide nothing about anyone by it.

Settings: `{settings}`.
"""


def main() -> None:
    """Make the shipped model and its card again."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.pretrained.make", description=main.__doc__)
    parser.add_argument("corpus", help="librispeech_251/metadata.csv: a corpus whose splits are train and others")
    parser.add_argument("--work", default="runs/voice_search", help="folder for the measured features")
    parser.add_argument("--out", default=str(SHIPPED), help="the model's file; CARD.md is written beside it")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many random draws of folds and weights")
    parser.add_argument("--judge", action="append", default=[], help="table of another corpus that chooses the draw")
    options = parser.parse_args()
    try:
        say = Console(stderr=True).print
        result = make(options.corpus, options.work, options.out, options.seeds, say, options.judge)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(to_json(result))


if __name__ == "__main__":
    main()
