"""The whole tutorial, end to end: synthesise voices, extract features, train the engine beside Keras, report.

`make demo` runs it; the other commands use the same functions.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.reports import machine, page, pictures
from experiments.reports.run import Run, footer
from experiments.reports.scores import balanced_accuracy
from experiments.tutorial import comparison_report
from experiments.tutorial.comparison import compare
from experiments.tutorial.task import metadata, read_task, recipe_of
from experiments.tutorial.training import scores, synthetic_note
from features.corpora import tutorial_folders
from features.dataset import read_voices
from features.extraction import extract
from features.synth import write_corpus

TUTORIAL = "https://blog.eduonix.com/artificial-intelligence/recurrent-neural-networks-lstms-keras/"
READINGS = {"frames": True, "steps": False}  # reading: standardised
Progress = Callable[[int, int], None]


def demo(
    out: str | Path = "runs/demo",
    speakers: int = 48,
    test_speakers: int = 24,
    clips: int = 4,
    epochs: int = 20,
    seed: int = 0,
    jobs: int = -1,
    force: bool = False,
    stage: Callable[[str], Progress] | None = None,
) -> dict[str, Any]:
    """Writes voices/, features/, a model a reading, pictures and report.html into out; returns the figures.

    speakers and test_speakers: numbers for each sex. `stage(title)` is called as each stage begins and returns the function
    that takes the progress of that stage.
    """
    begin, load_before = stage or (lambda title: lambda done, total: None), machine.load()
    run = Run(out, force)
    run.begin()
    voices, tables = run.folder / "voices", run.folder / "features"
    if force:
        _clear_voices(voices)
    write_corpus(voices, speakers, test_speakers, clips, seed=seed, jobs=jobs, progress=begin("Synthesising voices"))
    update = begin("Extracting features")
    extract(tutorial_folders(voices), tables, jobs, lambda done, total, seconds: update(done, total), force)
    run.write("features/SYNTHETIC.txt", (voices / "SYNTHETIC.txt").read_text())
    recipe, synthetic = recipe_of(tables)
    test = read_voices(tables, test=True)

    result: dict[str, Any] = {"synthetic": synthetic, "clips": 2 * (speakers + test_speakers) * clips}
    result |= {"load_before": load_before, "readings": {}}
    tasks = {reading: read_task(tables, reading, scale, seed) for reading, scale in READINGS.items()}
    parts, first_task = [], tasks["frames"]
    for reading, task in tasks.items():
        comparison, model = compare(
            task, epochs, seed=seed, progress=begin(f"Training the engine and Keras on {reading}")
        )
        model.save(run.folder / f"model_{reading}.safetensors", metadata=metadata(task, recipe, synthetic, seed))
        on_test = scores(model, task, test)
        del on_test["probabilities"]
        numbers = comparison.as_json()
        run.write_json(f"comparison_{reading}.json", numbers)
        kept = ("final", "agreement", "seconds_per_epoch", "peak_mib", "reference")
        result["readings"][reading] = {name: numbers[name] for name in kept} | {"test": on_test}
        run.write(f"epochs_{reading}.csv", comparison.table.to_csv())
        parts += [
            page.heading(f"X as {comparison_report.READING_WORDS[reading]}"),
            *comparison_report.section(run, task, [comparison], synthetic=False, prefix=f"{reading}_"),
            page.paragraph(
                f"On the {page.counted(on_test['clips'], 'clip')} of {on_test['speakers']} further speakers, which no "
                "choice here has used: balanced accuracy {:.3f} (95 % interval {:.3f} to {:.3f}).".format(
                    on_test["balanced_accuracy"], *on_test["interval_95"]
                )
            ),
        ]
    threshold, answers = first_task.pitch_baseline(first_task.held_out)
    baseline = balanced_accuracy(first_task.held_out.labels, answers)
    result["pitch_baseline_held_out"] = baseline
    pitches = pictures.by_sex(
        first_task.train.features[:, 1], first_task.train.labels, threshold, "pitch in Hz", "the training voices"
    )
    run.write("pitch.png", pictures.png(pitches))
    best = result["readings"]["frames"]
    intro = [
        page.paragraph(
            f"The same LSTM twice, by hand and in {best['reference']}: {best['agreement']['held_out']:.1%} of the held-out "
            "clips get the same answer. Below: the voices, then the two readings of the tutorial's table.",
            "lead",
        ),
        page.link(TUTORIAL, 'The tutorial: Eduonix, "Recurrent Neural Networks and LSTMs with Keras"'),
        *synthetic_note(synthetic),
        *(page.paragraph(note, "note") for note in comparison_report.busy_notes(load_before)),
        page.heading("The voices"),
        page.paragraph(
            f"{result['clips']} clips of 5 s; the speakers' pitches overlap between the sexes. A threshold on pitch alone, "
            f"{threshold:.0f} Hz chosen on the training voices, reaches a balanced accuracy of {baseline:.3f} on held-out "
            "speakers. A network is worth its weights only if it does better; the sections below show whether it does."
        ),
        pictures.inline(
            pitches,
            "Where the colours overlap, pitch alone cannot tell: low female voices, high male voices, octave errors.",
        ),
    ]
    run.write("report.html", page.page("An LSTM by hand beside Keras", intro + parts, footer("lstm-engine demo")))
    run.write_config("demo", speakers=speakers, test_speakers=test_speakers, clips=clips, epochs=epochs, seed=seed)
    return result


def _clear_voices(folder: Path) -> None:
    """Removes the voices of an earlier run, and nothing that synthesis did not write."""
    if not (folder / "SYNTHETIC.txt").exists():
        return
    for path in [*folder.glob("*/*/*.wav"), folder / "SYNTHETIC.txt"]:
        path.unlink()
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        path.rmdir()
