"""One harness under atheris: `python -m tests.fuzz.one DOOR FOLDER [libFuzzer's options]`. `tests.fuzz` starts it.

FOLDER/DOOR/corpus is read and grows; FOLDER/DOOR/findings gets the first input of every finding, and the run goes on.
"""

import json
import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lstm_engine", "features", "experiments"], exclude=["lstm_engine.kernels"]):
    import experiments.voices.clip_model  # noqa: F401
    import features.clips
    import features.containers
    import features.corpora
    import features.tables  # noqa: F401
    import lstm_engine.interchange.keras_models
    import lstm_engine.interchange.torch_layout
    import lstm_engine.saving  # noqa: F401
    from tests.fuzz import findings, structure
    from tests.fuzz.doors import DOORS, tree_of


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """A JSON object changed as such, four times of five; everything else, and the rest, as libFuzzer does."""
    rng = random.Random(seed)
    tree = tree_of(data) if rng.random() < 0.8 else None
    if tree is None:
        return atheris.Mutate(data, most)
    changed = json.dumps(structure.mutated(tree, rng)).encode()
    return changed if len(changed) <= most else atheris.Mutate(data, most)


def main() -> None:
    door, base = DOORS[sys.argv[1]], Path(sys.argv[2]) / sys.argv[1]
    for name in ("corpus", "findings"):
        (base / name).mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(door.seeds()):
        if not (path := base / "corpus" / f"seed-{n:02d}").exists():
            path.write_bytes(seed)
    known = {path.stem for path in (base / "findings").glob("*.txt")}

    def target(data: bytes) -> None:
        what = findings.opened(door, data)
        if what and findings.keep(base / "findings", what, data):
            print(f"FINDING {what}", file=sys.stderr, flush=True)

    for seed in door.seeds():  # what is imported once is no input's time or memory
        findings.opened(door, seed)
    print(f"{len(known)} findings of before", file=sys.stderr)
    options = [f"-artifact_prefix={base / 'findings'}/", "-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=1"]
    arguments = [sys.argv[0], *options, *sys.argv[3:], str(base / "corpus")]
    atheris.Setup(arguments, target, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
