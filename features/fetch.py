"""Download a published corpus: resume after a cut connection, verify the checksum, unpack the archive whole or not at all.

For the command `fetch`. The contract: the folder afterwards holds what the authors published, verified by their own
checksum; an archive without a published checksum is not in the table. pooch verifies and stores the files; it cannot resume
a download, so `_download` does.
"""

import contextlib
import http.client
import os
import re
import shutil
import tarfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pooch

TRIES = 5  # attempts in a row without a new byte, after which the download is given up
WAIT_S = 1.0  # after the first of these attempts; doubled after each further one
TIMEOUT_S = 30.0
CHUNK = 1 << 16  # bytes

Stage = Callable[[str], Callable[[int, int | None], None]]


@dataclass(frozen=True)
class Archive:
    """A published .tar.gz: its address, its published md5, its size in MB, and the folder that it holds."""

    url: str
    md5: str
    megabytes: int
    folder: str

    @property
    def file(self) -> str:
        """The archive's file name, at the published address and on a mirror."""
        return self.url.rsplit("/", 1)[1]


def _librispeech(shelf: int, subset: str, megabytes: int, md5: str) -> Archive:
    return Archive(
        f"https://www.openslr.org/resources/{shelf}/{subset}.tar.gz", md5, megabytes, f"LibriSpeech/{subset}"
    )


# openslr.org/12 and /31: sizes from the pages, checksums from the md5sum.txt beside the archives
ARCHIVES = {
    "librispeech-dev-clean": _librispeech(12, "dev-clean", 337, "42e2234ba48799c1f50f24a7926300a1"),
    "librispeech-dev-other": _librispeech(12, "dev-other", 314, "c8d0bcc9cca99d4f8b62fcc847357931"),
    "librispeech-test-clean": _librispeech(12, "test-clean", 346, "32fa31d27d2e1cad72775fee3f4849a9"),
    "librispeech-test-other": _librispeech(12, "test-other", 328, "fb5a50374b501bb3bac4815ee91d3135"),
    "librispeech-train-clean-100": _librispeech(12, "train-clean-100", 6_387, "2a93770f6d5c6c964bc36631d331a522"),
    "librispeech-train-clean-360": _librispeech(12, "train-clean-360", 23_049, "c0e676e450a7ff2f54aeade5171606fa"),
    "librispeech-train-other-500": _librispeech(12, "train-other-500", 30_593, "d1a0fd59409feb2c614ce4d30c387708"),
    "mini-librispeech-dev-clean-2": _librispeech(31, "dev-clean-2", 126, "6d7ab67ac6a1d2c993d050e16d61080d"),
    "mini-librispeech-train-clean-5": _librispeech(31, "train-clean-5", 332, "5df7d4e78065366204ca6845bb08f490"),
}
BY_HAND = {
    "common-voice": "is available only after a sign-up: choose a language at https://commonvoice.mozilla.org/datasets",
    "voxceleb": "is available only on request: see https://www.robots.ox.ac.uk/~vgg/data/voxceleb/",
    "vctk": "has no published checksum: download it from https://datashare.ed.ac.uk/handle/10283/3443",
}


def fetch(name: str, out: str | Path, mirror: str | None = None, stage: Stage | None = None) -> tuple[Path, bool]:
    """Download and unpack an archive into `out`. Returns (its folder, False if that folder was there already, else True).

    mirror: the address of a folder that holds the file under its published name. `stage(title)` is called when a stage
    begins and returns the function that receives its progress, (bytes done, total bytes or None). Unfinished work is kept
    in the folder FILE.part of `out`, from which the next call continues. Archives of one corpus share its folder.

    Raises ValueError (unknown name, wrong checksum), ConnectionError (its message says how to continue), OSError.
    """
    archive, out = _archive(name), Path(out)
    folder = out / archive.folder
    if folder.is_dir():
        return folder, False
    url = archive.url if mirror is None else f"{mirror.rstrip('/')}/{archive.file}"
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise ValueError(f"the mirror must be an http or https address of a folder with {archive.file}, got {mirror!r}")
    unfinished = out / f"{archive.file}.part"
    made = [path for path in (unfinished, *unfinished.parents) if not path.exists()]
    unfinished.mkdir(parents=True, exist_ok=True)
    try:
        _complete(archive, url, out, unfinished, stage or (lambda title: lambda done, total: None))
    except BaseException:
        for path in made:
            with contextlib.suppress(
                OSError
            ):  # it stays if there is something in it: the next call continues from there
                path.rmdir()
        raise
    return folder, True


def _complete(archive: Archive, url: str, out: Path, unfinished: Path, stage: Stage) -> None:
    """Download the archive into `unfinished`, or what it lacks of it, and unpack it into `out`."""
    download = unfinished / "download"
    _recover(unfinished, download)
    _check_free_space(unfinished, 2 * archive.megabytes * 10**6 - _size(download), archive)
    pooch.get_logger().setLevel("WARNING")  # without its line for every download

    def downloader(url: str, output_file: str, pooch: object) -> None:
        _download(url, download, stage(f"Downloading {archive.file}"))
        os.replace(download, output_file)  # pooch verifies it there, and removes it if it is wrong

    try:
        path = Path(
            pooch.retrieve(url, f"md5:{archive.md5}", fname=archive.file, path=unfinished, downloader=downloader)
        )
    except ValueError as error:
        shutil.rmtree(unfinished)
        raise ValueError(
            f"{url}: the file is not the published one (its md5 is not {archive.md5}) and was removed. Run the command "
            "again; if the error comes back, choose another address with --mirror URL"
        ) from error
    _unpack(path, archive, out, stage(f"Unpacking {archive.file}"))
    shutil.rmtree(unfinished)  # the archive too: the unpacked folder shows that it was fetched


def _archive(name: str) -> Archive:
    if name in ARCHIVES:
        return ARCHIVES[name]
    if name in BY_HAND:
        raise ValueError(f"{name} {BY_HAND[name]}, unpack it, then run: lstm-engine features FOLDER")
    raise ValueError(f"there is no archive {name!r}: expected one of {', '.join([*ARCHIVES, *BY_HAND])}")


def _recover(unfinished: Path, download: Path) -> None:
    """Keep a download that was complete when its run was killed: pooch was verifying it under a temporary name."""
    for temporary in unfinished.glob("tmp*"):
        os.replace(temporary, download) if _size(temporary) else temporary.unlink()


class _Cut(Exception):
    """A request that broke off or that the server postponed: the next request may succeed."""


def _download(url: str, part: Path, progress: Callable[[int, int | None], None]) -> None:
    """Complete the file `part`, by as many requests as needed; gives up after TRIES in a row without a new byte."""
    longest, fruitless = _size(part), 0
    while True:
        try:
            return _continue(url, part, progress)
        except _Cut as cut:
            fruitless = 0 if _size(part) > longest else fruitless + 1
            longest = max(longest, _size(part))
            if fruitless == TRIES:
                kept = f" {_size(part):,} bytes are kept in {part}:" if _size(part) else ""
                again = "run the command again to continue from there" if kept else "Run the command again"
                raise ConnectionError(
                    f"{url}: {cut}, {TRIES} times in a row.{kept} {again}, or choose another address with --mirror URL"
                ) from cut
            time.sleep(WAIT_S * 2 ** max(fruitless - 1, 0))


def _continue(url: str, part: Path, progress: Callable[[int, int | None], None]) -> None:
    """Request the bytes that `part` lacks and append them. Raises _Cut if some did not arrive."""
    size = _size(part)
    headers = {
        "User-Agent": "lstm-engine",
        "Accept-Encoding": "identity",
    }  # the file itself, not recompressed on the way
    try:
        response = urlopen(
            Request(url, headers=headers | ({"Range": f"bytes={size}-"} if size else {})), timeout=TIMEOUT_S
        )
    except HTTPError as error:
        if error.code == 416 and size:  # there are no further bytes: `part` is complete, or too long
            if error.headers.get("Content-Range") == f"bytes */{size}":
                return
            part.unlink()
        elif error.code < 500 and error.code not in (408, 429):
            raise ConnectionError(
                f"{url}: the server answers {error.code} ({error.reason}). Choose another address with --mirror URL"
            ) from error
        raise _Cut(f"the server answers {error.code} ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(str(getattr(error, "reason", error)) or type(error).__name__) from error
    with response:
        start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        resumed = response.status == 206 and start is not None and int(start[1]) == size
        if response.status == 206 and not resumed:
            part.unlink()
            raise _Cut("the server sends a range of the file that was not requested")
        done = size if resumed else 0  # a server that cannot resume sends the whole file again
        length = response.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if resumed else "wb") as file:
            progress(done, total)
            while chunk := _read(response):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
    if total is not None and done < total:
        raise _Cut(f"the connection was cut after {done:,} of {total:,} bytes")


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)  # all bytes that have arrived, so that a cut loses none
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(str(error) or type(error).__name__) from error


def _unpack(path: Path, archive: Archive, out: Path, progress: Callable[[int, int | None], None]) -> None:
    """Unpack into a temporary folder, then move the result to its place in one step: a folder there is always complete."""
    if not hasattr(tarfile, "data_filter"):
        raise ValueError("Python 3.11.4 or newer is needed to unpack an archive safely: update Python")
    temporary = path.with_name("unpacked")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a killed run
    try:
        with path.open("rb") as raw, tarfile.open(fileobj=raw) as tar:
            for member in tar:
                tar.extract(member, temporary, filter="data")  # refuses paths and links that leave the folder
                progress(raw.tell(), path.stat().st_size)
        if not (temporary / archive.folder).is_dir():
            raise ValueError(f"{path} has no folder {archive.folder}")
        (out / archive.folder).parent.mkdir(exist_ok=True)
        for file in (temporary / archive.folder).parent.iterdir():
            if file.is_file():  # SPEAKERS.TXT, LICENSE.TXT, ...: the same in every archive of a corpus
                os.replace(file, (out / archive.folder).with_name(file.name))
        os.replace(temporary / archive.folder, out / archive.folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be unpacked ({error}): remove it and run the command again") from error


def _check_free_space(out: Path, needed: int, archive: Archive) -> None:
    if (free := shutil.disk_usage(out).free) < needed:
        raise OSError(
            f"{archive.file} and its {archive.megabytes:,} MB unpacked need {needed / 1e6:,.0f} MB in {out}, "
            f"but only {free / 1e6:,.0f} MB are free: choose another folder with --out"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
