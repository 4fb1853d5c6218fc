"""`make run` without a token: the address of the sandbox bot's links."""

import socket

from sandbox.bot_process import public_links
from sandbox.run import free_port


def test_links_lie_on_the_machine_itself_where_browsers_play_the_mixer_page() -> None:
    assert public_links(8421) == {
        "STEMCORD_PUBLIC_URL": "http://127.0.0.1:8421",
        "STEMCORD_PUBLIC_ADDRESS": "127.0.0.1:8421",
    }


def test_a_port_that_is_taken_gives_way_to_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        other = free_port(port)
        assert other != port
        with socket.create_server(("127.0.0.1", other)):
            pass
    assert free_port(port) == port
