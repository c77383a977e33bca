"""The digit corpus's reader: what the published files hold arrives whole, and what is wrong with them is named."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from features.csv_files import BadTable
from features.digits import read_digits, speaker_folds

HEADER = ["path", "speaker", "sex", "split", "digit", "repetition", "n_frames"]


@pytest.fixture
def corpus(tmp_path):
    """Eight speakers with two clips each: 1 to 4 frames of 3 coefficients; the last two speakers are the test's."""
    lengths = [n % 4 + 1 for n in range(16)]
    frames = np.random.default_rng(0).standard_normal((sum(lengths), 3)).astype("float32")  # (M, 3)
    rows = [
        [
            f"sad.npz#{n}",
            f"s{n // 2}",
            ("male", "female")[n // 2 % 2],
            "train" if n < 12 else "test",
            n % 10,
            0,
            lengths[n],
        ]
        for n in range(16)
    ]
    write(tmp_path, frames, np.cumsum([0, *lengths]), rows)
    return tmp_path


def write(folder, frames, offsets, rows):
    np.savez(folder / "sad.npz", frames=frames, offsets=offsets)
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])


def stored(folder):
    with np.load(folder / "sad.npz") as arrays:
        return arrays["frames"], arrays["offsets"]


def change(folder, old, new):
    path = folder / "metadata.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_every_clip_is_its_own_stretch_of_the_frames(corpus):
    clips, (frames, offsets) = read_digits(corpus), stored(corpus)
    assert [len(s) for s in clips.sequences] == np.diff(offsets).tolist()
    np.testing.assert_array_equal(np.concatenate(clips.sequences), frames)
    assert clips.digits.tolist() == [n % 10 for n in range(16)]
    assert clips.sexes.tolist() == [1, 1, 0, 0] * 4
    assert clips.speakers.tolist() == [f"s{n // 2}" for n in range(16)]
    assert clips.splits.tolist() == ["train"] * 12 + ["test"] * 4


def test_taking_rows_takes_everything_about_them(corpus):
    clips = read_digits(corpus)
    part = clips.take(clips.splits == "test")
    assert len(part) == 4
    assert part.speakers.tolist() == ["s6", "s6", "s7", "s7"]
    np.testing.assert_array_equal(part.sequences[1], clips.sequences[13])
    assert clips.take(np.array([3, 1])).digits.tolist() == [3, 1]


def test_folds_keep_speakers_whole_and_sexes_even(corpus):
    clips = read_digits(corpus)
    fold = speaker_folds(clips, 4, seed=3)
    for speaker in set(clips.speakers):
        assert len(set(fold[clips.speakers == speaker])) == 1
    for k in range(4):
        assert sorted(clips.sexes[fold == k]) == [0, 0, 1, 1]
    assert (fold == speaker_folds(clips, 4, seed=3)).all()
    assert (fold != speaker_folds(clips, 4, seed=4)).any()
    with pytest.raises(ValueError, match="5 folds need at least as many female speakers, got 4"):
        speaker_folds(clips, 5)


@pytest.mark.parametrize("name", ["sad.npz", "metadata.csv"])
def test_a_folder_without_its_files_is_refused_with_what_belongs_there(corpus, name):
    (corpus / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}: name the folder of the Spoken Arabic Digit corpus"):
        read_digits(corpus)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("s0,male,train,0", "s0,man,train,0", "line 2, column 'sex': expected female, male, got 'man'"),
        ("s0,male,train,1", "s0,male,dev,1", "line 3, column 'split': expected train, test, got 'dev'"),
        ("s1,female,train,2", "s1,female,train,10", "line 4, column 'digit': expected 0, 1, .*, 9, got '10'"),
        ("s1,female", ",female", "line 4, column 'speaker': the speaker is missing"),
        ("s5,female,train,1", "s5,female,test,1", "line 13, column 'split': speaker 's5' is train above, here test"),
        ("s5,female,train,1", "s5,male,train,1", "line 13, column 'sex': speaker 's5' is female above, here male"),
        ("speaker", "name", "'speaker' is missing from the header"),
    ],
)
def test_a_bad_row_is_named_by_line_and_column(corpus, old, new, words):
    change(corpus, old, new)
    with pytest.raises(BadTable, match=words):
        read_digits(corpus)


def test_a_table_without_clips_is_refused(corpus):
    write(corpus, *stored(corpus), [])
    with pytest.raises(BadTable, match="a header, but no rows"):
        read_digits(corpus)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (lambda f, o: {"frames": f}, "is not an .npz with the arrays frames and offsets"),
        (
            lambda f, o: {"frames": f.ravel(), "offsets": o},
            r"expected frames \(M, D\) of floats .*, got frames \(120,\)",
        ),
        (lambda f, o: {"frames": f, "offsets": o * 1.0}, "of float32 and offsets .* of float64"),
        (lambda f, o: {"frames": f, "offsets": o[:-1]}, "holds 15 clips, but metadata.csv has 16 rows"),
        (lambda f, o: {"frames": f[:-1], "offsets": o}, "must rise from 0 to 39, .* run from 0 to 40"),
        (lambda f, o: {"frames": f, "offsets": np.r_[o[:2], o[1], o[3:]]}, "the shortest clip has 0 frames"),
        (
            lambda f, o: {"frames": np.where(np.arange(40)[:, None] == 3, np.nan, f), "offsets": o},
            "of clip 2 .* hold NaN",
        ),
        (
            lambda f, o: {"frames": f.astype(object), "offsets": o},
            "is not an .npz with the arrays",
        ),  # a pickle, not loaded
    ],
)
def test_bad_arrays_are_named(corpus, arrays, words):
    np.savez(corpus / "sad.npz", **arrays(*stored(corpus)))
    with pytest.raises(ValueError, match=words):
        read_digits(corpus)


def test_a_file_of_another_kind_is_refused(corpus):
    (corpus / "sad.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"is not an \.npz with the arrays"):
        read_digits(corpus)


def test_the_published_corpus_is_read_whole():
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("LSTM_ENGINE_DATA", root.parent / "shared" / "data")) / "spoken_arabic_digits"
    if not folder.is_dir():
        pytest.skip(f"real data missing: no {folder} (set LSTM_ENGINE_DATA to the folder above it)")
    clips = read_digits(folder)
    lengths = [len(s) for s in clips.sequences]
    assert (len(clips), sum(lengths), min(lengths), max(lengths)) == (8800, 350_319, 4, 93)
    for split, speakers in (
        ("train", 66),
        ("test", 22),
    ):  # as the documentation says: half of them men, 10 x 10 clips each
        part = clips.take(clips.splits == split)
        names, counts = np.unique(part.speakers, return_counts=True)
        assert (len(names), set(counts), part.sexes.mean()) == (speakers, {100}, 0.5)
        assert (np.bincount(part.digits) == 10 * speakers).all()
