from bot.processes import spawn


def test_the_environment_of_children_holds_no_secrets(monkeypatch):
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret")
    assert "s3cret" not in str(spawn.environment())


def test_another_interpreter_gets_no_packages_of_ours_but_the_choice_of_graphics_cards(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("VIRTUAL_ENV", "/ours")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = spawn.foreign_environment(threads=3, cache=tmp_path)
    assert not {"PYTHONPATH", "VIRTUAL_ENV", "DISCORD_TOKEN"} & found.keys()
    assert found["CUDA_VISIBLE_DEVICES"] == "1"
    assert found["OMP_NUM_THREADS"] == "3"
    assert found["HOME"] == str(tmp_path)
