"""Is the engine right, and how fast is it: gradcheck, bench."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.shared import (
    AsJson,
    Force,
    Terminal,
    alone_in,
    app,
    chosen,
    out_console,
    print_frame,
    print_json,
    print_line,
    stages,
)


@app.command(
    rich_help_panel="Proofs",
    epilog="Examples: lstm-engine gradcheck --model demo   |   lstm-engine gradcheck --model runs/mine/model.safetensors "
    "--out runs/gradcheck   |   lstm-engine gradcheck --all   |   lstm-engine gradcheck --mutants",
)
def gradcheck(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="lstm, gru, simple_rnn, bidirectional, demo, long, or the file of a model."),
    ] = "lstm",
    everything: Annotated[
        bool, typer.Option("--all", help="Check every cell with every option, in NumPy and in Numba.")
    ] = False,
    mutants: Annotated[
        bool,
        typer.Option(
            "--mutants", help="Plant 134 known bugs one at a time and list which checks catch each (about 3 minutes)."
        ),
    ] = False,
    method: Annotated[str, typer.Option(help="complex, central or richardson.")] = "complex",
    elements: Annotated[int, typer.Option(min=0, help="Numbers of each parameter to check one by one; 0: all.")] = 200,
    tol: Annotated[float | None, typer.Option(help="The largest norm-wise relative error that passes.")] = None,
    step: Annotated[
        float | None, typer.Option(help="The step of the method. Without this option a difference's step is searched.")
    ] = None,
    dtype: Annotated[
        str, typer.Option(help="float64, or float32 to check a model in the precision in which it trains.")
    ] = "float64",
    dropout: Annotated[
        str | None, typer.Option(help="For a model with dropout: frozen (one mask, kept) or off.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the numbers to check.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.html, CSV, JSON and pictures. Default: runs/gradcheck_all, runs/gradcheck_mutants; "
            "for one model no page without this option."
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Proves the gradients of a model with the complex step through the readable NumPy path. Exit 1 when one is wrong."""
    from experiments.laboratory import command
    from experiments.reports.run import Run

    foreign = chosen(context) - {"everything", "mutants", "as_json", "out", "force"}
    if (everything or mutants) and foreign:
        names = " and ".join(sorted(f"--{name}" for name in foreign))
        raise ValueError(
            f"{names} {'belongs' if len(foreign) == 1 else 'belong'} to the check of one model: leave out --all and --mutants"
        )
    if everything and mutants:
        raise ValueError("--all checks the gradients and --mutants the check: give one of them")
    options = {
        "method": method,
        "elements": elements or None,
        "tol": tol,
        "step": step,
        "dropout": dropout,
        "seed": seed,
    }
    if everything or mutants:
        out = out or Path("runs/gradcheck_all" if everything else "runs/gradcheck_mutants")
    alone_in(context, out)
    run = None if out is None else Run(out, force)
    takes = (
        "about ten seconds, and half a minute more where kernels have to be compiled"
        if everything
        else "about 3 minutes"
        if mutants
        else ""
    )
    with stages(takes=takes) as stage:
        if everything:
            result = command.check_everything(stage("Every cell with every option"), run)
        elif mutants:
            result = command.check_the_check(stage("Planting bugs"), run)
        else:
            result = command.check_model(model, dtype, options, stage("Checking"), run)
    if as_json:
        print_json(result.as_json)
    else:
        console = out_console if out_console.is_terminal else Terminal(highlight=False, width=120)  # for wide tables
        for part in result.shown:
            console.print(part, soft_wrap=isinstance(part, str))
    raise typer.Exit(0 if result.ok else 1)


@app.command(
    rich_help_panel="Proofs",
    stopped=lambda params: (
        "stopped: no measurement is kept, for all are written at the end; the same command starts again"
    ),
    epilog="Examples: lstm-engine bench --quick   |   lstm-engine bench --what train --shapes tutorial,wide256 --peers torch",
)
def bench(
    context: typer.Context,
    what: Annotated[
        str | None,
        typer.Option(help="train, inference, threads, busy, growth, memory, start; several with commas, or all."),
    ] = None,
    shapes: Annotated[
        str | None,
        typer.Option(
            help="Names from the grid, or TxDxHxB; several with commas, or all. Growth and start have fixed shapes; without "
            "this option busy has tutorial, structured, frames and digits."
        ),
    ] = None,
    peers: Annotated[
        str | None, typer.Option(help="torch, keras-jax, keras-tensorflow, keras-torch, onnxruntime, numpy, or all.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Turns of each library at each shape.")] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A minute instead of most of an hour: only the tutorial's shape, and few rounds."),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for JSON, pictures and report.")] = Path("runs/bench"),
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """The engine's speed and memory beside PyTorch, Keras, onnxruntime and plain NumPy, in turns on this machine.

    With LSTM_ENGINE_VECTOR_BYTES=32 in the environment, a processor with AVX-512 is measured as one with AVX2, peers too.
    """
    from experiments.bench import page, sides, task
    from experiments.bench import run as benchmark
    from experiments.reports.run import Run

    changed = {
        "parts": what and sides.named(what, benchmark.PARTS, "--what"),
        "shapes": shapes and task.parse_shapes(shapes),
    }
    changed = {k: v for k, v in (changed | {"peers": peers, "rounds": rounds}).items() if v is not None}
    plan = replace(benchmark.QUICK if quick else benchmark.FULL, **changed)
    sides.choose(plan.peers)  # refuses an unknown name before anything is written
    alone_in(context, out)
    run = Run(out, force)
    with stages(takes="about a minute with --quick" if quick else "most of an hour with the defaults") as stage:
        result = benchmark.bench(plan, stage)
    run.begin()
    written = page.write_bench(run, result, "lstm-engine bench")
    run.write_config("bench", **asdict(plan))
    if as_json:
        return print_json(result)
    for section in page.sections(result):
        for title, frame in section.tables.items():
            print_frame(f"{section.heading}: {title}", frame)
    for line in [*page.agreement(result), *(f"note: {note}" for note in page.notes(result))]:
        print_line(line)
    out_console.print(f"{page.bench_sentence(result)}\nReport: {written}", soft_wrap=True)
