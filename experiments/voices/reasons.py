"""Why a model is wrong on other voices: `python -m experiments.voices.reasons TABLE...`

Three questions, for any models of frames and any corpora that are listed in tables:
1. At which pitch, of which sex, in which manner of speaking are the errors?
2. Which inputs carry the decision? An input is silenced: at every frame the network reads the input's mean in its place.
3. How far does a pitch move until the answer turns, while the formants stay?

Writes reasons.json and three pictures into --out, and prints tables in Markdown. docs/voices.md shows them.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.reports import pictures
from experiments.reports.run import Run
from experiments.reports.scores import class_mean
from experiments.voices import clip_model, groups, moved_pitch, reasons_pictures
from experiments.voices.baselines import Baselines
from experiments.voices.clip_model import ClipModel, utterances
from experiments.voices.cross_corpus import measured, of_part
from experiments.voices.evaluation import clip_rows, rights
from experiments.voices.moved_pitch import SEMITONES
from experiments.voices.pretrained import SHIPPED
from experiments.voices.several_corpora import has_column, names
from features import corpora, extraction
from features.audio import content_hash, read_clip
from features.clips import Clips
from features.corpora import Utterance, speaker_table
from features.recipes import Recipe
from features.speech import FRAME_S, find_speech

EDGES_HZ = (0, 100, 120, 140, 160, 180, 200, 230, 260, 600)  # of the bins of median F0
MOST = 60  # clips of each sex and corpus whose pitch is moved
SPOKEN = 10  # of them spoken again by WORLD,
SPOKEN_S = 3.0  # for so many seconds from where the voice begins


@dataclass(frozen=True)
class Corpus:
    """Clips of a table, the recording of each clip, and its cell in the column that groups them, "" without such a column."""

    name: str
    utterances: list[Utterance]
    cells: dict[Path, str]

    @classmethod
    def read(cls, name: str, table: Path, part: str, by: str) -> "Corpus":
        listed = corpora.table(table)
        listed = [listed[n] for n in of_part([u.split for u in listed], part)]
        return cls(name, listed, speaker_table.column(table, by) if has_column(table, by) else {})

    def clips(self, recipe: Recipe, work: Path) -> tuple[Clips, list[Utterance]]:
        """What the recipe measures, kept in a folder of the recipe's own, and the recording of each."""
        key = content_hash(np.frombuffer(json.dumps(recipe.stamp(), sort_keys=True).encode(), np.uint8))[:8]
        folder = work / f"{self.name}-{key}"
        clips, _ = measured(self.utterances, folder, recipe, 1, lambda *of: None, lambda text: None, self.name, False)
        by_name = dict(zip(extraction.names(self.utterances), self.utterances, strict=True))
        return clips, [by_name[path] for path in clips.paths]


# -- the three questions -----------------------------------------------------------------------------------------------


def by_pitch(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """For each sex and each bin of the clips' median F0: the bin's ends in Hz, how many clips, how many right."""
    found = []
    bins = pd.cut(rows["f0_hz"], EDGES_HZ, right=False, labels=False)
    for (sex, place), group in rows.groupby(["sex", bins]):
        low, high = EDGES_HZ[int(place)], EDGES_HZ[int(place) + 1]
        found.append({"sex": sex, "low_hz": low, "high_hz": high, "right": int(group["right"].sum()), "of": len(group)})
    return found


@dataclass(frozen=True)
class Silenced:
    """A model's preparation after which some inputs have the same value in every frame."""

    prepare: Any
    inputs: Sequence[int]
    values: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = self.prepare(x)  # (T, D)
        y[:, self.inputs] = self.values[self.inputs]
        return y


def groups_of_inputs(columns: Sequence[str]) -> dict[str, list[int]]:
    """{name: numbers of the columns}: pitch, pitch with voicing, energy, the whole spectrum, and each column of it."""
    pitch, voicing, energy = (columns.index(name) for name in ("log_f0", "voicing", "energy_db"))
    spectrum = [n for n in range(len(columns)) if n not in (pitch, voicing, energy)]
    found = {"log_f0": [pitch], "log_f0 and voicing": [pitch, voicing], "energy": [energy], "whole spectrum": spectrum}
    return found | {columns[n]: [n] for n in spectrum}


def silenced(model: ClipModel, clips: Clips) -> dict[str, float]:
    """{what is silenced: balanced accuracy by clip}, first "nothing"."""
    prepared = np.concatenate([model.prepare(x) for x in clips.sequences])
    values = prepared.mean(axis=0)  # (D,)
    found = {"nothing": _accuracy(model.log_odds(clips), clips)}
    for name, inputs in groups_of_inputs(clips.columns).items():
        quiet = replace(model, prepare=Silenced(model.prepare, inputs, values))  # type: ignore[arg-type]
        found[name] = _accuracy(quiet.log_odds(clips), clips)
    return found


def _accuracy(z: np.ndarray, clips: Clips) -> float:
    return class_mean(rights(clips.labels, z), clips.labels)


def chosen(clips: Clips, most: int) -> np.ndarray:
    """Row numbers of at most so many clips of each sex, drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(clips.labels == label) for label in (0, 1)]
    return np.sort(np.concatenate([rng.permutation(of)[:most] for of in rows]))


def moved(model: ClipModel, clips: Clips, of_pitch: Sequence[Clips]) -> dict[str, Any]:
    """Shares called male, for each of SEMITONES and each sex, by the network and by the regression; and where answers turn.

    of_pitch: the clips at each of SEMITONES.
    """
    regression = Baselines.from_json(model.network.metadata["baselines"])
    ways = {
        "LSTM": [model.log_odds(c) for c in of_pitch],
        "logistic regression": [regression.scores(c)["logistic regression"] for c in of_pitch],
    }
    found: dict[str, Any] = {}
    male = clips.labels == 1
    for way, z in ways.items():
        called = np.array(z) > 0  # (S, N)
        found[way] = {
            "male": called[:, male].mean(axis=1).tolist(),
            "female": called[:, ~male].mean(axis=1).tolist(),
            "turns": moved_pitch.turning_points(called, male, SEMITONES),
        }
    return found


def spoken_again(clips: Clips, of: Sequence[Utterance], recipe: Recipe) -> list[Clips]:
    """The clips, spoken again by WORLD at each of SEMITONES; of: their recordings. They are made once for each recipe."""
    key = json.dumps([recipe.stamp(), clips.hashes.tolist()])
    if key not in _SPOKEN:
        sounds = []
        for x, u in zip(clips.sequences, of, strict=True):
            first = FRAME_S * (utterances(find_speech(x, recipe.parameters["pitch"]).voice)[0].start or 0)
            samples, rate = read_clip(u.path, u.start_s, u.end_s)
            begin = round(first * rate)
            sounds.append((samples[begin : begin + round(SPOKEN_S * rate)], rate))
        _SPOKEN[key] = moved_pitch.moved_sound(sounds, clips, recipe.measure, SEMITONES)
    return _SPOKEN[key]


_SPOKEN: dict[str, list[Clips]] = {}  # by recipe and clips: several models may share them


def reasons(model: ClipModel, corpus: Corpus, work: Path, by: str, world: bool) -> dict[str, Any]:
    """All figures of one model on one corpus, as JSON values."""
    recipe, stored = model.recipe, model.network.metadata
    clips, of = corpus.clips(recipe, work)
    z = model.log_odds(clips)
    band = (1 - stored["uncertain"], stored["uncertain"])
    rows = clip_rows(z, clips, stored["temperature"], band, stored["baselines"]["f0_hz"])
    result: dict[str, Any] = {"clips": len(clips), "by_pitch": by_pitch(rows), "silenced": silenced(model, clips)}
    if corpus.cells:
        rows[by] = [corpus.cells[u.path] for u in of]
        result["by"] = groups.grouped(rows, by)
    few = clips.take(chosen(clips, MOST))
    result["column_moved"] = moved(model, few, [moved_pitch.moved_column(few, k) for k in SEMITONES])
    if world:
        at = chosen(clips, SPOKEN)
        result["sound_moved"] = moved(model, clips.take(at), spoken_again(clips.take(at), [of[n] for n in at], recipe))
    return result


# -- tables ------------------------------------------------------------------------------------------------------------


def tables(results: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    """The figures of {model: {corpus: reasons}} in Markdown."""
    lines = []
    for question, table in {
        "Balanced accuracy with an input silenced": _silenced_table(results),
        "Semitones by which half of the right answers turn": _turning_table(results),
    }.items():
        lines += [question, "", *_markdown(table), ""]
    for model, corpora_ in results.items():
        for corpus, result in corpora_.items():
            if "by" in result:
                lines += [f"{model} on {corpus}", "", *_markdown(groups.table(result["by"])), ""]
    return lines


def _silenced_table(results: dict[str, dict[str, dict[str, Any]]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            f"{model}, {corpus}": {k: f"{v:.3f}" for k, v in result["silenced"].items()}
            for model, of in results.items()
            for corpus, result in of.items()
        }
    )


def _turning_table(results: dict[str, dict[str, dict[str, Any]]]) -> pd.DataFrame:
    rows: dict[str, dict[str, str]] = {}
    for model, of in results.items():
        for corpus, result in of.items():
            for key, words in (("column_moved", "log_f0 alone"), ("sound_moved", "the voice, by WORLD")):
                for way, figures in result.get(key, {}).items():
                    turns = figures["turns"]
                    rows[f"{model}, {corpus}, {words}, {way}"] = {
                        f"{sex}, {direction}": "half never turn" if (m := turns[sex]["median"]) is None else f"{m:+.0f}"
                        for sex, direction in (("male", "up"), ("female", "down"))
                    }
    return pd.DataFrame(rows).T


def _markdown(table: pd.DataFrame) -> list[str]:
    head = f"| | {' | '.join(table.columns)} |"
    return [
        head,
        "|---" * (1 + len(table.columns)) + "|",
        *(f"| {n} | {' | '.join(row)} |" for n, row in zip(table.index, table.values, strict=True)),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Why models are wrong on corpora: by pitch and manner, by silenced inputs, by a pitch that moves."""
    parser = argparse.ArgumentParser(prog="python -m experiments.voices.reasons", description=main.__doc__)
    parser.add_argument("tables", nargs="+", type=Path, help="tables with path, speaker, sex and perhaps --by's column")
    parser.add_argument(
        "--part", action="append", help="one for all tables or one for each, such as dev; by default all"
    )
    parser.add_argument("--model", action="append", metavar="[NAME=]FILE", help="a model, perhaps with a name to show")
    parser.add_argument("--by", default="manner", help="the column that groups the clips, where a table has it")
    parser.add_argument(
        "--world", action="store_true", help="also speak some voices again by WORLD (pip install pyworld)"
    )
    parser.add_argument(
        "--beside", type=Path, metavar="JSON", help="an earlier run's reasons.json, on the same corpora"
    )
    parser.add_argument("--work", type=Path, default=Path("runs/reasons_clips"), help="folder for the measured clips")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/reasons"), help="folder for reasons.json and the pictures"
    )
    options = parser.parse_args(arguments)
    parts = options.part or ["all"]
    if len(parts) not in (1, len(options.tables)):
        parser.error(f"there are {len(options.tables)} tables and {len(parts)} parts: give one part, or one for each")
    files = dict(
        named.split("=", 1) if "=" in named else (Path(named).stem, named)
        for named in options.model or [f"shipped={SHIPPED}"]
    )
    try:
        models = {name: clip_model.load(file) for name, file in files.items()}
        of_tables = zip(names(options.tables).items(), parts * (len(options.tables) // len(parts)), strict=True)
        read = [Corpus.read(name, table, part, options.by) for (name, table), part in of_tables]
        earlier = json.loads(options.beside.read_text()) if options.beside else {}
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if odd := [name for name, of in earlier.items() if list(of) != [corpus.name for corpus in read]]:
        parser.error(f"{options.beside}: {odd[0]} was judged on {', '.join(earlier[odd[0]])}, not on these tables")
    run = Run(options.out, force=True)
    results = {
        name: {corpus.name: reasons(model, corpus, options.work, options.by, options.world) for corpus in read}
        for name, model in models.items()
    }
    results |= {name: of for name, of in earlier.items() if name not in results}
    run.write_json("reasons.json", results)
    for name, picture in reasons_pictures.drawn(results).items():
        run.write(f"reasons_{name}.svg", pictures.svg(picture))
    print("\n".join(tables(results)))


if __name__ == "__main__":
    main()
