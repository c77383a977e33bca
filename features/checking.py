"""Look at a collection of recordings before it costs time: what is there, what is left out, and what contradicts.

For the command `check`, and for the first lines of `features`. `glance` looks at names and bytes only; `check` also decodes
every clip, some thousand times faster than it was spoken.
"""

import math
import os
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from features import copies
from features.audio import DECODERS_RAISE, shown
from features.corpora import SEXES, Note, Utterance
from features.corpora.settling import NAMED, some
from features.decoding import Recording
from features.measuring import Measured, each, measure
from features.recipes import Recipe

ENOUGH = 3  # speakers of each sex: `train` on frames holds one out, and needs two for its folds
OVERLAP_S = 0.1  # a stretch may end so far behind the start of the next one
NAMELESS = ("unknown", "unk", "n/a", "nan", "none", "?", "-")  # a speaker's name that is probably none
SKEW = 0.5  # share of one sex's clips that would have to change their kind for both sexes to have the same kinds
NUMBERED = re.compile(r"(speaker|spk|sp|s|person|p|subject|id|voice|v|user|u)?[\W_]*\d+", re.IGNORECASE)
PCM = {
    "PCM_16": "16 bit",
    "PCM_24": "24 bit",
    "PCM_32": "32 bit",
    "PCM_U8": "8 bit",
    "PCM_S8": "8 bit",
    "FLOAT": "float",
}
SAME_S = 0.3  # a conversion is longer or shorter by some hundredths, which its codec adds or drops
COPIES = {
    "both_sexes": "the same sound under both sexes (all of its clips are left out)",
    "in_two_parts": "the same sound in two parts (it is kept in the last of train, dev and test)",
    "twice": "the same sound more than once (one clip of it is kept)",
}


Result = TypeVar("Result")


@dataclass(frozen=True)
class Finding:
    """A fact about the collection, in a sentence without its full stop; `decide`: a person should act on it.

    kind: a word for programs, such as "twice". count: of the clips, files or speakers that it is about; names: theirs.
    """

    kind: str
    count: int
    says: str
    decide: bool = True
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """Clips of one kind of file: its ending, rate in Hz, channels and coding; rate 0 if the header was not read."""

    ending: str
    rate_hz: int
    channels: int
    coding: str
    clips: dict[str, int]


@dataclass(frozen=True)
class Check:
    """What is in a collection; the dictionaries have a number for each sex.

    seconds and lengths_s (shortest, median, longest) are of the clips that can be measured; all 0 for a `glance`. copies: the
    clips that are left out, for their sound is there before or has two labels. parts: {part: clips}, "" for none. kinds:
    the most frequent first.
    """

    clips: dict[str, int]
    speakers: dict[str, int]
    unknown_speakers: int
    seconds: dict[str, float]
    lengths_s: tuple[float, float, float]
    copies: int
    parts: dict[str, dict[str, int]]
    kinds: list[Kind]
    findings: list[Finding]

    @property
    def to_decide(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.decide]


@dataclass(frozen=True)
class Heard:
    """A clip that was decoded, and its file's header: (rate in Hz, channels, coding)."""

    measured: Measured
    header: tuple[int, int, str]


def glance(clips: Sequence[Utterance], notes: Sequence[Note], folder: Path) -> Check:
    """The check of names and bytes: no header is read, nothing is decoded. notes: what reading the list told."""
    same, kinds = copies.same_bytes(clips), [(u.path.suffix.lower(), 0, 0, "") for u in clips]
    findings = [*of_notes(notes), *_of_lists(clips, folder), *_of_copies(clips, same, folder)]
    findings += _of_what_stays(clips, _kept(clips, same))
    findings += _of_converted(clips, [0.0] * len(clips), same, folder)
    if missing := [_name(u, folder) for u in clips if not os.path.lexists(u.path)]:
        findings.append(
            Finding("missing", len(missing), f"no such file: {len(missing)} ({some(missing)})", names=missing)
        )
    return _check(clips, [], same, kinds, findings)


def check(
    clips: Sequence[Utterance], notes: Sequence[Note], folder: Path, jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Check:  # fmt: skip
    """The check of every clip, decoded in worker processes (see `measuring.each`).

    notes: what reading the list told. folder: names are given relative to it. progress(done, total) is called after each
    clip.
    """
    results: dict[int, Heard | Measured] = {}
    for number, result in each(hear, clips, jobs):
        results[number] = result
        progress(len(results), len(clips))
    heard = [r if isinstance(r, Heard) else Heard(r, (0, 0, "")) for r in (results[n] for n in range(len(clips)))]
    measured = [h.measured for h in heard]
    same = [m.sha256 or n for n, m in enumerate(measured)]
    kinds = [(u.path.suffix.lower(), *h.header) for u, h in zip(clips, heard, strict=True)]
    findings = [*of_notes(notes), *_of_lists(clips, folder), *_of_copies(clips, same, folder)]
    findings += [
        *_of_bad_clips(clips, measured, folder),
        *_of_what_stays(clips, _kept(clips, same, [not m.reason for m in measured])),
        *_of_converted(clips, [m.seconds for m in measured], same, folder),
        *_of_skew(clips, kinds),
    ]
    return _check(clips, measured, same, kinds, findings)


def hear(clip: Utterance) -> Heard:
    """Decode and check a clip, as an extraction does, and read its file's header. Raises nothing that the clip causes."""
    return Heard(measure(DECODED, clip), _header(clip.path))


def _nothing(samples: np.ndarray, rate: int) -> np.ndarray:
    return np.empty((0, 0))


DECODED = Recipe("decoded", (), "float64", {}, _nothing)


def _header(path: Path) -> tuple[int, int, str]:
    """(rate in Hz, channels, coding) of a file, (0, 0, "") if it cannot be told."""
    try:
        with Recording(path) as file:
            return file.samplerate, file.channels, PCM.get(file.subtype, file.subtype.replace("_", " ").lower())
    except DECODERS_RAISE:  # the clip's own reason is told elsewhere
        return 0, 0, ""


def _check(
    clips: Sequence[Utterance], measured: Sequence[Measured], same: Sequence[Hashable],
    kinds: Sequence[tuple[str, int, int, str]], findings: list[Finding],
) -> Check:  # fmt: skip
    counts = Counter(u.sex for u in clips)
    people = Counter(sex for _, sex in {(u.speaker, u.sex) for u in clips if u.speaker is not None})
    by_sex = {
        sex: [m.seconds for u, m in zip(clips, measured, strict=False) if u.sex == sex and m.seconds] for sex in SEXES
    }
    lengths = np.array([*by_sex["male"], *by_sex["female"]]) if any(by_sex.values()) else np.zeros(1)
    parts: dict[str, Counter] = defaultdict(Counter)
    for u in clips:
        parts[u.split][u.sex] += 1
    tally: dict[tuple, Counter] = defaultdict(Counter)
    for u, kind in zip(clips, kinds, strict=True):
        tally[kind][u.sex] += 1
    return Check(
        clips={sex: counts[sex] for sex in SEXES},
        speakers={sex: people[sex] for sex in SEXES},
        unknown_speakers=sum(u.speaker is None for u in clips),
        seconds={sex: float(sum(by_sex[sex])) for sex in SEXES},
        lengths_s=(float(lengths.min()), float(np.median(lengths)), float(lengths.max())),
        copies=int((copies.left_out(same, (u.sex for u in clips), (u.split for u in clips)) != "").sum()),
        parts={part: {sex: parts[part][sex] for sex in SEXES} for part in sorted(parts, key=_rank)},
        kinds=[
            Kind(*kind, {sex: n[sex] for sex in SEXES})
            for kind, n in sorted(tally.items(), key=lambda item: (-item[1].total(), item[0]))
        ],
        findings=findings,
    )


def of_notes(notes: Sequence[Note]) -> list[Finding]:
    return [Finding(note.kind, note.count, note.says, note.decide, note.names) for note in notes]


def _kept(clips: Sequence[Utterance], same: Sequence[Hashable], good: Sequence[bool] | None = None) -> list[Utterance]:
    """The clips that are no copies and can be measured. same (N,): equal for the same sound; good (N,)."""
    fine = copies.left_out(same, (u.sex for u in clips), (u.split for u in clips)) == ""
    return [u for n, u in enumerate(clips) if fine[n] and (good is None or good[n])]


def _rank(part: str) -> tuple[int, str]:
    return copies.RANKS.get(part, 1), part


def _of_what_stays(clips: Sequence[Utterance], kept: Sequence[Utterance]) -> list[Finding]:
    """Whether enough speakers and both sexes are left. kept: those of `clips` that are not left out."""
    findings = []
    for sex in SEXES:
        before, speakers = ({u.speaker or u.path for u in group if u.sex == sex} for group in (clips, kept))
        left = " left" if len(speakers) < len(before) else ""
        if not speakers:
            says = f"there is no {sex} clip{left}: nothing can be learnt from one sex"
            findings.append(Finding("no_clip_of_a_sex", 0, says))
        elif len(speakers) < ENOUGH:
            says = f"only {len(speakers)} {sex} speaker{'s' * (len(speakers) > 1)}{left} (a recording without a name counts "
            says += f"as one): training on frames needs {ENOUGH} of each sex, a useful score 20"
            findings.append(Finding("few_speakers", len(speakers), says))
    parts: dict[str, set[str]] = {u.split: set() for u in clips}
    for u in kept:
        parts[u.split].add(u.sex)
    if {u.sex for u in kept} == set(SEXES):
        for part in sorted(parts, key=_rank):
            if missing := sorted(set(SEXES) - parts[part]):
                where = f"in {part}" if part else "outside the test part"
                says = f"no {' and no '.join(missing)} clip is left {where}: give each part both sexes"
                findings.append(Finding("part_of_one_sex", 1, says, names=[part]))
    return findings


def _of_lists(clips: Sequence[Utterance], folder: Path) -> list[Finding]:
    """What the names of speakers and files say."""
    findings = _of_overlaps(clips, folder)
    if unknown := sum(u.speaker is None for u in clips):
        says = (
            f"the speakers of {unknown} of {len(clips)} clips are unknown, so a score will be too good for new voices: "
        )
        says += "give each speaker a folder, or a name in the table"
        findings.append(Finding("speakers_unknown", unknown, says, decide=False))
    spoken = {u.speaker for u in clips if u.speaker}
    if nameless := sorted(s for s in spoken if re.sub("^(fe)?male/", "", s).casefold() in NAMELESS):
        says = f"speakers called {some(nameless)}, each taken for one person: if they are unknown, leave the cell empty, or "
        says += "put the clips straight into Male or Female"
        findings.append(Finding("speakers_nameless", len(nameless), says, names=nameless))
    parts: dict[str, set[str]] = defaultdict(set)
    for u in clips:
        parts[u.speaker or f"the unknown speaker of {shown(os.path.relpath(u.path, folder))}"].add(u.split)
    if shared := sorted(speaker for speaker, stated in parts.items() if len(stated) > 1):
        says = (
            f"speakers in two parts (of train, dev and test): {len(shared)} ({some(shared)}): give each person one part"
        )
        findings.append(Finding("speakers_in_two_parts", len(shared), says, names=shared))
    both = sorted(
        a for a in (s.removeprefix("male/") for s in spoken if s.startswith("male/")) if f"female/{a}" in spoken
    )
    if named := [name for name in both if not NUMBERED.fullmatch(name)]:
        says = f"speakers' folders of one name under both sexes, taken for two people: {len(named)} ({some(named)})"
        findings.append(Finding("names_of_both_sexes", len(named), says, names=named))
    alike: dict[str, list[str]] = defaultdict(list)
    for name in sorted(spoken):
        alike[" ".join(re.split(r"[\W_]+", re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold())))].append(name)
    if pairs := [" = ".join(map(repr, names)) for names in alike.values() if len(names) > 1]:
        says = "speakers' names that differ in case, signs or zeros only, taken for different people: "
        says += f"{len(pairs)} ({some(pairs)})"
        findings.append(Finding("names_alike", len(pairs), says, names=pairs))
    if coded := [_name(u, folder) for u in clips if any("\udc80" <= c <= "\udcff" for c in str(u.path))]:
        says = f"names that are not UTF-8, written with a code for each such byte: {len(coded)} ({coded[0]})"
        findings.append(Finding("names_not_utf8", len(coded), says, decide=False))
    return findings


def _of_overlaps(clips: Sequence[Utterance], folder: Path) -> list[Finding]:
    """Stretches of one recording that overlap, with two sexes or in two parts. (The same stretch twice is a copy.)"""
    recordings: dict[Path, list[Utterance]] = defaultdict(list)
    for u in clips:
        recordings[u.path].append(u)
    pairs = []
    for stretches in recordings.values():
        last, *rest = sorted(stretches, key=lambda u: u.start_s)
        for u in rest:
            shared_s = min(_end(u), _end(last)) - u.start_s
            same = (u.start_s, u.end_s) == (last.start_s, last.end_s)
            if shared_s > OVERLAP_S and not same and (u.sex, u.split) != (last.sex, last.split):
                pairs.append(f"{_name(last, folder)} and {_name(u, folder)}")
            last = max(last, u, key=_end)
    if not pairs:
        return []
    says = f"stretches of one recording that overlap, with two sexes or in two parts: {len(pairs)} ({some(pairs)})"
    return [Finding("overlapping", len(pairs), f"{says}: correct start_s and end_s", names=pairs)]


def _end(u: Utterance) -> float:
    return math.inf if u.end_s is None else u.end_s


def _of_copies(clips: Sequence[Utterance], same: Sequence[Hashable], folder: Path) -> list[Finding]:
    """What `copies.left_out` will leave out, and copies with two speakers. same (N,): equal for the same sound."""
    groups: dict[Hashable, list[Utterance]] = defaultdict(list)
    for key, u in zip(same, clips, strict=True):
        groups[key].append(u)
    cases: dict[str, list[list[Utterance]]] = {kind: [] for kind in COPIES}
    for group in groups.values():
        if len(group) > 1:
            sexes, parts = ({getattr(u, of) for u in group} for of in ("sex", "split"))
            cases["both_sexes" if len(sexes) > 1 else "in_two_parts" if len(parts) > 1 else "twice"].append(group)
    findings = []
    for kind, found in cases.items():
        names = [" = ".join(_name(u, folder) for u in group) for group in found]
        says = f"{COPIES[kind]}: {len(names)} ({some(names)})"
        if kind != "both_sexes" and (two := sum(len({u.speaker for u in group}) > 1 for group in found)):
            says += f"; {two} of them by two speakers"
        findings += [Finding(kind, len(names), says, names=names)] if names else []
    return findings


def _of_bad_clips(clips: Sequence[Utterance], measured: Sequence[Measured], folder: Path) -> list[Finding]:
    bad: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for u, m in zip(clips, measured, strict=True):
        if m.reason:
            bad[m.reason.value].append((_name(u, folder), m.message or ""))
    lost = speakers_lost((u.speaker, not m.reason) for u, m in zip(clips, measured, strict=True))
    doubts: dict[str, list[tuple[str, str]]] = defaultdict(list)  # by their words without numbers
    for u, m in zip(clips, measured, strict=True):
        if m.doubt:
            doubts[re.sub(r"[\d.]+", "", m.doubt[1])].append((_name(u, folder), m.doubt[1]))
    for cases in doubts.values():
        says = f"clips read with a note: {len(cases)} ({cases[0][0]}: {cases[0][1]})"
        lost.append(Finding("doubt", len(cases), says, decide=False, names=[name for name, _ in cases]))
    for reason, cases in bad.items():
        says = f"clips left out, {reason.replace('_', ' ')}: {len(cases)} ({cases[0][0]}: {cases[0][1]})"
        lost.append(Finding(reason, len(cases), says, names=[name for name, _ in cases]))
    return lost


def speakers_lost(clips: Iterable[tuple[str | None, bool]]) -> list[Finding]:
    """A finding that names the speakers none of whose clips can be measured. clips: (speaker, whether it can be)."""
    good: dict[str, bool] = {}
    for speaker, measured in clips:
        if speaker is not None:
            good[speaker] = good.get(speaker, False) or measured
    lost = [speaker for speaker, any_good in good.items() if not any_good]
    says = f"speakers none of whose clips can be measured: {len(lost)} ({some(lost, shown=NAMED)})"
    return [Finding("speakers_lost", len(lost), says, names=lost)] if lost else []


def _of_converted(
    clips: Sequence[Utterance], lengths: Sequence[float | None], same: Sequence[Hashable], folder: Path
) -> list[Finding]:
    """Files of one name and length with two endings: probably a recording and its conversion, which counts twice.

    lengths (N,): in s, None for a clip that cannot be measured. same (N,): equal for the same sound.
    """
    stems: dict[Path, list[int]] = defaultdict(list)
    for n, u in enumerate(clips):
        if lengths[n] is not None and not u.start_s and u.end_s is None:
            stems[u.path.with_suffix("")].append(n)
    pairs = [
        [clips[n] for n in files]
        for files in stems.values()
        if len({same[n] for n in files}) > 1 and np.ptp([lengths[n] for n in files]) < SAME_S
    ]
    if not pairs:
        return []
    names = [" = ".join(_name(u, folder) for u in pair) for pair in pairs]
    says = "files of one name with two endings, perhaps a recording and its conversion: "
    return [Finding("converted", len(names), f"{says}{len(names)} ({some(names)}): keep one of each", names=names)]


def _of_skew(clips: Sequence[Utterance], kinds: Sequence[tuple[str, int, int, str]]) -> list[Finding]:
    """Kinds of file that go with the sex: a network may then hear the recorder and not the voice."""
    shares = {}
    for sex in SEXES:
        counts = Counter(kind[:2] for u, kind in zip(clips, kinds, strict=True) if u.sex == sex)
        shares[sex] = {kind: count / counts.total() for kind, count in counts.items()}
    if not all(shares.values()):
        return []
    all_kinds = shares["male"].keys() | shares["female"].keys()
    apart = sum(abs(shares["male"].get(kind, 0) - shares["female"].get(kind, 0)) for kind in all_kinds) / 2
    if apart <= SKEW:
        return []
    says = "the kinds of file go with the sex (see the table): a network may learn the recorder, not the voice"
    return [Finding("kinds_by_sex", len(all_kinds), says, decide=False)]


def _name(u: Utterance, folder: Path) -> str:
    name = shown(os.path.relpath(u.path, folder))
    if u.end_s is not None:
        return f"{name} from {u.start_s:g} to {u.end_s:g} s"
    return f"{name} from {u.start_s:g} s" if u.start_s else name


def with_notes(read: Callable[[], Result]) -> tuple[Result, list[Note]]:
    """(result, notes) of a function, such as one that reads clips; its other warnings, and all if it fails, are passed on."""
    failure: Exception | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = read()
        except Exception as error:
            failure = error
    for w in caught:
        if failure or not isinstance(w.message, Note):
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    if failure:
        raise failure
    return result, [w.message for w in caught if isinstance(w.message, Note)]
