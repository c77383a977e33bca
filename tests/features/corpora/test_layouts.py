"""Published corpora in small: the layouts and the metadata are theirs, the voices are a few milliseconds of a tone."""

import csv
import warnings
from collections import Counter
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import soundfile as sf

from features.corpora import CORPORA, Utterance, detect, names_of, summary
from features.corpora.librispeech import read_speakers
from features.corpora.settling import settled
from features.csv_files import BadTable, tab_rows
from features.extraction import extract
from features.tables import read_rows

SPEAKERS_TXT = """\
; Some pipe(|) separated metadata about all LibriVox readers, whose work was used
; in the corpus.
;ID  |SEX| SUBSET           |MINUTES| NAME
14   | F | train-clean-360  | 25.03 | Kristin LeMoine
60   | M | train-clean-100  | 20.18 | |CBW|Simon
84   | F | dev-clean        | 8.02  | Christie Nowak
174  | M | dev-clean        | 8.04  | Peter Eastman
1089 | M | test-clean       | 8.09  | Peter Bobbe
"""


def clip(*paths, rate=16_000):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".flac", ".wav"):
            hz = 100 + crc32(path.name.encode()) % 200  # each name has its own sound
            tone = 0.2 * np.sin(2 * np.pi * hz * np.arange(rate // 10) / rate)
            sf.write(path, tone, rate)
        else:
            path.write_bytes(b"an MP3 is not decoded to be found")


def read(root, name=None):
    """What `root` is taken for, and its clips as (path, speaker, sex, split), with no note about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpus, place = detect(root, name)
        return corpus.name, plain(corpus.read(place), place)


def plain(utterances, place):
    place = place if place.is_dir() else place.parent
    return [(u.path.relative_to(place).as_posix(), u.speaker, u.sex, u.split) for u in utterances]


def noted(root):
    """The clips, and the notes about what was left out."""
    corpus, place = detect(root)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        clips = corpus.read(place)
    return plain(clips, place), [str(note.message).removeprefix(f"{place}: ") for note in notes]


@pytest.fixture
def librispeech(tmp_path):
    """As unpacked: LibriSpeech/SUBSET/READER/CHAPTER/READER-CHAPTER-NUMBER.flac."""
    root = tmp_path / "LibriSpeech"
    for subset, reader in (("train-clean-360", 14), ("train-clean-100", 60), ("dev-clean", 84), ("test-clean", 1089)):
        clip(root / subset / str(reader) / "7" / f"{reader}-7-0000.flac")
        (root / subset / str(reader) / "7" / f"{reader}-7.trans.txt").write_text(f"{reader}-7-0000 A TONE\n")
    (root / "SPEAKERS.TXT").write_text(SPEAKERS_TXT)
    return root


@pytest.fixture
def common_voice(tmp_path):
    """As unpacked: RELEASE/LANGUAGE/{clips/, *.tsv}, labels of both kinds, sentences with one quotation mark."""
    root = tmp_path / "cv-corpus" / "en"
    write_tsv(root / "train.tsv", [("ann", "1.mp3", "female_feminine"), ("bob", "2.mp3", "male")])
    write_tsv(root / "dev.tsv", [("cid", "3.mp3", "male_masculine")])
    write_tsv(root / "test.tsv", [("dee", "4.mp3", "female")])
    write_tsv(root / "validated.tsv", [("ann", "1.mp3", "female_feminine"), ("eve", "5.mp3", "female")])
    clip(*(root / "clips" / f"{n}.mp3" for n in (1, 2, 3, 4)))
    return root


def write_tsv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale"]
    lines += [f'{client}\t{name}\t"No, said he.\t2\t0\t\t{gender}\t\ten' for client, name, gender in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def voxceleb(tmp_path):
    """Both releases in one folder; the first table has tabs, the second commas and padded cells, as published."""
    (tmp_path / "vox1_meta.csv").write_text(
        "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
        "id10001\tA.J._Buckley\tm\tIreland\tdev\nid10270\tEartha_Kitt\tf\tUSA\ttest\n"
    )
    (tmp_path / "vox2_meta.csv").write_text(
        "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000012 ,f ,dev \nid00017 ,n000017 ,m ,test \n"
    )
    clip(tmp_path / "vox1_dev_wav/wav/id10001/1zcIwhmdeo4/00001.wav")
    clip(tmp_path / "vox1_test_wav/wav/id10270/5r0dWxy17C8/00001.wav")
    clip(tmp_path / "dev/aac/id00012/21Uxsk56VDQ/00001.wav", tmp_path / "test/aac/id00017/01dfn2spqyE/00001.wav")
    return tmp_path


@pytest.fixture
def vctk(tmp_path):
    """Release 0.92: two microphones, of which p280 has only the first."""
    root = tmp_path / "VCTK-Corpus-0.92"
    for stem in ("p225_001_mic1", "p225_001_mic2", "p226_001_mic1", "p226_001_mic2", "p280_001_mic1"):
        clip(root / "wav48_silence_trimmed" / stem[:4] / f"{stem}.flac", rate=48_000)
    (root / "speaker-info.txt").write_text(
        "ID  AGE  GENDER  ACCENTS  REGION COMMENTS \n"
        "p225  23  F    English    Southern  England\n"
        "p226  22  M    English    Surrey\n"
        "p280  25  F    Unknown    France  (mic2 files unavailable)\n"
    )
    return root


def test_librispeech_takes_sex_and_part_from_its_list_of_readers(librispeech):
    expected = [
        ("dev-clean/84/7/84-7-0000.flac", "84", "female", "dev"),
        ("test-clean/1089/7/1089-7-0000.flac", "1089", "male", "test"),
        ("train-clean-100/60/7/60-7-0000.flac", "60", "male", "train"),
        ("train-clean-360/14/7/14-7-0000.flac", "14", "female", "train"),
    ]
    assert read(librispeech) == ("librispeech", expected)
    assert read(librispeech.parent) == ("librispeech", expected)  # the folder that it was unpacked into


def test_a_reader_whose_name_holds_the_separator_is_read(librispeech):
    reader = read_speakers(librispeech / "SPEAKERS.TXT")["60"]
    assert (reader.sex, reader.subset, reader.name) == ("M", "train-clean-100", "|CBW|Simon")


def test_a_flat_folder_of_librispeech_is_read_too(tmp_path):
    clip(tmp_path / "audio/14-1-0000.flac", tmp_path / "audio/60-1-0001.flac")
    (tmp_path / "speakers.txt").write_text(SPEAKERS_TXT)
    assert [u[1:] for u in read(tmp_path)[1]] == [("14", "female", "train"), ("60", "male", "train")]


def test_recordings_that_the_metadata_does_not_name_are_counted(librispeech):
    clip(librispeech / "train-clean-100/999/1/999-1-0000.flac", librispeech / "me.wav")
    clips, notes = noted(librispeech)
    assert [speaker for _, speaker, _, _ in clips] == ["84", "1089", "60", "14"]
    assert notes == ["recordings left out, not listed in SPEAKERS.TXT: 2"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("84   | F | dev-clean        | 8.02  | Christie", "84   | F | Christie", "line 6: expected id | sex | subset"),
        ("174  ", "84   ", "line 7: reader 84 is in the file twice"),
    ],
)
def test_a_bad_line_among_the_readers_is_named(librispeech, old, new, says):
    (librispeech / "SPEAKERS.TXT").write_text(SPEAKERS_TXT.replace(old, new))
    with pytest.raises(BadTable) as error:
        read(librispeech)
    assert says in str(error.value)


def test_without_a_train_part_the_first_part_is_learnt_from(librispeech):
    for subset in ("train-clean-100", "train-clean-360"):
        (librispeech / subset).rename(librispeech.parent / subset)
    assert [u[1:] for u in read(librispeech)[1]] == [("84", "female", ""), ("1089", "male", "test")]
    (librispeech / "dev-clean").rename(librispeech.parent / "dev-clean")
    assert [u[1:] for u in read(librispeech)[1]] == [("1089", "male", "")]


def test_the_parts_that_a_corpus_states_can_be_read(librispeech):
    for subset in ("train-clean-100", "train-clean-360"):
        (librispeech / subset).rename(librispeech.parent / subset)
    corpus, place = detect(librispeech)
    assert [(u.speaker, u.split) for u in corpus.as_stated(place)] == [("84", "dev"), ("1089", "test")]


def test_speakers_go_by_the_name_of_a_published_corpus_or_of_their_folder(
    librispeech, common_voice, vctk, corpus, tmp_path, monkeypatch
):
    for root, name in ((librispeech, "librispeech"), (vctk, "vctk"), (corpus, "corpus")):
        assert names_of(*detect(root)) == name
    assert names_of(*detect(common_voice / "validated.tsv")) == "common-voice"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "metadata.csv").write_text("path,speaker,sex\n1.wav,84,male\n")
    monkeypatch.chdir(tmp_path / "mine")
    for place in (tmp_path / "mine", tmp_path / "mine" / "metadata.csv", Path(), Path("metadata.csv")):
        assert names_of(*detect(place)) == "mine"


def test_common_voice_reads_labels_of_both_kinds_and_its_three_lists_as_the_split(common_voice):
    expected = [
        ("clips/1.mp3", "ann", "female", "train"),
        ("clips/2.mp3", "bob", "male", "train"),
        ("clips/3.mp3", "cid", "male", "dev"),
        ("clips/4.mp3", "dee", "female", "test"),
    ]
    assert read(common_voice.parent) == ("common-voice", expected)


def test_common_voice_falls_back_on_the_validated_list_or_takes_the_one_that_is_named(common_voice):
    clip(common_voice / "clips/5.mp3")
    for n in (2, 3, 4):
        (common_voice / f"clips/{n}.mp3").unlink()
    expected = [("clips/1.mp3", "ann", "female", ""), ("clips/5.mp3", "eve", "female", "")]
    assert read(common_voice / "validated.tsv") == ("common-voice", expected)
    for part in ("train", "dev", "test"):
        (common_voice / f"{part}.tsv").unlink()
    assert read(common_voice) == ("common-voice", expected)


@pytest.mark.parametrize("label", ["other", "", "N/A", "transgender", "non-binary", "do_not_wish_to_say", "femal"])
def test_a_sex_that_is_not_stated_as_male_or_female_stays_unknown(common_voice, label):
    write_tsv(common_voice / "dev.tsv", [("cid", "3.mp3", label)])
    clips, notes = noted(common_voice)
    assert [speaker for _, speaker, _, _ in clips] == ["ann", "bob", "dee"]
    seen = f"1 {label.lower()!r}" if label else "1 blank"
    assert notes == [f"1 of 4 clips left out, their sex is neither male nor female ({seen})"]


def test_a_client_in_two_lists_is_kept_in_the_later_part(common_voice):
    write_tsv(common_voice / "train.tsv", [("ann", "1.mp3", "female"), ("dee", "2.mp3", "female")])
    write_tsv(common_voice / "dev.tsv", [("dee", "3.mp3", "female")])
    clips, notes = noted(common_voice)
    assert clips == [("clips/1.mp3", "ann", "female", "train"), ("clips/4.mp3", "dee", "female", "test")]
    assert notes == ["clips left out, their speakers are in a later part too (of train, dev, test): 2"]


def test_a_client_of_both_sexes_is_left_out_whole(common_voice):
    write_tsv(common_voice / "train.tsv", [("ann", "1.mp3", "female"), ("ann", "2.mp3", "male_masculine")])
    clips, notes = noted(common_voice)
    assert [speaker for _, speaker, _, _ in clips] == ["cid", "dee"]
    assert notes == ["clips left out, their speakers are listed as male and as female: 2 (speakers: ann)"]


def test_clips_that_are_not_there_and_clips_that_no_list_names_are_counted(common_voice):
    (common_voice / "clips/2.mp3").unlink()
    (common_voice / "clips/3.mp3").unlink()
    clip(common_voice / "clips/8.mp3")
    clips, notes = noted(common_voice)
    assert [path for path, *_ in clips] == ["clips/1.mp3", "clips/4.mp3"]
    assert notes == [
        "files listed in train.tsv, dev.tsv, test.tsv that do not exist: 2 (the first: 2.mp3)",
        "recordings left out, not listed in train.tsv, dev.tsv, test.tsv: 1",
    ]


def test_clips_named_without_an_ending_are_mp3_as_in_the_first_releases(common_voice):
    write_tsv(common_voice / "train.tsv", [("ann", "1", "female"), ("bob", "2", "male")])
    assert [path for path, *_ in read(common_voice)[1]] == [f"clips/{n}.mp3" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda t: t.replace("gender", "sex"), "'gender' is missing from the header"),
        (lambda t: t.replace("bob\t", "bob\t\t"), "train.tsv, line 3: 10 cells where the header has 9"),
        (lambda t: t.replace("2.mp3", "1.mp3"), "line 3, column 'path': 1.mp3 is in the file twice"),
        (lambda t: t.replace("bob", "b\xf6b").encode("latin-1"), "train.tsv, line 3: this is not UTF-8"),
        (lambda t: t.encode("utf-16"), "UTF-16"),
    ],
)
def test_a_bad_tsv_says_where(common_voice, damage, says):
    damaged = damage((common_voice / "train.tsv").read_text())
    (common_voice / "train.tsv").write_bytes(damaged.encode() if isinstance(damaged, str) else damaged)
    with pytest.raises(BadTable) as error:
        read(common_voice)
    assert says in str(error.value)


def test_a_tsv_without_its_clips_says_where_they_belong(common_voice):
    (common_voice / "clips").rename(common_voice / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"train\.tsv lists clips, but there is no folder .*en/clips"):
        read(common_voice / "train.tsv")


def test_a_quotation_mark_in_a_tsv_swallows_no_row(tmp_path):
    (tmp_path / "t.tsv").write_bytes(b'\xef\xbb\xbfa\tb\r\n"x\ty\r\n\r\nNA\t0001"\r\n')
    assert list(tab_rows(tmp_path / "t.tsv", ["b", "a"])) == [(2, ["y", '"x']), (4, ['0001"', "NA"])]


def test_voxceleb_reads_both_of_its_tables_and_learns_from_dev(voxceleb):
    assert read(voxceleb) == (
        "voxceleb",
        [
            ("dev/aac/id00012/21Uxsk56VDQ/00001.wav", "id00012", "female", ""),
            ("test/aac/id00017/01dfn2spqyE/00001.wav", "id00017", "male", "test"),
            ("vox1_dev_wav/wav/id10001/1zcIwhmdeo4/00001.wav", "id10001", "male", ""),
            ("vox1_test_wav/wav/id10270/5r0dWxy17C8/00001.wav", "id10270", "female", "test"),
        ],
    )


def test_the_second_voxceleb_table_may_have_tabs(voxceleb):
    before = read(voxceleb)
    table = voxceleb / "vox2_meta.csv"
    table.write_text(table.read_text().replace(" ,", "\t"))
    assert read(voxceleb) == before


def test_voxceleb_tables_that_contradict_each_other_or_hold_another_set_are_named(voxceleb):
    table = voxceleb / "vox2_meta.csv"
    text = table.read_text()
    table.write_text(text.replace("id00012", "id10001"))
    with pytest.raises(BadTable, match=r"vox2_meta\.csv, line 2: speaker id10001 is listed above with another sex"):
        read(voxceleb)
    table.write_text(text.replace(",f ,dev", ",f ,val"))
    with pytest.raises(BadTable, match=r"line 2, column 'Set': expected dev or test, got 'val'"):
        read(voxceleb)


def test_voxceleb_as_m4a_needs_pyav(tmp_path, monkeypatch):
    (tmp_path / "vox2_meta.csv").write_text("VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \nid00012 ,n000012 ,m ,dev \n")
    clip(tmp_path / "dev/aac/id00012/21Uxsk56VDQ/00001.m4a")
    monkeypatch.setattr("features.audio.find_spec", lambda name: name)
    assert [u[1:] for u in read(tmp_path)[1]] == [("id00012", "male", "")]
    monkeypatch.setattr("features.audio.find_spec", lambda name: None)
    with (
        pytest.warns(UserWarning, match=r"PyAV is not installed: 1 \(\.m4a 1; the first: dev/aac.*: pip install av"),
        pytest.raises(ValueError, match="no clip is left"),
    ):
        detect(tmp_path)[0].read(tmp_path)


def test_vctk_takes_one_of_two_microphones(vctk):
    assert read(vctk) == (
        "vctk",
        [
            ("wav48_silence_trimmed/p225/p225_001_mic1.flac", "p225", "female", ""),
            ("wav48_silence_trimmed/p226/p226_001_mic1.flac", "p226", "male", ""),
            ("wav48_silence_trimmed/p280/p280_001_mic1.flac", "p280", "female", ""),
        ],
    )


def test_the_earlier_release_of_vctk_has_ids_without_p(tmp_path):
    clip(tmp_path / "wav48/p225/p225_001.wav", tmp_path / "wav48/p226/p226_001.wav")
    (tmp_path / "speaker-info.txt").write_text(
        "ID  AGE  GENDER  ACCENTS  REGION\n225  23  F  English\n226  22  M  English\n"
    )
    assert [u[1:] for u in read(tmp_path)[1]] == [("p225", "female", ""), ("p226", "male", "")]


def test_vctk_at_two_rates_side_by_side_is_refused(vctk):
    clip(vctk / "wav16/p225/p225_001_mic1.flac")
    with pytest.raises(ValueError, match=r"wav48_silence_trimmed/p225/p225_001_mic1\.flac is in .*wav16/p225 too"):
        read(vctk)


@pytest.mark.parametrize(
    ("line", "says"),
    [("p225  23", "line 5: expected id, age, sex"), ("p225 1 M", "line 5: speaker p225 is in the file twice")],
)
def test_a_bad_line_among_vctk_speakers_is_named(vctk, line, says):
    with (vctk / "speaker-info.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(BadTable, match=says):
        read(vctk)


def test_a_folder_for_each_class_and_a_table_are_recognised_as_well(corpus, tmp_path):
    name, clips = read(corpus)
    assert (name, len(clips)) == ("folders", 12)
    table = tmp_path / "list" / "metadata.csv"
    table.parent.mkdir()
    table.write_text("speaker,sex,path\n1,M,a.wav\n2,f,b.wav\n")
    expected = ("table", [("a.wav", "1", "male", ""), ("b.wav", "2", "female", "")])
    assert read(table) == expected
    assert read(table.parent) == expected


def test_what_is_not_a_corpus_is_refused_with_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    clip(tmp_path / "Male" / "1.wav")
    with pytest.raises(ValueError, match="is not a corpus that can be read") as error:
        detect(tmp_path)
    assert all(f"{corpus.name}: {corpus.sign}" in str(error.value) for corpus in CORPORA)
    assert str(error.value).endswith("It holds: Male, notes.txt")
    with pytest.raises(ValueError, match="It is a file of another kind"):
        detect(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError, match="gone is not a folder"):
        detect(tmp_path / "gone")
    with pytest.raises(
        ValueError, match="no corpus 'timit': expected one of folders, librispeech, common-voice, voxceleb, vctk, table"
    ):
        detect(tmp_path, "timit")


def test_a_folder_inside_a_corpus_names_the_one_above(librispeech):
    for inside in ("dev-clean", "dev-clean/84"):
        with pytest.raises(ValueError, match=r"LibriSpeech is a corpus of the kind librispeech: name that folder$"):
            detect(librispeech / inside)


def test_two_corpora_in_one_folder_are_refused_until_one_is_named(librispeech, tmp_path):
    (librispeech / "metadata.csv").write_text("path,speaker,sex\ndev-clean/84/7/84-7-0000.flac,84,female\n")
    with pytest.raises(ValueError, match=r"more than one corpus \(librispeech in .*, table in .*\): .* --corpus"):
        detect(librispeech)
    assert read(librispeech, "librispeech")[0] == "librispeech"
    assert read(librispeech, "table") == ("table", [("dev-clean/84/7/84-7-0000.flac", "84", "female", "")])
    (tmp_path / "again" / "SPEAKERS.TXT").parent.mkdir()
    (tmp_path / "again" / "SPEAKERS.TXT").write_text(SPEAKERS_TXT)
    with pytest.raises(ValueError, match=r"librispeech in .*LibriSpeech, .*librispeech in .*again|again.*LibriSpeech"):
        detect(tmp_path, "librispeech")


def test_a_corpus_without_a_usable_clip_says_so(librispeech):
    text = SPEAKERS_TXT.replace("| F |", "| ? |").replace("| M |", "| ? |")
    (librispeech / "SPEAKERS.TXT").write_text(text)
    with (
        pytest.warns(UserWarning, match=r"4 of 4 clips left out.*4 '\?'"),
        pytest.raises(ValueError, match=r"no clip is left whose speaker is stated.*\.flac"),
    ):
        detect(librispeech)[0].read(librispeech)


def test_clips_of_unknown_speakers_stay_and_the_summary_counts_them(tmp_path):
    clips = [Utterance(Path(f"{n}.wav"), None if n else "x", "male", "train" if n else "test") for n in (2, 0, 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = settled(clips, tmp_path)
    assert [u.path.name for u in kept] == ["0.wav", "1.wav", "2.wav"]
    assert summary(CORPORA[1], Path("x"), kept) == (
        "x is taken for LibriSpeech (librispeech): 3 clips, 1 speaker (1 male, 0 female), 2 clips of unknown speakers"
    )


def test_a_corpus_of_mixed_rates_becomes_tables(librispeech, tmp_path):
    for n, rate in enumerate((8_000, 44_100, 48_000), start=1):
        clip(librispeech / f"train-clean-100/60/7/60-7-000{n}.flac", rate=rate)
    clip(librispeech / "test-clean/1089/7/14-8-0000.flac")  # reader 14 is of the training part wherever the file lies
    clips = detect(librispeech)[0].read(librispeech)
    result = extract([u for u in clips if u.split != "test"], tmp_path / "out")
    assert result.failed == []
    assert result.rows == {"male_features.csv": 4, "female_features.csv": 3}
    rows = read_rows(tmp_path / "out" / "female_rows.csv", "female", 3)
    assert Counter((u.speaker, u.split) for u in rows) == {("84", "dev"): 1, ("14", "train"): 2}
    assert len({u.speaker for u in clips}) == 4


def test_the_published_list_of_readers_agrees_with_every_real_clip(shared_data):
    folder = shared_data / "librispeech_251"
    readers = read_speakers(folder / "SPEAKERS.TXT")
    assert Counter(reader.sex for reader in readers.values()) == {"M": 1283, "F": 1201}  # openslr.org/12
    assert readers["60"].name == "|CBW|Simon"
    _, clips = read(folder, "librispeech")
    with (folder / "metadata.csv").open(newline="") as file:
        stated = {row["path"]: (row["speaker"], row["sex"]) for row in csv.DictReader(file)}
    assert {path: (speaker, sex) for path, speaker, sex, _ in clips} == stated
    assert Counter(sex for _, _, sex, _ in clips) == {"male": 126, "female": 125}
    assert {split for *_, split in clips} == {"train"}
