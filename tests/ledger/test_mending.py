"""A ledger that an earlier version, a spreadsheet or two runs at once left is gone on with, or refused in words."""

import gzip
import shutil
from dataclasses import fields, make_dataclass
from pathlib import Path

import pytest
from test_ledger import CELLS, done

from regsearch.errors import ResultsError
from regsearch.ledger import (
    Ledger,
    exists,
    find_incomplete,
    find_lacking,
    folder,
    ledger,
    mending,
    parsing,
    read_ends,
    read_epochs,
    read_trials,
    record_diverged,
    record_failed,
    records,
)
from regsearch.ledger.records import FIRST_COLUMNS, Counts, Epoch, Trial
from regsearch.spec import Spec

FILES = ["trials.csv", "epochs.csv"]
LEFT = Path(__file__).parent / "left_by_0.2.0"


@pytest.fixture
def path(tmp_path):
    """A ledger of two networks."""
    Ledger(tmp_path).append([done(CELLS[0]), done(CELLS[1])])
    return tmp_path


def edit(path, change):
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\n" for line in change(lines)))


def go_on(path):
    """Opens the ledger and appends a third network; gives what it had."""
    opened = Ledger(path)
    had = set(opened.finished)
    opened.append([done(CELLS[2])])
    assert read_trials(path)["trial"].tolist() == [cell.trial for cell in CELLS[:3]]
    assert len(read_epochs(path)) == 6
    for name, row in zip(FILES, (Trial, Epoch), strict=True):
        header = (path / name).read_bytes().splitlines()[0].removeprefix(parsing.MARK)
        assert header.replace(b'"', b"").decode() == ",".join(records.columns(row))
    return had


BOTH = {cell.trial for cell in CELLS[:2]}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "save",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\n\n"),
        lambda text: text + b"\n\r\n",
        lambda text: (
            b",".join(b'"' + name + b'"' for name in text.split(b"\n")[0].split(b",")) + text[text.index(b"\n") :]
        ),
    ],
    ids=["mark", "CRLF", "mark and CRLF", "blank lines", "blank end", "quoted header"],
)
def test_a_ledger_that_a_spreadsheet_saved_is_reported_and_gone_on_with(path, name, save):
    (path / name).write_bytes(save((path / name).read_bytes()))
    assert len(read_trials(path)) == 2
    assert len(read_epochs(path)) == 4
    assert go_on(path) == BOTH


def test_a_mark_alone_is_an_empty_ledger(tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf")
    Ledger(tmp_path).append([done(CELLS[0])])
    assert len(read_trials(tmp_path)) == 1


def test_a_last_line_without_its_end_is_left_out_and_said(path, caplog):
    whole = path / "trials.csv"
    whole.write_bytes(whole.read_bytes().rstrip(b"\n"))
    assert len(read_trials(path)) == 1
    assert set(Ledger(path).finished) == {CELLS[0].trial}
    assert caplog.text.count("its last line is torn") == 2


@pytest.mark.parametrize("name", ["spec.yaml", "study.json"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_spec_or_facts_that_windows_saved_are_read(tmp_path, name, ends):
    for file in ("spec.yaml", "study.json"):
        shutil.copy(LEFT / file, tmp_path)
    expected = Spec.load(tmp_path / "spec.yaml").text
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_bytes(text.replace("\n", ends).encode("utf-8-sig"))
    assert folder.read_spec(tmp_path).text == expected
    assert folder.read_facts(tmp_path).engine == "population"


def test_facts_in_utf_16_are_one_clear_error(tmp_path):
    (tmp_path / "study.json").write_text("{}", encoding="utf-16")
    with pytest.raises(ResultsError, match="expected the facts of a study as JSON, got a damaged file"):
        folder.read_facts(tmp_path)


def test_a_failure_is_logged_below_text_that_is_not_utf_8(tmp_path):
    (tmp_path / "failures.log").write_bytes(b"\xff mine\n")
    Ledger(tmp_path).append([record_failed(CELLS[0], "why")])
    assert (tmp_path / "failures.log").read_text().endswith(f" mine\n{CELLS[0].trial}\nwhy\n")


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("trials.csv", "t1,w1,1", "trials.csv:4: status: expected one of completed, diverged, failed, got nothing"),
        ("trials.csv", "," * 24, "trials.csv:4: status: expected one of"),
        ("trials.csv", "t1," * 30, r"trials.csv:4: expected \d+ values, got 31. .* delete that line to train"),
        ("epochs.csv", "t1,1,0.5", "epochs.csv:6: penalty_value: expected a value, got nothing. .* delete that line"),
        ("epochs.csv", "," * 8, "epochs.csv:6: trial: expected a value, got nothing"),
        ("epochs.csv", "t1,0,,0.2,0.5t2,1,0.5,0.2,0.5,0.9,1,2,3", "epochs.csv:6: expected 9 values, got 13"),
        (
            "epochs.csv",
            "t1,0,,0.2,0.5t2,1,2,3,4",
            "epochs.csv:6: validation_loss: expected a finite number, got '0.5t2'",
        ),
        ("epochs.csv", "t1,-1,,0.2,0.5,0.9,1,2,3", "epochs.csv:6: epoch: expected a number of at least 0, got -1"),
    ],
)
def test_a_line_that_two_runs_wrote_at_once_is_named(path, name, line, words):
    with (path / name).open("a") as file:
        file.write(f"{line}\n")
    for opened in (Ledger, read_trials if name == "trials.csv" else read_epochs):
        with pytest.raises(ResultsError, match=words):
            opened(path)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 400, "1e300", str(2**63), str(-(2**70)), "0x10", "true", "1_0", "½"])  # fmt: skip
@pytest.mark.parametrize(("name", "old", "column"), [("trials.csv", ",20,18,", "trainable_weights"), ("epochs.csv", ",0,,", "epoch")])  # fmt: skip
def test_a_whole_number_that_cannot_be_one_is_named(path, name, old, column, number):
    text = (path / name).read_text()
    (path / name).write_text(text.replace(old, f",{number}," + old.split(",", 2)[2], 1))
    for opened in (Ledger, read_trials if name == "trials.csv" else read_epochs):
        with pytest.raises(ResultsError, match=f"{name}:2: {column}: expected a whole number, got '{number}'"):
            opened(path)


@pytest.mark.parametrize("name", FILES)
def test_rows_that_are_longer_than_the_header_are_never_shifted(path, name):
    edit(path / name, lambda lines: [lines[0], *(f"{line},1" for line in lines[1:])])
    with pytest.raises(ResultsError, match=rf"{name}:2: expected \d+ values, got \d+"):
        Ledger(path)


def lose(path, *lost):
    """Removes lines of epochs.csv: 1 is the start of the first network, 2 its last epoch, 3 the next's start."""
    edit(path / "epochs.csv", lambda lines: [line for number, line in enumerate(lines) if number not in lost])


@pytest.mark.parametrize("lost", [(1,), (2,), (1, 2)], ids=["start", "last", "all"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_network_without_its_start_or_last_epoch_is_trained_again_and_that_is_said(path, lost, packed, caplog):
    lose(path, *lost)
    if packed:
        for name in FILES:
            (path / f"{name}.gz").write_bytes(gzip.compress((path / name).read_bytes()))
            (path / name).unlink()
    opened = Ledger(path)
    assert set(opened.finished) == {CELLS[1].trial}
    (said,) = caplog.messages
    trained = f"1 networks are trained again, as epochs.csv lacks their start or their last epoch: {CELLS[0].trial}"
    assert said == f"{path}: {trained}"
    opened.append([done(CELLS[0])])
    assert set(Ledger(path).finished) == BOTH
    assert len(read_epochs(path)) == 4
    assert len(read_trials(path)) == 2
    assert len(caplog.messages) == 1


def test_start_and_last_epoch_are_enough(tmp_path):
    long = done(CELLS[0])
    long.trial.epochs = 40
    long.epochs[1].epoch = 40
    Ledger(tmp_path).append([long])
    assert set(Ledger(tmp_path).finished) == {CELLS[0].trial}
    trials = read_trials(tmp_path)
    assert read_ends(tmp_path, trials)["epoch"].tolist() == [0, 40]
    assert find_incomplete(trials, [read_ends(tmp_path, trials)], tmp_path) == []


def test_between_start_and_end_no_line_is_parsed(tmp_path):
    long = done(CELLS[0])
    long.trial.epochs = 12
    long.epochs[1:] = [Epoch(CELLS[0].trial, epoch, 0.5, 0.2, 0.5, 0.9, 1.0, 3.0, 4.0) for epoch in range(1, 13)]
    Ledger(tmp_path).append([long])
    ends = read_ends(tmp_path, read_trials(tmp_path))
    assert ends["epoch"].tolist() == [0, 12]
    edit(tmp_path / "epochs.csv", lambda lines: [f'"{line.replace(",", chr(34) + ",", 1)}' for line in lines])
    assert find_lacking(read_trials(tmp_path), [read_ends(tmp_path, read_trials(tmp_path))]) == []


def test_networks_that_diverged_or_failed_need_no_epochs(tmp_path, caplog):
    diverged = record_diverged(CELLS[1], Counts(20, 18), [], epoch=3, seconds=1.0)
    Ledger(tmp_path).append([done(CELLS[0]), diverged, record_failed(CELLS[2], "why")])
    assert set(Ledger(tmp_path).finished) == BOTH
    assert not caplog.messages


def test_where_all_epochs_are_lost_that_is_said_and_nothing_is_trained_again(path, caplog):
    (path / "epochs.csv").unlink()
    for _ in range(2):
        assert set(Ledger(path).finished) == BOTH
    assert [message.partition("epochs.csv ")[2] for message in caplog.messages] == [
        "was missing: the epochs of 2 networks are lost"
    ] * 2
    (path / "epochs.csv").unlink()
    assert read_epochs(path).empty


def test_doubled_and_disordered_epochs_are_taken_once(path):
    before = read_epochs(path)
    edit(path / "epochs.csv", lambda lines: [lines[0], *reversed(lines[1:]), *lines[1:]])
    assert set(Ledger(path).finished) == BOTH
    same = ["trial", "epoch"]
    assert read_epochs(path).sort_values(same, ignore_index=True).equals(before.sort_values(same, ignore_index=True))


def test_epochs_after_the_last_of_their_network_are_dropped_and_said(path, caplog):
    before = (path / "epochs.csv").read_bytes()
    with (path / "epochs.csv").open("a") as file:
        file.write(f"{CELLS[0].trial},7,0.5,0.2,0.5,0.9,1,2,3\n")
    assert set(Ledger(path).finished) == BOTH
    assert (path / "epochs.csv").read_bytes() == before
    assert caplog.messages == [f"{path / 'epochs.csv'}: 1 epochs after the last of their network are dropped"]


def test_epochs_that_another_part_lacks_are_missed_and_those_it_has_are_found(tmp_path):
    for part in ("shards/1-of-2", "shards/2-of-2"):
        (tmp_path / part).mkdir(parents=True)
        Ledger(tmp_path, part).append([done(CELLS[int(part[7])])])
    assert len(Ledger(tmp_path).finished) == 2
    lose(tmp_path / "shards" / "2-of-2", 1)
    for part in ("", "shards/1-of-2", "shards/2-of-2"):
        assert set(Ledger(tmp_path, part).finished) == {CELLS[1].trial}


def test_columns_of_later_versions_come_last_and_may_be_empty():
    for row, count in FIRST_COLUMNS.items():
        assert all(field.default is None for field in fields(row)[count:])
    header = (LEFT / "trials.csv").read_text().splitlines()[0].split(",")
    assert header == list(records.columns(Trial))[: FIRST_COLUMNS[Trial]]
    header = (LEFT / "epochs.csv").read_text().splitlines()[0].split(",")
    assert header == list(records.columns(Epoch))[: FIRST_COLUMNS[Epoch]]


@pytest.fixture
def newer(monkeypatch):
    """A version whose rows have three more columns, of each type."""
    more = [("later_loss", float | None, None), ("later_count", int | None, None), ("later_word", str | None, None)]
    rows = {name: make_dataclass(name, more, bases=(getattr(records, name),)) for name in ("Trial", "Epoch")}
    for row, old in ((rows["Trial"], Trial), (rows["Epoch"], Epoch)):
        for table in (FIRST_COLUMNS, parsing._ALWAYS):
            monkeypatch.setitem(table, row, table[old])
    import regsearch.ledger.tables as tables

    for module in (ledger, mending, parsing, tables):
        for name, row in rows.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, row)
    return rows


def widened(rows, record, **more):
    """The record as the newer version has it."""
    record.trial = rows["Trial"](**vars(record.trial) | more)
    record.epochs = [rows["Epoch"](**vars(epoch)) for epoch in record.epochs]
    return record


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("part", ["", "shards/1-of-2"])
def test_a_newer_version_goes_on_in_the_ledger_of_an_older_one(tmp_path, request, part, packed):
    (tmp_path / part).mkdir(parents=True, exist_ok=True)
    Ledger(tmp_path, part).append([done(CELLS[0]), done(CELLS[1])])
    before = {name: (tmp_path / part / name).read_text().splitlines() for name in FILES}
    if packed:
        for name in FILES:
            text = (tmp_path / part / name).read_bytes()
            (tmp_path / part / f"{name}.gz").write_bytes(gzip.compress(text))
            (tmp_path / part / name).unlink()
    rows = request.getfixturevalue("newer")
    assert exists(tmp_path)
    table = read_trials(tmp_path)
    assert table[["later_loss", "later_count", "later_word"]].isna().all(axis=None)
    assert read_ends(tmp_path, table)["later_loss"].isna().all()
    opened = Ledger(tmp_path, part)
    assert set(opened.finished) == BOTH
    assert opened.finished[CELLS[0].trial].later_loss is None
    opened.append([widened(rows, done(CELLS[2]), later_loss=0.5, later_count=3)])
    for name in FILES:
        header, *lines = (tmp_path / part / name).read_text().splitlines()
        assert header == f"{before[name][0]},later_loss,later_count,later_word"
        assert lines[: len(before[name]) - 1] == [f"{line},,," for line in before[name][1:]]
    table = read_trials(tmp_path)
    assert table["later_loss"].tolist()[2] == 0.5
    assert table["later_count"].isna().tolist() == [True, True, False]
    assert Ledger(tmp_path, part).finished[CELLS[2].trial].later_count == 3
    assert len(read_epochs(tmp_path)) == 6
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_older_version_goes_on_in_the_ledger_of_a_newer_one_and_its_rows_stay_short_of_columns(tmp_path, request):
    Ledger(tmp_path).append([done(CELLS[0]), done(CELLS[1])])
    for name in FILES:
        edit(tmp_path / name, lambda lines: [f"{lines[0]},later_loss", *(f"{line},0.5" for line in lines[1:])])
    Ledger(tmp_path).append([done(CELLS[2])])
    assert len(read_trials(tmp_path)) == 3
    assert len(read_epochs(tmp_path)) == 6
    request.getfixturevalue("newer")
    assert read_trials(tmp_path)["later_loss"].isna().tolist() == [False, False, True]


def test_a_ledger_is_widened_whole_or_not_at_all(path, request, monkeypatch):
    before = {name: (path / name).read_bytes() for name in FILES}
    request.getfixturevalue("newer")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(ResultsError, match="No space left on device"):
            Ledger(path)
    assert {name: (path / name).read_bytes() for name in FILES} == before
    assert set(Ledger(path).finished) == BOTH


@pytest.mark.parametrize("name", FILES)
def test_a_marked_older_ledger_loses_its_mark_when_it_is_widened(path, name, request):
    (path / name).write_bytes(b"\xef\xbb\xbf" + (path / name).read_bytes().replace(b"\n", b"\r\n"))
    request.getfixturevalue("newer")
    assert set(Ledger(path).finished) == BOTH
    assert (path / name).read_bytes().startswith(b"trial,")
    assert b"\r" not in (path / name).read_bytes()


def test_a_torn_last_line_of_an_older_ledger_is_dropped_before_it_is_widened(path, request, caplog):
    (path / "trials.csv").write_bytes((path / "trials.csv").read_bytes()[:-3])
    request.getfixturevalue("newer")
    assert set(Ledger(path).finished) == {CELLS[0].trial}
    assert "torn" in caplog.text


def test_the_newest_ledger_is_not_written_again(path):
    before = {name: (path / name).stat().st_ino for name in FILES}
    Ledger(path)
    assert {name: (path / name).stat().st_ino for name in FILES} == before
