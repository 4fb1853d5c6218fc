"""Vendors' responses are logged with their structure but without their data."""

from bot.providers.responses import outline, scrub


def test_an_outline_shows_trailing_commas_and_no_word():
    body = '[{"audioName": "Piano", "audioUrl": "https://s.example/a?sig=1",}]'
    assert outline(body) == '[{"…": "…", "…": "…:…",}]'


def test_an_outline_of_a_page_is_short():
    assert len(outline("<html> no " * 1000)) <= 160


def test_a_plain_message_stays():
    text = "Artist name detected. Please try again with a different prompt."
    assert scrub(text) == text


def test_addresses_keys_and_line_breaks_go():
    text = "cannot fetch\nhttps://x.example/a?b=1 or /a/b with sk-12345678 for me@x.example"
    assert scrub(text) == "cannot fetch … or … with … for …"
