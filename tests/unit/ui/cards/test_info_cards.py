from bot.jobs.intake import Limits
from bot.ui.cards.info_cards import help_card, quota_card
from tests.support.card_factories import a_usage


def test_quota_and_help_are_cards_too() -> None:
    assert quota_card(a_usage()).lines[0] == "**41 of 60 min left** today"
    limits = Limits(max_file_mib=100, max_duration_minutes=20)
    assert "up to 20 min and 100 MiB" in "\n".join(help_card([], limits).lines)
