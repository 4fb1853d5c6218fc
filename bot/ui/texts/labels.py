"""Short labels of cards, buttons and menus; messages.py has the sentences."""

from bot.i18n.translation import Message

CANCEL_ONE = Message("Cancel {job_id}")

SHOW_ONE = Message("Show stems again")
CHOOSE_STEMS = Message("Choose stems")
MORE_STEMS = Message("More stems")
CHOOSE_SONG = Message("Which song?")

YOUR_SONGS = Message("Your songs")
YOUR_MINUTES = Message("Your minutes")

BAR_WITH_WAIT = Message("{bar}, {wait} left")
WAIT = Message("{wait} left")

SPLIT_MENU = Message("Split this audio")
"""The name of the command in a message's menu."""
