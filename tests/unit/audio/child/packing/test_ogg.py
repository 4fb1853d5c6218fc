import struct

import pytest

from bot.audio.child.packing.ogg import FRAME, crc, ogg_opus


def _pages(file: bytes) -> list[tuple[int, int, list[int], bytes]]:
    """Read an Ogg file: each page's flags, granule position, lacing values and content."""
    pages: list[tuple[int, int, list[int], bytes]] = []
    while file:
        mark, version, flags, granule, _, number, told, count = struct.unpack(
            "<4sBBqIIIB", file[:27]
        )
        assert (mark, version, number) == (b"OggS", 0, len(pages))
        laces = list(file[27 : 27 + count])
        end = 27 + count + sum(laces)
        assert told == crc(file[:22] + bytes(4) + file[26:end])
        pages.append((flags, granule, laces, file[27 + count : end]))
        file = file[end:]
    return pages


def test_the_checksum_is_oggs():
    # Like the published check value of CRC-32/MPEG-2, but with an initial value of 0.
    assert crc(b"123456789") == 0x89A1897F


def test_a_file_says_where_its_sound_begins_and_ends():
    head, tags, sound = _pages(ogg_opus([b"a" * 10] * 7, pre_skip=5112, frames=1500))
    assert head[0] == 2
    assert head[3][:8] == b"OpusHead"
    assert struct.unpack("<BBHIhB", head[3][8:]) == (1, 2, 5112, 48_000, 0, 0)
    assert tags[3].startswith(b"OpusTags")
    assert (sound[0], sound[1]) == (4, 5112 + 1500)


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 509, 510, 511, 1275])
def test_every_packet_comes_out_as_it_went_in(size):
    packets = [bytes([number % 251]) * size for number in range(300)]
    found, piece, done = [], b"", 0
    pages = _pages(ogg_opus(packets, pre_skip=312, frames=300 * FRAME - 312))[2:]
    for _, granule, laces, content in pages:
        read = 0
        for lace in laces:
            piece += content[read : read + lace]
            read += lace
            if lace < 255:
                found.append(piece)
                piece = b""
        assert not piece
        done = len(found) * FRAME
        assert granule == done
    assert found == packets
    assert [page[0] for page in pages] == [0] * (len(pages) - 1) + [4]
