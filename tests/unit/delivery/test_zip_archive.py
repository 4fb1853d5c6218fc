"""Archives of stems: their content, names and size."""

import zipfile
from datetime import UTC, datetime
from pathlib import Path

from bot.batches.batch_service import MAX_SONGS
from bot.delivery.zip_archive import INFO, ZipEntry, archive_overhead, write_archive
from bot.domain.recipes import AudioFormat, Stem
from bot.domain.titles import MAX_TITLE, stem_filename, zip_folder

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
UTF_8 = 0x800
INFO_TEXT = "夜の雨\r\nA minor, likely\r\n"


def written(folder: Path, *names: str) -> tuple[Path, int]:
    sound = folder / "sound"
    sound.write_bytes(bytes(range(256)) * 300)
    into = folder / "all.zip"
    entries = [ZipEntry(name, sound) for name in names]
    return into, write_archive(into, entries, info=INFO_TEXT, at=AT)


def test_files_come_back_as_they_were_without_compression(tmp_path: Path) -> None:
    into, _ = written(tmp_path, "Neon Rain (Vocals).mp3", "2 夜/夜の雨 (Vocals).mp3")
    with zipfile.ZipFile(into) as archive:
        assert archive.testzip() is None
        info, *sounds = archive.infolist()
        assert (info.filename, archive.read(info).decode()) == (INFO, INFO_TEXT)
        for each in sounds:
            assert archive.read(each) == (tmp_path / "sound").read_bytes()
            assert each.compress_type == zipfile.ZIP_STORED


def test_names_beyond_ascii_are_marked_as_utf_8(tmp_path: Path) -> None:
    into, _ = written(tmp_path, "Neon Rain (Vocals).mp3", "夜の雨 (Vocals).mp3")
    with zipfile.ZipFile(into) as archive:
        _, plain, japanese = archive.infolist()
    assert plain.filename == "Neon Rain (Vocals).mp3"
    assert japanese.filename == "夜の雨 (Vocals).mp3"
    assert japanese.flag_bits & UTF_8


HOSTILE = (
    '"Quoted"', "two\nlines\r", "\u202egnos", "שיר", "../../etc/passwd", "C:\\songs", "..", "\x00",
    "\ud800", "CON", " . ", "a:b|c?d*e<f>g", "/", "e\u0301" * 200,
)  # fmt: skip


def test_hostile_titles_stay_within_the_folder_that_they_name(tmp_path: Path) -> None:
    names = [
        f"{zip_folder(title, number)}/{stem_filename(title, Stem.VOCALS, AudioFormat.MP3)}"
        for number, title in enumerate(HOSTILE, 1)
    ]
    into, _ = written(tmp_path, *names)
    with zipfile.ZipFile(into) as archive:
        assert archive.namelist() == [INFO, *names]
        archive.extractall(tmp_path / "out")
    found = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "out")) for path in found} == {INFO, *names}
    assert all(char.isprintable() for name in names for char in name)


def test_the_overhead_is_enough_for_the_longest_names(tmp_path: Path) -> None:
    title = "\U00020000" * MAX_TITLE  # four bytes each
    names = [
        f"{zip_folder(title, number)}/{stem_filename(title, stem, AudioFormat.FLAC)}"
        for number in range(1, MAX_SONGS + 1)
        for stem in (Stem.VOCALS, Stem.DRUMS, Stem.BASS, Stem.GUITAR, Stem.PIANO, Stem.OTHER)
    ]
    _, size_bytes = written(tmp_path, *names)
    content = (tmp_path / "sound").stat().st_size * len(names)
    assert size_bytes <= content + archive_overhead(len(names), INFO_TEXT)


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first, _ = written(tmp_path, "a.mp3")
    before = first.read_bytes()
    again, _ = written(tmp_path, "a.mp3")
    assert again.read_bytes() == before
