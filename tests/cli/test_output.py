"""Numbers as people read them."""

import pytest

from regsearch.cli.output import format_number
from regsearch.runner import format_bytes, format_duration


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
    assert format_duration(seconds) == text


def test_sizes_and_numbers():
    assert (format_bytes(15 * 2**20), format_bytes(3 * 2**29)) == ("15 MiB", "1.5 GiB")
    assert (format_number(0.00316228), format_number(None), format_number(float("nan")), format_number(0.0)) == (
        "0.00316",
        "",
        "",
        "0",
    )
