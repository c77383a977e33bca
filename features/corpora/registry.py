"""Which corpora there are, and which of them a folder holds: by what lies in it, never by its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from features.corpora import common_voice, folders_by_class, librispeech, speaker_table, vctk, voxceleb
from features.corpora.settling import from_the_first_part
from features.corpora.utterances import SEXES, Utterance


@dataclass(frozen=True)
class Corpus:
    """A layout: `name` for the command line, `title` and `sign` for people, what recognises it and what reads it.

    `as_stated` gives clips in the parts that the corpus states. `published`: its parts are its publisher's, and a
    speaker's name means one person wherever it is read; elsewhere the parts are yours, and "103" is somebody else.
    """

    name: str
    title: str
    sign: str
    fits: Callable[[Path], bool]
    as_stated: Callable[[Path], list[Utterance]]
    published: bool = True

    def read(self, place: Path) -> list[Utterance]:
        """The clips to learn from and to test on: without a train part, the first part that there is gets split ""."""
        clips = self.as_stated(place)
        return from_the_first_part(clips) if self.published else clips


CORPORA = (
    Corpus("folders", "a folder for each class", "folders Male and Female",
           folders_by_class.fits, folders_by_class.tutorial_folders, published=False),
    Corpus("librispeech", "LibriSpeech", "SPEAKERS.TXT", librispeech.fits, librispeech.read),
    Corpus("common-voice", "Common Voice", "clips with train.tsv, dev.tsv, test.tsv or validated.tsv",
           common_voice.fits, common_voice.read),
    Corpus("voxceleb", "VoxCeleb", "vox1_meta.csv or vox2_meta.csv", voxceleb.fits, voxceleb.read),
    Corpus("vctk", "VCTK", "speaker-info.txt", vctk.fits, vctk.read),
    Corpus("table", "a table of clips", "metadata.csv, or a CSV by name, with columns path, speaker, sex",
           speaker_table.fits, speaker_table.read, published=False),
)  # fmt: skip


def detect(root: str | Path, name: str | None = None) -> tuple[Corpus, Path]:
    """(corpus, its place): what `root` holds, itself or else up to two folders down; `name` looks for that corpus only.

    `corpus.read(place)` gives the clips. Raises FileNotFoundError; ValueError when nothing is recognised, saying what was
    looked for, or when more than one corpus is.
    """
    root = Path(root)
    wanted = [corpus for corpus in CORPORA if name in (None, corpus.name)]
    if not wanted:
        raise ValueError(f"there is no corpus {name!r}: expected one of {', '.join(c.name for c in CORPORA)}")
    if not root.exists():
        raise FileNotFoundError(f"{root} is not a folder, nor a file")
    for places in _levels(root):
        found = [(corpus, place) for place in places for corpus in wanted if corpus.fits(place)]
        if len(found) == 1:
            return found[0]
        if found:
            seen = ", ".join(f"{corpus.name} in {place}" for corpus, place in found[:4])
            more = f" and {len(found) - 4} more" if len(found) > 4 else ""
            raise ValueError(
                f"{root} could be more than one corpus ({seen}{more}): name the folder of one, or say which (features "
                "--corpus, evaluate --kind)"
            )
    looked_for = "; ".join(f"{corpus.name}: {corpus.sign}" for corpus in wanted)
    raise ValueError(f"{root} is no corpus that is known here. Looked for {looked_for}. {_instead(root, wanted)}")


def names_of(corpus: Corpus, place: Path) -> str:
    """Whose names the speakers' are: the published corpus's, or those of the folder (of a table, of the folder it is in)."""
    folder = place.resolve()
    return corpus.name if corpus.published else (folder.parent if folder.is_file() else folder).name


def summary(corpus: Corpus, place: Path, clips: list[Utterance]) -> str:
    """One line: what the folder was taken for, and how many clips and speakers it gave."""
    speakers = {u.speaker: u.sex for u in clips if u.speaker is not None}
    who = ", ".join(f"{list(speakers.values()).count(sex)} {sex}" for sex in SEXES)
    unknown = sum(u.speaker is None for u in clips)
    return (
        f"{place} is taken for {corpus.title} ({corpus.name}): {len(clips)} clips, {len(speakers)} speakers ({who})"
        + (f", {unknown} clips of unknown speakers" if unknown else "")
    )


def _levels(root: Path) -> Iterator[list[Path]]:
    """root; the folders in it; the folders in those."""
    level = [root]
    for _ in range(3):
        yield level
        level = sorted(
            p for folder in level if folder.is_dir() for p in folder.iterdir() if p.is_dir() and p.name[0] != "."
        )


def _instead(root: Path, wanted: list[Corpus]) -> str:
    """What a person may have meant by a path in which no corpus was found."""
    for above in root.absolute().parents[:2]:
        for corpus in wanted:
            if corpus.fits(above):
                return f"{above} is {corpus.name}: name that folder"
    if not root.is_dir():
        return "This is a file of another kind"
    names = sorted(p.name for p in root.iterdir())
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"Found there: {', '.join(names[:6]) or 'nothing'}{more}"
