"""Makes the shipped model and its card: `python -m experiments.voices.pretrained.make CORPUS`.

Cross-validation over the training speakers gives the first figures, the temperature and the limit of "uncertain". The model
is then trained on all of them, heard on the corpora that chose its recipe, and evaluated once on the other speakers. All
numbers in the card come from these steps.
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
from experiments.voices.clip_model import ClipModel
from experiments.voices.cross_corpus import for_evaluation
from experiments.voices.evaluation import evaluate_model, fit_temperature
from experiments.voices.joined import settings_of
from experiments.voices.measure import corpus_source
from experiments.voices.pretrained import SHIPPED
from experiments.voices.search import CHOSEN, by_baselines, by_network, figures, means, measured, other_corpora, shares
from features.clips import Clips
from features.leaks import refuse_leaks
from lstm_engine.files import write_atomically

SEEDS = 5
LIMITS = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5)  # below which probability the answer is "uncertain"
ANSWERED = 0.93  # the share of the folds' clips that get an answer; of other corpora's some 0.1 less
OVERLAP_HZ = (145.0, 175.0)
LARGEST = 300_000  # bytes: it travels with the package


def make(
    corpus: str | Path, work: str | Path, out: str | Path = SHIPPED, seeds: int = SEEDS,
    say: Callable[[str], None] = lambda text: None, judges: Sequence[str | Path] = (),
) -> dict[str, Any]:  # fmt: skip
    """Write the model to `out` and CARD.md beside it; returns the figures. work: folder for the measured features.

    judges: tables of the other corpora that chose the recipe, in folders of their own: the card has their figures, and
    nothing is trained on them.

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
    others = other_corpora(judges, work)
    say(f"{seeds} x 5 networks on folds of {len(set(learn[0].speakers))} training speakers ...")
    folds = cross_validation(learn, seeds)
    say("the network on all training speakers ...")
    models = [CHOSEN.trained(learn, seed) for seed in range(seeds if others else 1)]
    sure = {"temperature": folds["temperature"], "uncertain": folds["uncertain"]}
    metadata = {**sure, **for_evaluation(learn[0], "librispeech")}
    heard = {name: on_judge(models, clips, metadata) for name, clips in others.items()}
    tested, _ = evaluate_model(models[0], metadata, test)
    data = {"corpus": "LibriSpeech train-clean-100 (CC BY 4.0)"} | who(learn[0])
    settings = settings_of(CHOSEN.settings, CHOSEN.members)
    clip_model.save(models[0], out, learn[0], settings, **metadata, data=data, versions=versions())
    if (size := Path(out).stat().st_size) > LARGEST:
        Path(out).unlink()
        raise ValueError(f"the model would be {size:,} bytes, above the {LARGEST:,} that may be shipped")
    text = card(folds, tested, who(learn[0]), who(test), size, heard)
    write_atomically(Path(out).with_name("CARD.md"), text.encode())
    return {"folds": folds, "test": tested, "bytes": size, "judges": heard}


def on_judge(models: Sequence[ClipModel], clips: Clips, metadata: dict[str, Any]) -> dict[str, Any]:
    """Figures on another corpus: the means over all draws and the balanced accuracy of `each`, the `shipped` draw's, and the
    two baselines'.
    """
    z = [model.log_odds(clips) for model in models]
    of_seeds = [shares(clips.labels, one) | answered(one, clips.labels, **only_sure(metadata)) for one in z]
    baselines = Baselines.from_json(metadata["baselines"]).scores(clips)
    return means(of_seeds) | {
        "each": [one["balanced_accuracy"] for one in of_seeds],
        "shipped": of_seeds[0],
        "baselines": {name: shares(clips.labels, scores) for name, scores in baselines.items()},
    }


def only_sure(metadata: dict[str, Any]) -> dict[str, float]:
    return {name: metadata[name] for name in ("temperature", "uncertain")}


def answered(z: np.ndarray, labels: np.ndarray, temperature: float, uncertain: float) -> dict[str, float]:
    """The share of clips that get an answer, the share of errors among these, and among all clips."""
    sure, wrong = expit(np.abs(z) / temperature) >= uncertain, (z > 0) != labels
    errors = float(wrong[sure].mean()) if sure.any() else 0.0
    return {"answered": float(sure.mean()), "errors_answered": errors, "errors": float(wrong.mean())}


def fit_uncertain(z: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """The highest of LIMITS at which at least ANSWERED of the clips, with log-odds z (N,), get an answer."""
    return next(limit for limit in LIMITS if answered(z, labels, temperature, limit)["answered"] >= ANSWERED)


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
    scores = [by_network(variants, CHOSEN, seed) for seed in range(seeds)]
    baselines = [by_baselines(variants, seed) for seed in range(seeds)]
    result: dict[str, Any] = {"LSTM": figures(labels, scores)}
    result |= {name: figures(labels, [of_seed[name] for of_seed in baselines]) for name in baselines[0]}
    z, y = np.concatenate([on_clips for on_clips, *_ in scores]), np.tile(labels, seeds)
    temperature = fit_temperature(z, y)
    p = expit(np.abs(z) / temperature)
    uncertain = fit_uncertain(z, y, temperature)
    sure, right = p >= uncertain, (z > 0) == y
    f0 = np.tile(f0_statistic(variants[0]), seeds)
    within = (f0 >= OVERLAP_HZ[0]) & (f0 <= OVERLAP_HZ[1])
    return result | {
        "lead": result["LSTM"]["clips"] - result["logistic regression"]["clips"],
        "temperature": temperature,
        "uncertain": uncertain,
        "sexes": means([shares(labels, on_clips) for on_clips, *_ in scores]),
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


def judges_table(judges: dict[str, dict[str, Any]]) -> str:
    """The card's part on the corpora that chose the recipe; judges: see `on_judge`."""
    if not judges:
        return ""
    rows = []
    for name, one in judges.items():
        rows.append(
            f"| {name} | LSTM, the shipped draw | {share_columns(one['shipped'])} | {answered_columns(one['shipped'])} |"
        )
        rows.append(
            f"| | LSTM, {len(one['each'])} draws | {share_columns(one, one['each'])} | {answered_columns(one)} |"
        )
        rows += [f"| | {side} | {share_columns(shares)} | | |" for side, shares in one["baselines"].items()]
    return JUDGES.format(rows="\n".join(rows), names=" and ".join(f"`{name}`" for name in judges))


def share_columns(found: dict[str, float], each: Sequence[float] = ()) -> str:
    spread = f" ({min(each):.3f} to {max(each):.3f})" if each else ""
    return f"{found['balanced_accuracy']:.3f}{spread} | {found['male']:.3f}, {found['female']:.3f}"


def answered_columns(found: dict[str, float]) -> str:
    return f"{found['answered']:.3f} | {found['errors_answered']:.3f} of {found['errors']:.3f}"


def card(
    folds: dict[str, Any], tested: dict[str, Any], learnt: dict[str, int], test: dict[str, int], size: int,
    judges: dict[str, dict[str, Any]],
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
        size=f"{size:,}", learnt=CHOSEN.learnt, judges=judges_table(judges), seeds=len(folds["LSTM"]["each"]),
        settings=CHOSEN.settings, members=CHOSEN.members, options="".join(OPTION.format(name) for name in judges),
        fold_male=f"{folds['sexes']['male']:.3f}", fold_female=f"{folds['sexes']['female']:.3f}",
        train_clips=learnt["clips"], train_male=learnt["male"], train_female=learnt["female"],
        test_clips=test["clips"], test_male=test["male"], test_female=test["female"],
        all_clips=learnt["clips"] + test["clips"],
        table="\n".join(lines), errors="\n".join(errors) or "| none | | | | | |",
        lead=f"{folds['lead']:.3f}", low_hz=OVERLAP_HZ[0], high_hz=OVERLAP_HZ[1],
        overlap=share_words(folds["overlap"]), apart=share_words(folds["apart"]),
        temperature=f"{folds['temperature']:.2f}", sure=folds["uncertain"], least_answered=ANSWERED,
        test_lead=f"{lead:.3f}", test_lead_low=f"{lead_low:.3f}", test_lead_high=f"{lead_high:.3f}",
        abstains=f"{folds['abstains']:.1%}", answered=share_words(folds["answered"]),
        ece=f"{after['expected_calibration_error']:.3f}", brier=f"{after['brier']:.3f}",
        test_abstains=tested["abstentions"]["uncertain"],
    )  # fmt: skip


OPTION = " --judge $LSTM_ENGINE_DATA/{}/metadata.csv"

JUDGES = """**Other corpora.** {names} chose the recipe together with the folds, by the worst balanced accuracy of
these sets. Nothing was trained on them, and they chose no weights: the shipped draw is the first. Since they chose, their
figures are slightly too good. "Answered" counts by the probability alone: `evaluate` and `predict` also abstain where less
than 0.3 s is voice, as in many single words.

| corpus | | balanced accuracy | right: male, female | answered | errors among these, of all |
|---|---|---|---|---|---|
{rows}

"""

CARD = """# The shipped voice model

The model says whether a recorded voice sounds male or female. A bidirectional LSTM, {members} networks joined into one, reads
23 numbers every 20 ms (log F0, voicing, energy, 20 MFCC) and answers at every frame; the answer for a clip is the mean of its
frames' log-odds. The file has {size} bytes (safetensors), and NumPy is enough to run it. One command made the model and
this card:

```
python -m experiments.voices.pretrained.make $LSTM_ENGINE_DATA/librispeech_251/metadata.csv{options}
```

**Data.** {train_clips} clips of LibriSpeech train-clean-100 (Panayotov et al. 2015, CC BY 4.0, http://www.openslr.org/12),
one clip a reader, {train_male} labelled male and {train_female} female, and {learnt} randomly changed variants of each clip
(`features.augment`); in many of the stretches that the networks hear, the pitch is moved or missing
(`clip_model.disguised`). The clips are English audiobooks, read by adults; the labels are the corpus's. The model contains no
recordings, only an 8-byte fingerprint of each training clip and speaker, by which `evaluate` recognises them.

**How good.** Balanced accuracy. Folds: five-fold cross-validation over the training speakers, mean and range of {seeds} draws
of folds and weights. "Changed" are the same clips, randomly changed as in training, by draws that no network was trained on.
Of the clips of the folds, {fold_male} of the men's and {fold_female} of the women's are right.

{judges}**New readers.** {test_clips} clips, {test_male} male and {test_female} female, with a 95 % bootstrap interval.
They had no part in choosing the network or its training, with four exceptions: an earlier, short training, the baselines
and earlier models were evaluated on them; the rule that finds speech was made on all {all_clips} clips; and the decision
to leave out the pauses at both ends of a clip was made on these readers, with another network.

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
{test_abstains} of the {test_clips} clips of the new readers. The limit is the highest, in steps of 0.05, at
which at least {least_answered} of the clips of the folds get an answer.

**Errors among the new readers.** p is the probability of male.

| clip | speaker | label | p | median F0, Hz | |
|---|---|---|---|---|---|
{errors}

**Limits.** Trained on one corpus, one language, one style of speech, adults. The model was not evaluated on children,
on trans or non-binary speakers, on whispering, singing, or illness of the voice. If the microphone, language or style
differs from the training clips, expect more errors than the probabilities say. A label from a voice is a guess about a
recording, not a fact about a person: decide nothing about anyone by it.

Settings of each of the {members} networks: `{settings}`.
"""


def main() -> None:
    """Make the shipped model and its card again."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.pretrained.make", description=main.__doc__)
    parser.add_argument("corpus", help="librispeech_251/metadata.csv: a corpus whose splits are train and others")
    parser.add_argument("--work", default="runs/voice_search", help="folder for the measured features")
    parser.add_argument("--out", default=str(SHIPPED), help="the model's file; CARD.md is written beside it")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many random draws of folds and weights")
    parser.add_argument("--judge", action="append", default=[], help="table of another corpus that chose the recipe")
    options = parser.parse_args()
    try:
        say = Console(stderr=True).print
        result = make(options.corpus, options.work, options.out, options.seeds, say, options.judge)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(to_json(result))


if __name__ == "__main__":
    main()
