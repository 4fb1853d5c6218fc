"""Short labels for cards, buttons and menus; sentences are in messages.py."""

from bot.i18n.translation import Message

CANCEL = Message("Cancel")
TRY_AGAIN = Message("Try again")
OTHER_RECIPE = Message("Other recipe")
SHOW = Message("Show the stems")
AS_MP3 = Message("As MP3")
AS_FLAC = Message("As FLAC")
AS_WAV = Message("As WAV")
TO_DM = Message("To my DM")
DELETE = Message("Delete")
KEY_AND_SPEED = Message("Key & speed")
MIX = Message("Mix")
LISTEN = Message("Listen")
ZIP = Message("Zip: all files in one")
ZIP_LINK = Message("Zip, {size} MiB")
CLIP = Message("Clip for the soundboard")
ADD_SOUND = Message("Add to the soundboard")
ASK_AGAIN = Message("Ask again")
SEMITONE_DOWN = Message("Key −1")
SEMITONE_UP = Message("Key +1")
SLOWER = Message("Slower")
MORE = Message("More")

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
"""The name of the command in a message's context menu."""
