"""Makes the shipped model and its card: `python -m experiments.voices.pretrained.make CORPUS`.

By folds of the training speakers it is judged, and its temperature fitted; on all training speakers it is then trained;
the other speakers are asked once, at the end. The card is written from those numbers and from nothing else.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy.special import expit

from experiments.reports.run import to_json, versions
from experiments.voices import clip_model
from experiments.voices.baselines import Baselines, f0_statistic
from experiments.voices.calibration import fit_temperature
from experiments.voices.clip_model import SURE
from experiments.voices.evaluation import evaluate_clips
from experiments.voices.pretrained import SHIPPED
from experiments.voices.search import CHOSEN, LEARNT, by_baselines, by_network, figures, measured
from features.clips import Clips
from features.leaks import prints, refuse_leaks
from lstm_engine.files import write_atomically

SEEDS = 5
OVERLAP_HZ = (145.0, 175.0)
LARGEST = 500_000  # bytes: it travels with the package


def make(
    corpus: str | Path, work: str | Path, out: str | Path = SHIPPED, seeds: int = SEEDS,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:  # fmt: skip
    """The model in the file `out`, CARD.md beside it; returns the figures. `work` keeps what is measured on the corpus.

    ValueError when the corpus has no split "train" or nobody outside it, when the sides share a speaker or a recording, or
    when the file would be larger than LARGEST.
    """
    say("measuring the clips, as they are and changed at random ...")
    variants = measured(corpus, work)
    rows = variants[0].splits == "train"
    if not rows.any() or rows.all():
        raise ValueError(f"{corpus}: the model is trained on the split `train` and tested on the rest; both are needed")
    learn, test = [v.take(rows) for v in variants], variants[0].take(~rows)
    refuse_leaks(learn[0], test)
    say(f"{seeds} x 5 networks on folds of {len(set(learn[0].speakers))} training speakers ...")
    folds = cross_validation(learn, seeds)
    say("the network on all training speakers ...")
    model, _ = clip_model.train(learn[0], CHOSEN, variants=learn[1 : 1 + LEARNT])
    baselines = Baselines.fit(learn[0])
    scores = {"LSTM": model.log_odds(test)} | baselines.scores(test)
    band = (1 - SURE, SURE)
    tested, _ = evaluate_clips(scores, test, folds["temperature"], band, baselines.f0.hz)
    told = {
        "temperature": folds["temperature"],
        "uncertain": SURE,
        "baselines": baselines.as_json(),
        "trained_on": prints(learn[0], "librispeech"),
        "data": {"corpus": "LibriSpeech train-clean-100 (CC BY 4.0)"} | who(learn[0]),
        "versions": versions(),
    }
    clip_model.save(model, out, learn[0], CHOSEN, **told)
    if (size := Path(out).stat().st_size) > LARGEST:
        Path(out).unlink()
        raise ValueError(f"the model would be {size:,} bytes, above the {LARGEST:,} that may be shipped")
    text = card(folds, tested, who(learn[0]), who(test), size)
    write_atomically(Path(out).with_name("CARD.md"), text.encode())
    return {"folds": folds, "test": tested, "bytes": size}


def who(clips: Clips) -> dict[str, int]:
    """How many clips, how many speakers of each sex."""
    speakers = {(s, label) for s, label in zip(clips.speakers, clips.labels.tolist(), strict=True)}
    counts = [sum(label == k for _, label in speakers) for k in (1, 0)]
    return {"clips": len(clips), "male": counts[0], "female": counts[1]}


def cross_validation(variants: Sequence[Clips], seeds: int) -> dict[str, Any]:
    """Figures of the network and of both baselines on the same folds, and the temperature that fits all held-out answers.

    "lead" is the network's balanced accuracy less the logistic regression's; "abstains" the share of clips within the band
    of uncertainty, "answered" the accuracy on the others; "overlap" and "apart" that on clips with a median F0 in OVERLAP_HZ
    and on those without.
    """
    labels = variants[0].labels
    scores = [by_network(variants, CHOSEN, LEARNT, seed) for seed in range(seeds)]
    baselines = [by_baselines(variants, seed) for seed in range(seeds)]
    result: dict[str, Any] = {"LSTM": figures(labels, scores)}
    result |= {name: figures(labels, [own[name] for own in baselines]) for name in baselines[0]}
    z, y = np.concatenate([own[0] for own in scores]), np.tile(labels, seeds)
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
    """Of right answers; None of none."""
    return float(right.mean()) if len(right) else None


def told_share(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def card(folds: dict[str, Any], tested: dict[str, Any], learnt: dict[str, int], test: dict[str, int], size: int) -> str:
    """CARD.md, from the numbers."""
    lines = []
    for name, own in tested["sides"].items():
        kind = "logistic regression" if name.startswith("logistic") else "LSTM" if name == "LSTM" else "threshold on F0"
        by, (low, high) = own["by_clip"], own["by_clip"]["interval_95"]
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
        size=f"{size:,}", learnt=LEARNT, seeds=len(folds["LSTM"]["each"]),
        settings=CHOSEN,
        train_clips=learnt["clips"], train_male=learnt["male"], train_female=learnt["female"],
        test_clips=test["clips"], test_male=test["male"], test_female=test["female"],
        all_clips=learnt["clips"] + test["clips"],
        table="\n".join(lines), errors="\n".join(errors) or "| none | | | | | |",
        lead=f"{folds['lead']:.3f}", low_hz=OVERLAP_HZ[0], high_hz=OVERLAP_HZ[1],
        overlap=told_share(folds["overlap"]), apart=told_share(folds["apart"]),
        temperature=f"{folds['temperature']:.2f}", sure=SURE,
        test_lead=f"{lead:.3f}", test_lead_low=f"{lead_low:.3f}", test_lead_high=f"{lead_high:.3f}",
        abstains=f"{folds['abstains']:.1%}", answered=told_share(folds["answered"]),
        ece=f"{after['expected_calibration_error']:.3f}", brier=f"{after['brier']:.3f}",
        test_abstains=tested["abstentions"]["uncertain"],
    )  # fmt: skip


CARD = """# The shipped voice model

Tells from a recording whether a listener's two words for it would be male or female. A bidirectional LSTM reads 23 numbers
every 20 ms (log F0, voicing, energy, 20 MFCC), answers at every frame, and a clip takes the mean of the frames' log-odds.
{size} bytes of safetensors, NumPy enough to run it. Made by one command, which also wrote this card:

```
python -m experiments.voices.pretrained.make $LSTM_ENGINE_DATA/librispeech_251/metadata.csv
```

**Data.** {train_clips} clips of LibriSpeech train-clean-100 (Panayotov et al. 2015, CC BY 4.0, http://www.openslr.org/12),
one a reader: {train_male} labelled male, {train_female} female, and of each {learnt} variants changed at random
(`features.augment`). English audiobooks, read by adults. The labels are the corpus's own. No recording is shipped, and of
the training clips nothing but 8-byte prints, by which `evaluate` notices that it is asked about them.

**How good.** Balanced accuracy. Folds: five of the training speakers, {seeds} draws of folds and weights, mean and range;
"changed" are the same clips changed as in training, by draws that no network saw. All settings were chosen by the folds.
Unheard readers: {test_clips} clips, {test_male} male and {test_female} female, with a 95 % bootstrap interval. Neither the
network nor its training was chosen by them. But a first, short training and the baselines had been scored on them before; the
rule for what is speech was made while looking at all {all_clips} clips; and that the pauses at either end of a clip are left
out was decided on these readers, with another network.

| | folds | folds, changed | unheard readers | right: male, female |
|---|---|---|---|---|
{table}

The folds chose the settings, so their figure flatters a little. On the same folds the LSTM leads the logistic regression by
{lead}; on the unheard readers by {test_lead} (95 % interval {test_lead_low} to {test_lead_high}). Of the folds' answers
for clips with a median F0 from {low_hz:.0f} to {high_hz:.0f} Hz, where the sexes overlap, it is right in {overlap}, of
the others in {apart}.

**How sure.** Its log-odds are divided by {temperature}, fitted on the answers of the folds. On the unheard readers the
expected calibration error is then {ece}, the Brier score {brier}. Below {sure} for the likelier sex it says "uncertain": on
the folds in {abstains} of the clips, and is right in {answered} of the others; on the unheard readers in {test_abstains} of
{test_clips} clips.

**Wrong among the unheard readers.** p is the probability of male.

| clip | speaker | label | p | median F0, Hz | |
|---|---|---|---|---|---|
{errors}

**Limits.** One corpus, one language, one style of speech, adults. Not judged on children, on trans or non-binary speakers,
on whispering, singing, or illness of the voice. Where microphone, language or style are unlike anything in training, expect
it to be wrong more often than its probability says. A label from a voice is a guess about a recording, not a fact about a
person: decide nothing about anyone by it.

Settings: `{settings}`.
"""


def main() -> None:
    """python -m experiments.voices.pretrained.make CORPUS: the shipped model, and its card, made again."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.pretrained.make", description=main.__doc__)
    parser.add_argument("corpus", help="librispeech_251/metadata.csv: a corpus whose splits are train and others")
    parser.add_argument("--work", default="runs/voice_search", help="folder for what is measured")
    parser.add_argument("--out", default=str(SHIPPED), help="the model's file; CARD.md is written beside it")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="draws of folds and networks")
    options = parser.parse_args()
    try:
        result = make(options.corpus, options.work, options.out, options.seeds, Console(stderr=True).print)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(to_json(result))


if __name__ == "__main__":
    main()
