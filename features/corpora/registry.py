"""The corpora that can be read, and which of them a folder holds: recognised by its files, never by its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from features.audio import SOUND_EXTENSIONS
from features.corpora import common_voice, folders_by_class, librispeech, speaker_table, vctk, voxceleb
from features.corpora.settling import from_the_first_part
from features.corpora.utterances import SEXES, Utterance

WORKBOOKS = (".numbers", ".ods", ".xls", ".xlsm", ".xlsx")


@dataclass(frozen=True)
class Corpus:
    """A corpus and its layout on disk.

    name: for the command line. title and sign (the files that identify it): for messages. fits(path): whether `path` holds
    this corpus. as_stated(path): its clips, split as the corpus publishes them. published: the parts are its publisher's,
    and a speaker's name means the same person in every copy; otherwise the parts are the user's, and "103" is another person
    in another folder.
    """

    name: str
    title: str
    sign: str
    fits: Callable[[Path], bool]
    as_stated: Callable[[Path], list[Utterance]]
    published: bool = True

    def read(self, place: Path) -> list[Utterance]:
        """The clips for training and testing. If a published corpus has no train part, its first part gets the split ""."""
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
    """(corpus, place): the corpus that `root` holds, and the folder or file it is in, `root` or up to two folders below it.

    `corpus.read(place)` gives the clips. `name` restricts the search to that corpus. Raises FileNotFoundError; ValueError if
    no corpus is recognised, with what was looked for, or if more than one is.
    """
    root = Path(root)
    wanted = [corpus for corpus in CORPORA if name in (None, corpus.name)]
    if not wanted:
        raise ValueError(f"there is no corpus {name!r}: expected one of {', '.join(c.name for c in CORPORA)}")
    if not root.exists():
        raise FileNotFoundError(f"{root} is not a folder and not a file")
    for places in _levels(root):
        matches = [(corpus, place) for place in places for corpus in wanted if corpus.fits(place)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            shown = ", ".join(f"{corpus.name} in {place}" for corpus, place in matches[:4])
            more = f" and {len(matches) - 4} more" if len(matches) > 4 else ""
            raise ValueError(
                f"{root} could be more than one corpus ({shown}{more}): name the folder of one, or choose the corpus "
                "(features or check --corpus, evaluate --kind)"
            )
    looked_for = "; ".join(f"{corpus.name}: {corpus.sign}" for corpus in wanted)
    raise ValueError(f"{root} is not a corpus that can be read. Looked for {looked_for}. {_hint(root, wanted)}")


def names_of(corpus: Corpus, place: Path) -> str:
    """The corpus that the speakers' names belong to: a published corpus, or else the folder (for a table, its folder)."""
    folder = place.resolve()
    return corpus.name if corpus.published else (folder.parent if folder.is_file() else folder).name


def summary(corpus: Corpus, place: Path, clips: list[Utterance]) -> str:
    """One line for people: the corpus that was recognised, and the number of its clips and speakers."""
    speakers = {u.speaker: u.sex for u in clips if u.speaker is not None}
    by_sex = ", ".join(f"{list(speakers.values()).count(sex)} {sex}" for sex in SEXES)
    unknown = sum(u.speaker is None for u in clips)
    return (
        f"{place} is taken for {corpus.title} ({corpus.name}): {_count(len(clips), 'clip')}, "
        f"{_count(len(speakers), 'speaker')} ({by_sex})"
        + (f", {_count(unknown, 'clip')} of unknown speakers" if unknown else "")
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _levels(root: Path) -> Iterator[list[Path]]:
    """First [root], then the folders in it, then the folders in those."""
    level = [root]
    for _ in range(3):
        yield level
        level = sorted(
            p for folder in level if folder.is_dir() for p in folder.iterdir() if p.is_dir() and p.name[0] != "."
        )


def _hint(root: Path, wanted: list[Corpus]) -> str:
    """The path that the user may have meant, if a folder above `root` is a corpus; else the content of `root`."""
    if root.is_file() and root.suffix.lower() in WORKBOOKS:
        return "It is a workbook: save the sheet as CSV (in Excel: CSV UTF-8), and name that file"
    for above in root.absolute().parents[:2]:
        for corpus in wanted:
            if corpus.fits(above):
                return f"{above} is a corpus of the kind {corpus.name}: name that folder"
    if not root.is_dir():
        if root.suffix.lower() in SOUND_EXTENSIONS:
            return f"It is one recording: `lstm-engine predict {root}` listens to it"
        return "It is a file of another kind"
    if any((root / name).is_file() for name in ("manifest.jsonl", "male_features.csv", "female_features.csv")):
        return "It holds features already: `lstm-engine train` reads them"
    names = sorted(p.name for p in root.iterdir())
    tables = [p for name in names if (p := root / name).suffix.lower() in speaker_table.ENDINGS and p.is_file()]
    if listing := next((p for p in tables if speaker_table.names_columns(p)), None):
        return f"{listing} lists clips: name that file"
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    own = f"Of your own recordings, {folders_by_class.BY_HAND}, or list them in a table with the columns path, speaker, sex. "
    return (
        f"{own if any(p.is_dir() for p in root.iterdir()) else ''}It holds: {', '.join(names[:6]) or 'nothing'}{more}"
    )
