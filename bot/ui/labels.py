"""Short words on cards, buttons and menus; whole sentences are in messages.py."""

from bot.ui.controls import Action

BUTTONS: dict[Action, str] = {
    Action.CANCEL: "Cancel",
    Action.TRY_AGAIN: "Try again",
    Action.OTHER_RECIPE: "Other recipe",
    Action.SHOW: "Show the stems",
    Action.AS_MP3: "As MP3",
    Action.AS_FLAC: "As FLAC",
    Action.AS_WAV: "As WAV",
    Action.TO_DM: "To my DM",
    Action.DELETE: "Delete",
}
CANCEL_ONE = "Cancel {job_id}"

SHOW_ONE = "Show one again"
CHOOSE_STEMS = "Choose stems"
MORE_STEMS = "More stems"
CHOOSE_SONG = "Which song?"

YOUR_SONGS = "Your songs"
YOUR_MINUTES = "Your minutes"

BAR_WITH_WAIT = "{bar}, {wait} left"
WAIT = "{wait} left"
