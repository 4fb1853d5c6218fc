import pytest

from bot.engine.protocol import (
    Cancel,
    Cancelled,
    Done,
    Failed,
    Progress,
    Separate,
    SeparationFault,
    read_reply,
    read_request,
)
from bot.processes import ipc


def test_replies_come_back_as_they_were_sent():
    for reply in (
        Progress(id=1, fraction=0.5),
        Done(id=1),
        Failed(id=2, trouble=SeparationFault.DISK_FULL, detail='/a\n"b ü'),
        Cancelled(id=3),
    ):
        line = ipc.to_line(reply)
        assert line.count(b"\n") == 1
        assert read_reply(line) == reply


def test_requests_come_back_as_they_were_sent():
    separate = Separate(id=1, frames=7, stems=["vocals"])
    assert read_request(ipc.to_line(separate)) == separate
    assert read_request(ipc.to_line(Cancel(id=1))) == Cancel(id=1)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense\n",
        b"[]\n",
        b'{"id": 1}\n',
        b'{"kind": "Done"}\n',
        b'{"kind": "Done", "id": "1"}\n',
        b'{"kind": "Progress", "id": 1, "fraction": "0.5"}\n',
        b'{"kind": "Separate", "id": 1, "frames": 7, "stems": "vocals"}\n',
        b"[" * 100_000 + b"\n",
    ],
    ids=lambda line: repr(line[:20]),
)
def test_anything_else_is_refused(line):
    for read in (read_reply, read_request):
        with pytest.raises(ValueError, match="not a message"):
            read(line)


def test_a_request_is_no_reply_and_a_reply_no_request():
    with pytest.raises(ValueError, match="Cancel is not a reply"):
        read_reply(ipc.to_line(Cancel(id=1)))
    with pytest.raises(ValueError, match="Cancelled is not a request"):
        read_request(ipc.to_line(Cancelled(id=1)))
