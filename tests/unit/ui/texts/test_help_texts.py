"""The topics of `/help`."""

import pytest

from bot.i18n.translation import ENGLISH, Language, active_language, gettext
from bot.ui.texts import labels
from bot.ui.texts.help_texts import help_lines
from tests.support.installed_languages import installed

COMMANDS = ("/split", "/batch", "/remix", "/jobs", "/result", "/cancel", "/quota", "/privacy")
BUTTONS = (labels.KEY_AND_SPEED, labels.MIX, labels.LISTEN, labels.MORE)


@pytest.mark.parametrize("language", [ENGLISH, *installed()], ids=lambda each: each.code)
def test_help_names_every_command_and_what_is_below_a_result(language: Language) -> None:
    with active_language(language):
        text = "\n".join(help_lines(recipes=["x"], max_file_mib=100, max_minutes=20))
        buttons = [f"**{gettext(each)}**" for each in BUTTONS]
    assert [each for each in COMMANDS if f"`{each}`" not in text] == []
    assert [each for each in buttons if each not in text] == []
