"""Numbers as people read them."""

import pytest

from regsearch.cli.readable import duration, memory, short


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (12000, "3 h 20 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_sizes_and_numbers():
    assert (memory(15 * 2**20), memory(3 * 2**29)) == ("15 MiB", "1.5 GiB")
    assert (short(0.00316228), short(None), short(float("nan")), short(0.0)) == ("0.00316", "", "", "0")
