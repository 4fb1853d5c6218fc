"""The mixer page's sentences, with fields that its scripts fill in."""

from collections.abc import Mapping

from bot.i18n.translation import Message, gettext

GONE = Message("These stems are no longer kept.")

_WORDS: Mapping[str, Message] = {
    "play": Message("play"),
    "pause": Message("pause"),
    "back": Message("back 5 seconds"),
    "forward": Message("forward 5 seconds"),
    "position": Message("position"),
    "at": Message("{at} of {total}"),
    "mute": Message("mute {stem}"),
    "solo": Message("solo {stem}"),
    "loop": Message("loop"),
    "loopFrom": Message("loop from"),
    "loopTo": Message("loop to"),
    "setFrom": Message("start the loop here"),
    "setTo": Message("end the loop here"),
    "clearLoop": Message("stop looping"),
    "speed": Message("speed"),
    "slower": Message("slower"),
    "faster": Message("faster"),
    "key": Message("key"),
    "lower": Message("lower"),
    "higher": Message("higher"),
    "original": Message("original"),
    "reset": Message("reset"),
    "download": Message("download {stem} as {format}"),
    "downloads": Message("Downloads"),
    "ends": Message("Kept until {time}"),
    "keys": Message(
        "Keys: space plays, arrows move, L loops, 1 to 9 mute, with Shift they play a stem alone"
    ),
    "loading": Message("Loading …"),
    "preparing": Message("Preparing the sound …"),
    "offline": Message("No connection. The loaded part keeps playing."),
    "damaged": Message("Part of {stem} cannot be played."),
    "paused": Message("Something else took over the sound. Press play to continue."),
    "failed": Message("The sound could not be prepared. Try again later."),
    "insecure": Message("Browsers play stems together only over https."),
    "unsupported": Message("This browser cannot play stems together."),
    "gone": GONE,
    "noStretch": Message(
        "Key and speed cannot be changed on this page. Use “Key & speed” under the song in Discord."
    ),
    "drumsToo": Message("Drums in “{stem}” change key too."),
}


def words() -> dict[str, str]:
    """Return the page's sentences in the active language, with unfilled fields."""
    return {
        name: gettext(message, **{field: f"{{{field}}}" for field in message.fields})
        for name, message in _WORDS.items()
    }
