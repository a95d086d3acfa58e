"""Differences of settings are told line by line, none is hidden, and none takes for ever."""

import time

from cloud.settings_acts import difference


def test_lines_that_look_like_a_head_of_a_difference_are_told() -> None:
    assert difference('a = """\n-- x\n"""\n', 'a = """\n"""\n')[1:] == ["--- x"]
    assert difference("a\n", "a\n++ y\n")[1:] == ["+++ y"]


def test_nothing_differs() -> None:
    assert difference("a\nb\n", "a\nb\n", context=3) == []


def test_context_stands_around_what_differs() -> None:
    assert difference("a\nb\nc\n", "a\nB\nc\n", context=1) == ["@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]


def test_texts_made_to_be_hard_to_compare_are_told_as_exchanged() -> None:
    before = "".join(f"#{number * number % 997}\n" for number in range(40_000))
    after = "".join(f"#{number * 31 % 997}\n" for number in range(40_000))
    begun = time.process_time()
    lines = difference(before, after, context=3)
    assert len(lines) > 70_000
    assert time.process_time() - begun < 2
