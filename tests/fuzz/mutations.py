"""Mutations that corrupt a file, at random or as attackers do."""

import struct
from collections.abc import Callable, Sequence
from random import Random

Mutation = Callable[[bytes, Random], bytes]

SHORTEST = 16
LONGEST_STRETCH = 2048
_NUMBERS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFF00)
_PLAYLISTS = (
    b"ffconcat version 1.0\nfile 'canary.wav'\n",
    b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    b"<?xml version='1.0'?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>",
)


def flip_bits(content: bytes, random: Random) -> bytes:
    """Flip random bits."""
    spoiled = bytearray(content)
    for _ in range(random.randint(1, 64)):
        spoiled[random.randrange(len(spoiled))] ^= 1 << random.randrange(8)
    return bytes(spoiled)


def overwrite(content: bytes, random: Random) -> bytes:
    """Overwrite a random stretch with noise."""
    start, end = _stretch(content, random)
    return content[:start] + random.randbytes(end - start) + content[end:]


def cut_out(content: bytes, random: Random) -> bytes:
    """Remove a random stretch."""
    start, end = _stretch(content, random)
    return content[:start] + content[end:]


def repeat(content: bytes, random: Random) -> bytes:
    """Repeat a random stretch many times."""
    start, end = _stretch(content, random)
    return content[:end] + content[start:end] * random.randint(1, 50) + content[end:]


def cut_off(content: bytes, random: Random) -> bytes:
    """Truncate the content at random."""
    return content[: random.randrange(1, len(content))]


def lie_in_the_header(content: bytes, random: Random) -> bytes:
    """Overwrite random header fields with extreme numbers."""
    spoiled = bytearray(content)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(min(len(spoiled), 1024) - 4)
        order = random.choice("<>")
        spoiled[at : at + 4] = struct.pack(f"{order}I", random.choice(_NUMBERS))
    return bytes(spoiled)


def name_another_file(content: bytes, random: Random) -> bytes:
    """Prepend or substitute a playlist of other files and addresses."""
    playlist = random.choice(_PLAYLISTS)
    return playlist if random.random() < 0.5 else playlist + content


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    overwrite,
    cut_out,
    repeat,
    cut_off,
    lie_in_the_header,
    name_another_file,
)


def spoiled(whole: Sequence[bytes], random: Random) -> bytes:
    """Corrupt one of these files in up to three ways."""
    content = random.choice(whole)
    for _ in range(random.choice((1, 1, 2, 3))):
        if len(content) < SHORTEST:
            break
        content = random.choice(MUTATIONS)(content, random)
    return content


def _stretch(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(content))
    return start, min(len(content), start + random.randint(1, LONGEST_STRETCH))
