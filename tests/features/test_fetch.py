"""fetch against a server on this machine that cuts the line, lies about ranges, sends other bytes: resumed, or refused."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from features import fetch as module
from features.corpora import detect
from features.fetch import ARCHIVES, BY_HAND, fetch

NAME = "librispeech-dev-clean"
FLAC = np.random.default_rng(0).bytes(20_000)  # which gzip cannot make shorter
MEMBERS = {
    "LibriSpeech/SPEAKERS.TXT": b"; comment\n84 | F | dev-clean | 8.02 | Christie Nowak\n",
    "LibriSpeech/dev-clean/84/121123/84-121123-0000.flac": FLAC,
}


def packed(members):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content` at every address; the lists are taken from its front, one entry a request."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.ranges = True
        self.shift = 0  # bytes between the range that is asked for and the one that is sent
        self.cut_after: list[int] = []  # bytes of the body, then the line is cut
        self.answers: list[int] = []  # another status instead of the file
        self.requests: list[tuple[str, str | None]] = []  # (path, Range)
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # a client that hangs up


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        if self.server.answers:
            return self.send_error(self.server.answers.pop(0))
        content, start = self.server.content, 0
        if wanted and self.server.ranges:
            start = int(wanted[6:-1]) + self.server.shift
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: self.server.cut_after.pop(0)] if self.server.cut_after else body)

    def log_message(self, format, *args):
        pass


@pytest.fixture
def archive() -> bytes:
    return packed(MEMBERS)


@pytest.fixture
def server(archive: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The published address, as far as `fetch` knows; its checksum is that of the small archive."""
    monkeypatch.setattr(module, "WAIT_S", 0.0)
    monkeypatch.setattr(module, "TIMEOUT_S", 10.0)
    with Server(archive) as server:
        url = f"{server.address}/12/dev-clean.tar.gz"
        monkeypatch.setitem(ARCHIVES, NAME, replace(ARCHIVES[NAME], url=url, md5=hashlib.md5(archive).hexdigest()))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def begun(out, name, content):
    """What an earlier call left: `name` in the folder of what is not finished."""
    (out / "dev-clean.tar.gz.part").mkdir()
    (out / "dev-clean.tar.gz.part" / name).write_bytes(content)


def unpacked(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_an_archive_is_fetched_unpacked_and_recognised(server, tmp_path):
    assert fetch(NAME, tmp_path / "new" / "out") == (tmp_path / "new/out/LibriSpeech/dev-clean", True)
    assert unpacked(tmp_path / "new" / "out") == MEMBERS  # the archive does not stay
    assert [p.name for p in (tmp_path / "new" / "out").iterdir()] == ["LibriSpeech"]
    assert server.requests == [("/12/dev-clean.tar.gz", None)]
    corpus, place = detect(tmp_path / "new" / "out")
    assert [(u.speaker, u.sex) for u in corpus.read(place)] == [("84", "female")]


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    fetch(NAME, tmp_path)
    assert fetch(NAME, tmp_path) == (tmp_path / "LibriSpeech/dev-clean", False)
    assert len(server.requests) == 1


def test_a_mirror_holds_the_file_under_its_name(server, tmp_path, monkeypatch):
    monkeypatch.setitem(ARCHIVES, NAME, replace(ARCHIVES[NAME], url="http://nowhere.invalid/dev-clean.tar.gz"))
    fetch(NAME, tmp_path, mirror=f"{server.address}/mirror/")
    assert server.requests == [("/mirror/dev-clean.tar.gz", None)]
    assert unpacked(tmp_path) == MEMBERS


def test_two_subsets_of_one_corpus_share_its_folder(server, tmp_path, monkeypatch):
    fetch(NAME, tmp_path)
    other = {name.replace("dev-clean", "test-clean").replace("84", "61"): content for name, content in MEMBERS.items()}
    server.content = packed(other)
    name, md5 = "librispeech-test-clean", hashlib.md5(server.content).hexdigest()
    monkeypatch.setitem(ARCHIVES, name, replace(ARCHIVES[name], md5=md5))
    fetch(name, tmp_path, mirror=server.address)
    assert unpacked(tmp_path) == MEMBERS | other


def test_a_cut_connection_is_resumed_where_it_was_cut(server, archive, tmp_path):
    server.cut_after = [1000, 0, 500]
    fetch(NAME, tmp_path)
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-", "bytes=1000-", "bytes=1500-"]
    assert unpacked(tmp_path) == MEMBERS


def test_cuts_without_end_are_given_up_and_the_next_call_goes_on(server, archive, tmp_path):
    server.cut_after = [700] + [0] * module.TRIES
    with pytest.raises(
        ConnectionError, match=r"cut after 700 of .* 5 times in a row\. 700 bytes are kept in .*--mirror"
    ):
        fetch(NAME, tmp_path)
    assert (tmp_path / "dev-clean.tar.gz.part/download").read_bytes() == archive[:700]
    assert len(server.requests) == 1 + module.TRIES
    fetch(NAME, tmp_path)
    assert server.requests[-1][1] == "bytes=700-"
    assert unpacked(tmp_path) == MEMBERS


def test_many_cuts_that_each_bring_something_are_not_given_up(server, tmp_path):
    server.cut_after = [100] * (3 * module.TRIES)
    fetch(NAME, tmp_path)
    assert server.requests[-1][1] == f"bytes={100 * 3 * module.TRIES}-"
    assert unpacked(tmp_path) == MEMBERS


def test_a_server_that_cannot_resume_sends_everything_again(server, tmp_path):
    server.ranges = False
    server.cut_after = [1000]
    fetch(NAME, tmp_path)
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-"]
    assert unpacked(tmp_path) == MEMBERS


def test_a_server_that_neither_resumes_nor_comes_to_the_end_is_given_up(server, tmp_path):
    server.ranges = False
    server.cut_after = [1000] * 20
    with pytest.raises(ConnectionError, match="5 times in a row"):
        fetch(NAME, tmp_path)
    assert len(server.requests) == 1 + module.TRIES


def test_a_range_that_was_not_asked_for_is_not_appended(server, tmp_path):
    server.cut_after, server.shift = [1000], 5
    fetch(NAME, tmp_path)
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-", None]
    assert unpacked(tmp_path) == MEMBERS


def test_bytes_that_are_not_the_published_ones_are_refused_and_removed(server, archive, tmp_path):
    server.content = archive[:-9] + b"x" + archive[-8:]
    with pytest.raises(ValueError, match=r"not the published one \(its md5.*was removed.*--mirror URL"):
        fetch(NAME, tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.content = archive
    fetch(NAME, tmp_path)
    assert unpacked(tmp_path) == MEMBERS


def test_a_part_of_another_file_is_refused_at_the_end(server, tmp_path):
    begun(tmp_path, "download", b"of another file")
    with pytest.raises(ValueError, match="not the published one"):
        fetch(NAME, tmp_path)
    assert unpacked(tmp_path) == {}


@pytest.mark.parametrize("excess", [0, 3])
def test_a_part_that_is_whole_is_taken_and_one_that_is_too_long_begun_anew(server, archive, tmp_path, excess):
    begun(tmp_path, "download", archive + b"x" * excess)
    fetch(NAME, tmp_path)
    assert len(server.requests) == (2 if excess else 1)
    assert unpacked(tmp_path) == MEMBERS


def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(server, tmp_path):
    server.answers = [503, 429, 404]
    with pytest.raises(ConnectionError, match=r"dev-clean\.tar\.gz: the server answers 404 .*--mirror"):
        fetch(NAME, tmp_path)
    assert len(server.requests) == 3


def test_no_server_at_all_says_so_and_leaves_no_folder(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(ConnectionError, match=r"[Rr]efused.*5 times in a row\. Run the command again, or choose"):
        fetch(NAME, tmp_path / "runs" / "corpora")
    assert not any(tmp_path.iterdir())


def test_progress_is_reported_in_bytes_and_continues_from_the_part(server, archive, tmp_path):
    begun(tmp_path, "download", archive[:600])
    progress: dict[str, list[tuple[int, int | None]]] = {}
    fetch(NAME, tmp_path, stage=lambda title: lambda *at: progress.setdefault(title, []).append(at))
    assert list(progress) == ["Downloading dev-clean.tar.gz", "Unpacking dev-clean.tar.gz"]
    for steps in progress.values():
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)
        assert {total for _, total in steps} == {len(archive)}
        assert steps[-1][0] == len(archive)
    assert progress["Downloading dev-clean.tar.gz"][0][0] == 600


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("../evil.txt", "cannot be unpacked"),
        ("LibriSpeech/../../evil.txt", "cannot be unpacked"),
        ("LibriSpeech/test-clean/1.flac", "has no folder LibriSpeech/dev-clean"),
    ],
)
def test_an_archive_that_reaches_out_of_its_folder_or_holds_another_one_is_refused(
    server, tmp_path, monkeypatch, member, says
):
    server.content = packed({member: b"x"})
    monkeypatch.setitem(ARCHIVES, NAME, replace(ARCHIVES[NAME], md5=hashlib.md5(server.content).hexdigest()))
    with pytest.raises(ValueError, match=says):
        fetch(NAME, tmp_path / "out")
    assert not [p for p in tmp_path.rglob("evil.txt") if "unpacked" not in p.parts]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["dev-clean.tar.gz.part"]


def test_what_a_killed_run_left_half_unpacked_does_not_count(server, tmp_path):
    begun(tmp_path, "dev-clean.tar.gz", server.content)
    half = tmp_path / "dev-clean.tar.gz.part/unpacked/LibriSpeech/dev-clean/half.flac"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"x")
    assert fetch(NAME, tmp_path)[1]
    assert server.requests == []  # the archive was whole and is not fetched again
    assert unpacked(tmp_path) == MEMBERS


def test_a_run_that_was_killed_while_it_checked_loses_nothing(server, tmp_path):
    begun(tmp_path, "tmpabc", server.content)  # as pooch calls it meanwhile
    (tmp_path / "dev-clean.tar.gz.part" / "tmpxyz").write_bytes(b"")  # of a run killed before
    fetch(NAME, tmp_path)
    assert [wanted for _, wanted in server.requests] == [f"bytes={len(server.content)}-"]
    assert unpacked(tmp_path) == MEMBERS


def test_an_archive_that_was_damaged_on_disk_is_fetched_anew(server, tmp_path):
    begun(tmp_path, "dev-clean.tar.gz", server.content[:-1])
    fetch(NAME, tmp_path)
    assert unpacked(tmp_path) == MEMBERS


def test_a_full_disk_is_noticed_before(server, tmp_path, monkeypatch):
    monkeypatch.setitem(ARCHIVES, NAME, replace(ARCHIVES[NAME], megabytes=10**9))
    with pytest.raises(OSError, match=r"dev-clean\.tar\.gz and its .* MB unpacked need .* are free: .*--out"):
        fetch(NAME, tmp_path)
    assert server.requests == []


@pytest.mark.parametrize("mirror", ["ftp://mirror.example", "mirror.example", "http://", "file:///tmp"])
def test_a_mirror_that_is_no_web_address_is_refused(tmp_path, mirror):
    with pytest.raises(ValueError, match=r"an http or https address of a folder with dev-clean\.tar\.gz, got"):
        fetch(NAME, tmp_path, mirror=mirror)


@pytest.mark.parametrize("name", BY_HAND)
def test_corpora_that_cannot_be_fetched_say_how_to_continue(tmp_path, name):
    with pytest.raises(ValueError, match=rf"^{name} .*https://.*then run: lstm-engine features FOLDER$"):
        fetch(name, tmp_path)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"no archive 'timit': expected one of librispeech-dev-clean, .*, vctk"):
        fetch("timit", tmp_path)


def test_every_published_archive_has_a_secure_address_and_a_checksum_of_its_own():
    assert all(
        archive.url.startswith("https://") and Path(archive.url).name == archive.file for archive in ARCHIVES.values()
    )
    checksums = [archive.md5 for archive in ARCHIVES.values()]
    assert len(set(checksums)) == len(checksums)
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in checksums)
