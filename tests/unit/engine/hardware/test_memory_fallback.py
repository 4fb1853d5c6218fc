from bot.engine.hardware.memory_fallback import REMEMBERED_S, MemoryFallback


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


def test_each_step_is_more_modest_and_the_last_is_the_last():
    fallback = MemoryFallback(("whole", "half", "cpu"), monotonic=Clock())
    seen = [fallback.current]
    while fallback.step_down():
        seen.append(fallback.current)
    assert seen == ["whole", "half", "cpu"]
    assert fallback.current == "cpu"


def test_a_modest_choice_is_remembered_for_an_hour():
    clock = Clock()
    fallback = MemoryFallback(("whole", "half"), monotonic=clock)
    fallback.step_down()
    clock.now_s += REMEMBERED_S - 1
    assert fallback.current == "half"
    clock.now_s += 1
    assert fallback.current == "whole"


def test_after_an_hour_the_first_step_is_taken_again():
    clock = Clock()
    fallback = MemoryFallback(("whole", "half", "cpu"), monotonic=clock)
    assert fallback.step_down()
    clock.now_s += REMEMBERED_S
    assert fallback.step_down()
    assert fallback.current == "half"


def test_without_a_choice_there_is_no_step():
    fallback = MemoryFallback(("only",), monotonic=Clock())
    assert not fallback.step_down()
    assert fallback.current == "only"
