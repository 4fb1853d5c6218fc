import io
import struct
from base64 import b64decode

import av
import numpy as np
import pytest

from bot.audio.child import master
from bot.audio.child.packing.packs import measure_peaks, pack
from bot.audio.pack_tasks import (
    PACK_RATES,
    PACK_S,
    PackCodec,
    Packed,
    PackTask,
    PeaksTask,
    pack_count,
    pack_name,
)
from bot.audio.spool import SAMPLE_RATE
from tests.support import audio_files


@pytest.fixture
def stem(tmp_path):
    """Write a sound (channels by samples) as a master."""

    def write(name, sound):
        with master.written(tmp_path / f"{name}.flac") as append:
            for start in range(0, sound.shape[1], 4096):
                append(sound[:, start : start + 4096].T)
        return tmp_path / f"{name}.flac"

    return write


@pytest.fixture
def packed(tmp_path):
    """Pack some masters, and return each pack's encoded payloads."""

    def run(*stems, codec=PackCodec.OPUS, frames):
        folder = tmp_path / "packs"
        folder.mkdir(exist_ok=True)
        pack(PackTask(stems=stems, into=folder, codec=codec, frames=frames))
        assert not list(folder.glob("*.part"))
        files = [folder / pack_name(number, codec) for number in range(pack_count(frames))]
        return [_payloads(file.read_bytes()) for file in files]

    return run


def _payloads(told: bytes) -> list[bytes]:
    (count,) = struct.unpack("<I", told[:4])
    lengths = struct.unpack(f"<{count}I", told[4 : 4 + 4 * count])
    payloads, at = [], 4 + 4 * count
    for length in lengths:
        payloads.append(told[at : at + length])
        at += length
    assert at == len(told)
    return payloads


def _decoded(payload: bytes, codec: PackCodec):
    """Decode a chunk as a browser does: samples by channels, full scale 1.0."""
    with av.open(io.BytesIO(payload), "r") as file:
        (stream,) = file.streams.audio
        assert stream.rate == PACK_RATES[codec]
        frames = [_by_frame(frame) for frame in file.decode(stream)]
    sound = np.concatenate(frames).astype(np.float64)
    return sound / 32_768 if codec is PackCodec.FLAC else sound


def _by_frame(frame: av.AudioFrame):
    samples = frame.to_ndarray()
    return samples.T if frame.format.is_planar else samples.reshape(-1, 2)


def _song(seconds: float, rate: int):
    """Two tones and a drum-like decay four times a second."""
    time = np.arange(round(seconds * rate)) / rate
    hits = np.exp(-40 * (time % 0.25)) * np.sin(2 * np.pi * 180 * (time % 0.25))
    sound = 0.2 * np.sin(2 * np.pi * 440 * time) + 0.1 * np.sin(2 * np.pi * 97 * time) + 0.2 * hits
    return np.tile(sound.astype(np.float32), (2, 1))


def _level_db(sound) -> float:
    return float(10 * np.log10(np.mean(np.square(sound))))


@pytest.mark.parametrize("codec", PackCodec)
@pytest.mark.parametrize("frames", [1_000, 44_100, 88_199, 88_200, 90_000, 5 * 44_100 + 1_007])
def test_packs_are_as_long_as_the_song(stem, packed, codec, frames):
    song = _song(frames / SAMPLE_RATE, SAMPLE_RATE) + 0.1
    packs = packed(stem("a", song), codec=codec, frames=frames)
    rate = PACK_RATES[codec]
    total = round(frames * rate / SAMPLE_RATE)
    lengths = [len(_decoded(payloads[0], codec)) for payloads in packs]
    full, rest = divmod(total, PACK_S * rate)
    assert lengths == [PACK_S * rate] * full + [rest] * (rest > 0)


@pytest.mark.parametrize("frames", [40, 88_201, 88_800])
def test_a_last_pack_of_a_few_samples_can_be_decoded(stem, packed, frames):
    song = _song(frames / SAMPLE_RATE, SAMPLE_RATE) + 0.1
    packs = packed(stem("a", song), frames=frames)
    assert len(_decoded(packs[-1][0], PackCodec.OPUS)) == 960


def test_flac_packs_are_the_master_bit_for_bit(stem, packed):
    sound = np.rint(_song(5.5, SAMPLE_RATE) * 32_768) / 32_768
    packs = packed(stem("a", sound), codec=PackCodec.FLAC, frames=sound.shape[1])
    played = np.concatenate([_decoded(payloads[0], PackCodec.FLAC) for payloads in packs])
    assert np.array_equal(played, sound.T)


def test_opus_packs_join_without_more_noise_than_elsewhere(stem, packed):
    seconds, rate = 12, PACK_RATES[PackCodec.OPUS]
    song = _song(seconds, SAMPLE_RATE)
    packs = packed(stem("a", song), frames=song.shape[1])
    played = np.concatenate([_decoded(payloads[0], PackCodec.OPUS) for payloads in packs])
    noise = played - _song(seconds, rate).T
    assert _level_db(noise[rate:-rate]) < _level_db(song) - 20
    near = rate // 100
    seams = [slice(at - near, at + near) for at in range(2 * rate, 12 * rate, 2 * rate)]
    at_seams = _level_db(np.concatenate([noise[seam] for seam in seams]))
    # As far from a hit as a seam is, but half a second away from the seam.
    elsewhere = [slice(seam.start + rate // 2, seam.stop + rate // 2) for seam in seams]
    assert at_seams <= _level_db(np.concatenate([noise[part] for part in elsewhere])) + 3


def test_stems_stay_together(stem, packed):
    """The same click in two stems is at the same sample, regardless of the other content."""
    clicks = np.zeros((2, 5 * SAMPLE_RATE), np.float32)
    clicks[:, [20_000, 88_195, 88_300, 180_000]] = 0.9
    other = clicks + 0.05 * _song(5, SAMPLE_RATE)
    packs = packed(stem("a", clicks), stem("b", other), frames=clicks.shape[1])
    for number, payloads in enumerate(packs):
        one, two = (_decoded(each, PackCodec.OPUS)[:, 0] for each in payloads)
        peak = int(np.argmax(np.abs(one)))
        assert abs(int(np.argmax(np.abs(two))) - peak) <= 1, number


def test_silence_weighs_nothing(stem, packed):
    song = _song(6, SAMPLE_RATE)
    song[:, int(1.9 * SAMPLE_RATE) : int(4.1 * SAMPLE_RATE)] = 0.00005
    sizes = [len(payloads[0]) for payloads in packed(stem("a", song), frames=song.shape[1])]
    assert sizes[1] == 0
    assert sizes[0] > 10_000 < sizes[2]


def test_a_shorter_stem_ends_in_silence(stem, packed):
    packs = packed(
        stem("a", _song(5, SAMPLE_RATE)), stem("b", _song(2, SAMPLE_RATE)), frames=5 * SAMPLE_RATE
    )
    assert [[bool(payload) for payload in payloads] for payloads in packs] == [
        [True, True],
        [True, False],
        [True, False],
    ]


def test_packs_that_exist_are_not_made_again(stem, packed, tmp_path):
    master_file = stem("a", _song(6, SAMPLE_RATE))
    packed(master_file, frames=6 * SAMPLE_RATE)
    folder = tmp_path / "packs"
    whole = (folder / "1.opus").read_bytes()
    (folder / "0.opus").write_bytes(b"kept")
    (folder / "1.opus").unlink()
    done = pack(
        PackTask(stems=(master_file,), into=folder, codec=PackCodec.OPUS, frames=6 * SAMPLE_RATE)
    )
    assert (folder / "0.opus").read_bytes() == b"kept"
    assert (folder / "1.opus").read_bytes() == whole
    assert done == Packed(size_bytes=len(whole))


def test_peaks_show_where_a_stem_is_loud(stem):
    sound = audio_files.tone(4.0)
    sound[:, : 2 * SAMPLE_RATE] = 0.0
    quiet = 0.2 * audio_files.tone(4.0)
    told = measure_peaks(PeaksTask(stems=(stem("a", sound), stem("b", quiet)), slices=8))
    loud, soft = (list(b64decode(row)) for row in told.stems)
    assert loud == [0] * 4 + [255] * 4
    assert all(0 < height < 255 for height in soft)
