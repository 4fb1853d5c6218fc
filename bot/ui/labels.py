"""Short words on cards, buttons and menus; whole sentences are in messages.py."""

from bot.ui.controls import Action
from bot.ui.speech import Text

BUTTONS: dict[Action, Text] = {
    Action.CANCEL: Text("Cancel"),
    Action.TRY_AGAIN: Text("Try again"),
    Action.OTHER_RECIPE: Text("Other recipe"),
    Action.SHOW: Text("Show the stems"),
    Action.AS_MP3: Text("As MP3"),
    Action.AS_FLAC: Text("As FLAC"),
    Action.AS_WAV: Text("As WAV"),
    Action.TO_DM: Text("To my DM"),
    Action.DELETE: Text("Delete"),
}
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
