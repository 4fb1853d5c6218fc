from bot.processes import spawn


def test_the_environment_of_children_holds_no_secrets(monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret")
    assert "s3cret" not in str(spawn.environment())
