"""Short words on cards, buttons and menus; whole sentences are in messages.py."""

from bot.i18n.translation import Text

CANCEL_ONE = Text("Cancel {job_id}")

SHOW_ONE = Text("Show one again")
CHOOSE_STEMS = Text("Choose stems")
MORE_STEMS = Text("More stems")
CHOOSE_SONG = Text("Which song?")

YOUR_SONGS = Text("Your songs")
YOUR_MINUTES = Text("Your minutes")

BAR_WITH_WAIT = Text("{bar}, {wait} left")
WAIT = Text("{wait} left")

SPLIT_MENU = Text("Split this audio")
"""The name of a command in the menu of messages."""
