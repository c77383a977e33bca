import csv
import json
import os

import numpy as np
import pytest
import soundfile as sf

from features.clips import read_variants
from features.corpora import Utterance, class_folders, table, windows
from features.extraction import extract
from features.recipes import TUTORIAL, recipe_named, variant_of
from features.store import open_store
from features.tables import read_features, read_rows


def contents(folder):
    """Every file under a folder, hidden ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_extraction_writes_the_tables_their_origins_and_the_recipe(utterances, tmp_path):
    seen = []
    result = extract(utterances, tmp_path / "out", progress=lambda *counts: seen.append(counts))
    names = [
        "recipe.json",
        "manifest.jsonl",
        "shards/00000.safetensors",
        *(f"{s}{t}_{k}.csv" for s in ("male", "female") for t in ("", "_test") for k in ("features", "rows")),
    ]
    assert set(contents(tmp_path / "out")) == set(names)
    assert result.rows == {
        "male_features.csv": 4, "female_features.csv": 4, "male_test_features.csv": 2, "female_test_features.csv": 2
    }  # fmt: skip
    assert result.failed == []
    assert seen == [(k, 12, float(k)) for k in range(13)]  # clips of 1 s
    assert (result.clips, result.measured, result.seconds) == (12, 12, 12.0)
    assert json.loads((tmp_path / "out" / "recipe.json").read_text()) == TUTORIAL.stamp()


def test_a_row_is_the_recipe_of_the_clip_that_its_origin_names(utterances, corpus, tmp_path):
    extract(utterances, tmp_path / "out")
    features = read_features(tmp_path / "out" / "female_features.csv", "female")
    origins = read_rows(tmp_path / "out" / "female_rows.csv", "female", 4)
    assert [u.path.as_posix() for u in origins] == [f"Female/{s}/{k}.wav" for s in "cd" for k in (0, 1)]
    for row, u in zip(features, origins, strict=True):
        np.testing.assert_array_equal(row[1:], TUTORIAL.measure(*sf.read(corpus / u.path))[0])


def test_the_tables_are_the_same_bytes_for_any_number_of_workers(utterances, corpus, tmp_path):
    (corpus / "Male" / "a" / "2.wav").write_bytes(b"broken")
    utterances = class_folders(corpus / "Male", corpus / "Female")
    for jobs in (1, 2, 3):
        extract(utterances, tmp_path / str(jobs), jobs=jobs)
    assert contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "3")


def test_a_bad_clip_is_reported_and_stops_no_other(corpus, tmp_path):
    (corpus / "Male" / "a" / "0.wav").write_bytes(b"broken")
    sf.write(corpus / "Female" / "=c.wav", np.zeros(16_000), 16_000)
    result = extract(class_folders(corpus / "Male", corpus / "Female"), tmp_path / "out")
    assert result.rows == {"male_features.csv": 3, "female_features.csv": 4}
    with (tmp_path / "out" / "failed.csv").open(newline="") as file:
        failed = list(csv.DictReader(file))
    assert [(f["path"], f["reason"]) for f in failed] == [("Female/=c.wav", "silent"), ("Male/a/0.wav", "undecodable")]
    assert str(tmp_path) not in (tmp_path / "out" / "failed.csv").read_text()  # no machine's path in a table


def test_nothing_is_overwritten_unless_asked(utterances, tmp_path):
    extract(utterances, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(FileExistsError, match=r"recipe tutorial and frames.*--force"):
        extract(utterances[:8], tmp_path / "out", recipe=recipe_named("frames"))
    assert contents(tmp_path / "out") == before
    extract([u for u in utterances if u.split != "test"], tmp_path / "out", force=True)
    assert "male_test_features.csv" not in contents(tmp_path / "out")  # no table of the earlier run stays behind


def test_a_sex_without_a_usable_clip_is_an_error_that_says_why(corpus, tmp_path):
    for clip in (corpus / "Female").rglob("*.wav"):
        clip.write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"4 of 8 failed \(4 empty; the first, .*Female/c/0\.wav.* no usable female clip"
    ):
        extract(class_folders(corpus / "Male", corpus / "Female"), tmp_path / "out")
    assert [name for name in contents(tmp_path / "out") if name.endswith((".csv", "recipe.json"))] == []
    with pytest.raises(ValueError, match="there is no usable male clip"):
        extract([], tmp_path / "out")


def test_rows_of_the_published_tables_are_made_again_from_the_recordings(shared_data, tmp_path):
    # Pitch: the file keeps 6 decimals. MFCC: float32 up to 612, where one step is 6.1e-5, and another BLAS may sum
    # in another order: two steps.
    speakers = {"103", "1034", "1040", "1069", "118"}
    clips = [u for u in table(shared_data / "librispeech_251" / "metadata.csv") if u.speaker in speakers]
    cut = windows(clips, 5.3, least=4.0)
    extract(cut, tmp_path / "out")
    for sex in ("male", "female"):
        published = read_features(shared_data / "tutorial_csv" / f"{sex}_features.csv", sex)
        with (shared_data / "tutorial_csv" / f"{sex}_rows.csv").open(newline="") as file:
            chosen = [int(row["row"]) for row in csv.DictReader(file) if row["speaker"] in speakers]
        ours = read_features(tmp_path / "out" / f"{sex}_features.csv", sex)
        assert len(ours) == len(chosen) >= 4
        np.testing.assert_allclose(ours[:, 1], published[chosen, 1], rtol=0, atol=5.1e-7)
        np.testing.assert_allclose(ours[:, 2:], published[chosen, 2:], rtol=0, atol=1.3e-4)


def test_one_clip_a_sex_in_one_folder_is_enough_and_no_cell_becomes_a_formula(corpus, tmp_path):
    (corpus / "Male/a/=2+3.wav").write_bytes(b"broken")
    sexes = {"0.wav": "male", "1.wav": "female", "=2+3.wav": "male"}
    result = extract([Utterance(corpus / "Male/a" / name, None, sex) for name, sex in sexes.items()], tmp_path / "out")
    assert read_rows(tmp_path / "out" / "male_rows.csv", "male", 1)[0].path.as_posix() == "0.wav"
    assert result.failed[0][0] == "=2+3.wav"
    assert "\n'=2+3.wav,undecodable," in (tmp_path / "out" / "failed.csv").read_text()


@pytest.fixture
def unusable(corpus, tmp_path):
    """Files that are no voice, by the reason that each is to be refused with, beside the good clips of a corpus."""
    tone = 0.3 * np.sin(2 * np.pi * 150 * np.arange(32_000) / 16_000)
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 32_000)
    folder, reasons = corpus / "Male" / "x", {}
    folder.mkdir()

    def put(name, reason, content):
        reasons[f"Male/x/{name}"] = reason
        (folder / name).write_bytes(content)

    def encoded(ending, samples=noise, **settings):
        sf.write(tmp_path / f"whole.{ending}", samples, 16_000, **settings)
        return (tmp_path / f"whole.{ending}").read_bytes()

    def spoilt(value):
        return encoded("wav", np.where(np.arange(32_000) == 99, value, tone), subtype="FLOAT")

    whole = encoded("wav")
    put("0 bytes.wav", "empty", b"")
    put("0 samples.wav", "empty", encoded("wav", []))
    put("0 channels.wav", "undecodable", whole[:22] + b"\0\0" + whole[24:])
    put("cut.wav", "truncated", whole[:9000])
    put("cut.flac", "truncated", (flac := encoded("flac"))[: len(flac) // 2])
    put("cut.mp3", "truncated", (mp3 := encoded("mp3"))[: len(mp3) // 2])
    put("silent.wav", "silent", encoded("wav", np.zeros(32_000)))
    put("anti-phase.wav", "silent", encoded("wav", np.stack([tone, -tone], axis=1)))
    put("absurd rate.wav", "rate", whole[:24] + (2**31 - 1).to_bytes(4, "little") + whole[28:])
    put("nan.wav", "not_finite", spoilt(np.nan))
    put("infinite.wav", "not_finite", spoilt(np.inf))
    put("1e30.wav", "out_of_range", spoilt(1e30))
    put("short.wav", "too_short", encoded("wav", tone[:900]))
    sf.write(folder / "long.wav", np.zeros(601 * 4_000), 4_000)
    reasons["Male/x/long.wav"] = "too_long"
    put("words.wav", "undecodable", b"these are words")
    put("picture.wav", "undecodable", b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(2000))
    put("webm.wav", "undecodable", b"\x1aE\xdf\xa3" + bytes(2000))
    (folder / "folder.wav").mkdir()
    os.mkfifo(folder / "pipe.wav")
    reasons |= {"Male/x/folder.wav": "not_a_file", "Male/x/pipe.wav": "not_a_file", "Male/x/gone.wav": "missing"}
    return reasons


@pytest.mark.skipif(os.name != "posix", reason="there are no pipes in folders")
@pytest.mark.parametrize("recipe", [TUTORIAL, recipe_named("frames")], ids=["tutorial", "frames"])
def test_what_is_no_voice_is_listed_with_its_reason_and_is_never_a_row(utterances, corpus, unusable, tmp_path, recipe):
    clips = utterances + [Utterance(corpus / path, "male/x", "male") for path in unusable]
    result = extract(clips, tmp_path / "out", jobs=2, recipe=recipe, csv=True)
    assert {path: reason for path, reason, _ in result.failed} == unusable
    assert sum(result.rows.values()) == len(utterances)
    entries = {entry.path: entry for entry in open_store(tmp_path / "out").manifest}
    assert {path: entry.reason for path, entry in entries.items() if entry.status == "failed"} == unusable
    assert all(entries[path].index is None and entries[path].sha256 is None for path in unusable)
    for origins in tmp_path.glob("out/*_rows.csv"):
        assert "/x/" not in origins.read_text()
    failed = (tmp_path / "out" / "failed.csv").read_text()
    assert all(path in failed for path in unusable)
    assert str(tmp_path) not in failed


def test_tables_of_frames_hold_what_was_measured(utterances, corpus, tmp_path):
    recipe = recipe_named("frames")
    result = extract(utterances, tmp_path / "out", recipe=recipe, csv=True)
    assert result.rows == {
        "male_frames.csv": 4, "female_frames.csv": 4, "male_test_frames.csv": 2, "female_test_frames.csv": 2
    }  # fmt: skip
    with (tmp_path / "out" / "female_frames.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    origins = read_rows(tmp_path / "out" / "female_rows.csv", "female", 4)
    for n, u in enumerate(origins):
        frames = recipe.measure(*sf.read(corpus / u.path))
        rows = [line for line in lines if line["row"] == str(n)]
        assert [line["frame"] for line in rows] == [str(t) for t in range(len(frames))]
        written = np.array([[line[name] for name in recipe.columns] for line in rows]).astype(np.float32)
        np.testing.assert_array_equal(written, frames)
    assert {line["label"] for line in lines} == {"female"}


def test_frames_of_one_sex_are_enough_and_of_nobody_are_not(corpus, tmp_path):
    recipe = recipe_named("frames")
    men = [Utterance(corpus / "Male/a" / f"{n}.wav", None, "male") for n in (0, 1)]
    assert extract(men, tmp_path / "men", recipe=recipe).rows == {"manifest.jsonl": 2}
    for u in men:
        u.path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"2 of 2 failed \(2 empty; .*so there is no usable clip"):
        extract(men, tmp_path / "nobody", recipe=recipe)


def test_variants_are_the_clips_changed_at_random_each_by_its_number(corpus, tmp_path):
    clips = class_folders(corpus / "Male", corpus / "Female")[2:6]
    counts, recipe = [], recipe_named("frames", deltas=True)
    extract(
        clips,
        tmp_path / "out",
        recipe=recipe,
        variants=2,
        corpus="home",
        progress=lambda *count: counts.append(count[:2]),
    )
    for number in (1, 2):
        extract(clips, tmp_path / "alone", recipe=variant_of(recipe, number), force=True, corpus="home")
        assert contents(tmp_path / "out" / "variants" / str(number)) == contents(tmp_path / "alone")
    assert counts == [(done, 12) for done in (0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10, 11, 12)]
    extract(clips, tmp_path / "out", recipe=recipe, variants=1, corpus="home")  # what is there already stays
    assert [len(variant) for variant in read_variants(tmp_path / "out")] == [4, 4, 4]
    extract(clips, tmp_path / "out", recipe=recipe, corpus="home", force=True)
    assert [len(variant) for variant in read_variants(tmp_path / "out")] == [4]


def test_a_clip_that_cannot_be_measured_in_a_variant_is_listed(corpus, tmp_path):
    sf.write(corpus / "Male" / "a" / "short.wav", 0.3 * np.sin(np.arange(16_000 * 0.08)), 16_000)  # a step needs 0.1 s
    (corpus / "Male" / "a" / "broken.wav").write_bytes(b"broken")
    clips = [Utterance(corpus / "Male" / "a" / f"{name}.wav", "a", "male") for name in ("0", "broken", "short")]
    result = extract(clips, tmp_path / "out", recipe=recipe_named("frames"), variants=2)
    assert [(path, reason) for path, reason, _ in result.failed] == [("broken.wav", "undecodable")]
    assert [(path, reason) for path, reason, _ in result.failed_variants] == [("short.wav", "unmeasurable")]


def test_the_tutorials_recipe_has_no_variants(utterances, tmp_path):
    with pytest.raises(ValueError, match="variants go with the recipe frames, not with tutorial"):
        extract(utterances, tmp_path / "out", variants=1)
    assert not (tmp_path / "out").exists()


def test_tables_without_a_store_are_not_written_over(utterances, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "male_features.csv").write_text("mine")
    for recipe in (TUTORIAL, recipe_named("frames")):
        with pytest.raises(FileExistsError, match=r"male_features\.csv exists.*--force"):
            extract(utterances, tmp_path / "out", recipe=recipe)
    assert contents(tmp_path / "out") == {"male_features.csv": b"mine"}
