"""Output that cannot be written is one clear error; a reader that left is none; a full log ends nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from regsearch.cli.streams import OutputError, open_streams


def shell(redirection, *arguments, cwd=None):
    command = f"set -o pipefail; {sys.executable} -m regsearch {' '.join(map(str, arguments))} {redirection}"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("arguments", [["check", "SPEC"], ["--help"]])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_stdout_is_one_clear_error(spec_file, arguments):
    result = shell("> /dev/full", *(spec_file() if word == "SPEC" else word for word in arguments))
    expected = "regsearch: error: stdout: expected an output that can be written, got: No space left on device\n"
    assert (result.returncode, result.stderr) == (4, expected)


def test_a_reader_that_leaves_is_a_quiet_end(spec_file):
    result = shell("| head -c 0", "check", spec_file(("widths: [1, 2]", f"widths: {list(range(1, 3000))}")))
    assert (result.returncode, result.stdout, result.stderr) == (141, "", "")


def test_closed_streams_are_no_error(spec_file):
    assert shell(">&-", "check", spec_file()).returncode == 0
    result = shell("2>&-", "check", spec_file())
    assert (result.returncode, "trials on digits" in result.stdout) == (0, True)
    assert shell(">&- 2>&-", "check", "none.yaml").returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_what_stderr_does_not_take_is_lost_and_no_more():
    result = shell("2> /dev/full", "check", "none.yaml")
    assert (result.returncode, result.stdout) == (2, "")


def test_an_error_of_another_file_is_not_stdouts(tmp_path):
    with pytest.raises(FileNotFoundError), open_streams():
        (tmp_path / "none").read_text()
    with pytest.raises(OSError, match="elsewhere") as raised, open_streams():
        raise OSError(28, "elsewhere", "a file")
    assert not isinstance(raised.value, OutputError)
