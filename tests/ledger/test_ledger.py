"""The ledger keeps each finished network once, through kills, torn lines and edits."""

import csv
import gzip
import logging
import re

import pytest
from conftest import parsed

from regsearch.errors import ResultsError
from regsearch.grid.cells import make_cells
from regsearch.ledger import Ledger, exists, read_ends, read_epochs, read_trials
from regsearch.ledger.records import Counts, Epoch, record_completed, record_diverged, record_failed

CELLS = make_cells(parsed(), "reference", "digits")
COUNTS = Counts(20, 18)


def done(cell, loss=0.5):
    epochs = [
        Epoch(cell.trial, n, None if n == 0 else loss, 0.25, loss, 0.9, 1.5 if n else None, 3.0, 4.0) for n in (0, 1)
    ]
    return record_completed(cell, COUNTS, epochs, (0.75, 0.8), seconds=1.0)


def test_what_is_appended_is_read_back(tmp_path):
    Ledger(tmp_path).append([done(CELLS[0]), done(CELLS[1], loss=1 / 3)])
    table = read_trials(tmp_path)
    assert list(table["trial"]) == [CELLS[0].trial, CELLS[1].trial]
    assert table["validation_loss"].tolist() == [0.5, 0.333333333]
    assert table["trainable_weights"].tolist() == [20, 20]
    assert table["penalty"].tolist() == ["none", "l1"]
    assert len(read_epochs(tmp_path)) == 4
    assert set(Ledger(tmp_path).finished) == {CELLS[0].trial, CELLS[1].trial}
    assert Ledger(tmp_path).finished[CELLS[0].trial] == done(CELLS[0]).trial


def test_a_diverged_network_has_empty_losses_and_needs_no_more_training(tmp_path):
    Ledger(tmp_path).append([record_diverged(CELLS[1], COUNTS, [], epoch=3, seconds=1.0)])
    row = read_trials(tmp_path).iloc[0]
    assert row["status"] == "diverged"
    assert (row["epochs"], row["diverged_epoch"]) == (2, 3)
    assert row[["train_loss", "validation_loss", "test_loss", "penalty_value"]].isna().all()
    assert CELLS[1].trial in Ledger(tmp_path).finished


def test_a_failed_trial_is_tried_again_and_the_last_row_wins(tmp_path):
    Ledger(tmp_path).append([record_failed(CELLS[0], "why")])
    assert not Ledger(tmp_path).finished
    Ledger(tmp_path).append([done(CELLS[0])])
    assert read_trials(tmp_path)["status"].tolist() == ["completed"]


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_torn_last_line_is_dropped_with_a_warning_and_its_epochs_with_it(tmp_path, caplog, cut):
    Ledger(tmp_path).append([done(CELLS[0]), done(CELLS[1])])
    path = tmp_path / "trials.csv"
    path.write_bytes(path.read_bytes()[:-cut])
    with caplog.at_level(logging.WARNING):
        ledger = Ledger(tmp_path)
    assert "torn" in caplog.text
    assert set(ledger.finished) == {CELLS[0].trial}
    assert set(read_epochs(tmp_path)["trial"]) == {CELLS[0].trial}
    ledger.append([done(CELLS[1])])
    assert len(read_trials(tmp_path)) == 2


def test_epochs_without_a_trial_are_dropped_on_opening(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append([done(CELLS[0])])
    before = ledger.epochs.read_bytes()
    with ledger.epochs.open("ab") as file:
        file.write(b"tfffffffffff,0,,0,1,0.1,,1,1\ntffff")
    Ledger(tmp_path)
    assert ledger.epochs.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("validation_loss", "loss", "expected the column 'validation_loss' as number 16, got 'loss'"),
        ("trial,architecture", "architecture,trial", "expected the column 'trial' as number 1, got 'architecture'"),
        (",engine,seconds,guessing_loss,backend", "", "expected the column 'engine' as number 24, got nothing"),
        (",0.75,", ",lots,", "trials.csv:2: test_loss: expected a finite number, got 'lots'"),
        (",0.75,", ",inf,", "test_loss: expected a finite number, got 'inf'"),
        (",0.75,", ",,", "test_loss: expected a number, got nothing"),
        (",20,18,", ",20.5,18,", "trials.csv:2: trainable_weights: expected a whole number, got '20.5'"),
        (",none,0", ",,0", "penalty: expected a value, got nothing"),
        (",none,0", ",none,-1", "lambda: expected a number of at least 0, got"),
        (",completed,", ",bogus,", "status: expected one of completed, diverged, failed, got 'bogus'"),
        ("\n", "\r", "trials.csv:1: expected the"),
        ("trial,", '"trial,', "expected"),
    ],
)
@pytest.mark.parametrize("opened", [Ledger, read_trials])
def test_an_edited_ledger_is_refused_and_left_as_it_is(tmp_path, old, new, words, opened):
    Ledger(tmp_path).append([done(CELLS[0])])
    path = tmp_path / "trials.csv"
    text = path.read_text()
    path.write_bytes((text.replace(old, new) if old == "\n" else text.replace(old, new, 1)).encode())
    before = path.read_bytes()
    with pytest.raises(ResultsError, match=words if opened is Ledger else "expected"):
        opened(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["trials.csv", "epochs.csv"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x00\xfegarbage\n", "expected the column 'trial' as number 1, got"),
        (b"my,data\n1,2\n", "expected the column 'trial' as number 1, got 'my'"),
        ("trial,a\n".encode("utf-16"), "expected text in UTF-8, got UTF-16. Save it as CSV in UTF-8 with commas"),
        (b"trial;a\n1;2\n", "expected columns that are parted by commas, got semicolons. Save it as CSV in UTF-8"),
        (b"trial\ta\n1\t2\n", "expected columns that are parted by commas, got tabs"),
    ],
)
def test_a_file_that_is_no_ledger_is_refused_and_left_as_it_is(tmp_path, name, content, words):
    Ledger(tmp_path).append([done(CELLS[0])])
    (tmp_path / name).write_bytes(content)
    for opened in (Ledger, read_trials if name == "trials.csv" else read_epochs):
        with pytest.raises(ResultsError, match=f"{name}:1: {words}"):
            opened(tmp_path)
    assert (tmp_path / name).read_bytes() == content


def test_a_torn_header_is_written_again(tmp_path):
    (tmp_path / "trials.csv").write_text("trial,archi")
    Ledger(tmp_path).append([done(CELLS[0])])
    assert len(read_trials(tmp_path)) == 1


def test_quoted_epochs_are_kept_and_missing_ones_are_missed(tmp_path, caplog):
    Ledger(tmp_path).append([done(CELLS[0])])
    path = tmp_path / "epochs.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(f'"{row.replace(",", chr(34) + ",", 1)}' for row in rows), ""]))
    Ledger(tmp_path)
    assert len(read_epochs(tmp_path)) == 2
    path.unlink()
    Ledger(tmp_path)
    assert "the epochs of 1 networks are lost" in caplog.text


@pytest.mark.parametrize(
    ("left", "got"), [(None, "no such file"), ("", "an empty one"), ("trial,ar", "an empty one")]
)
def test_epochs_without_a_ledger_are_not_dropped(tmp_path, left, got):
    Ledger(tmp_path).append([done(CELLS[0])])
    path = tmp_path / "trials.csv"
    path.unlink() if left is None else path.write_text(left)
    before = (tmp_path / "epochs.csv").read_bytes()
    with pytest.raises(ResultsError, match=f"expected the ledger of the networks in epochs.csv, got {got}"):
        Ledger(tmp_path)
    assert (tmp_path / "epochs.csv").read_bytes() == before


def test_a_test_loss_that_is_no_number_is_a_divergence(tmp_path):
    epochs = done(CELLS[0]).epochs
    Ledger(tmp_path).append([record_completed(CELLS[0], COUNTS, epochs, (float("nan"), 0.5), seconds=1.0)])
    assert read_trials(tmp_path)["status"].tolist() == ["diverged"]


def test_columns_added_by_a_later_version_are_passed_over(tmp_path):
    Ledger(tmp_path).append([done(CELLS[0])])
    path = tmp_path / "trials.csv"
    header, row = path.read_text().splitlines()
    path.write_text(f"{header},new\n{row},1\n")
    assert len(read_trials(tmp_path)) == 1


@pytest.mark.parametrize("name", ["trials.csv", "epochs.csv"])
def test_a_ledger_of_an_older_version_says_what_to_do(tmp_path, name):
    Ledger(tmp_path).append([done(CELLS[0])])
    path = tmp_path / name
    later = 3 if name == "trials.csv" else 1  # the first that is missing is one that version 0.2.0 had
    path.write_text("".join(",".join(line.split(",")[:-later]) + "\n" for line in path.read_text().splitlines()))
    before = path.read_bytes()
    with pytest.raises(ResultsError, match=r"got nothing. An older version wrote it: .* with --fresh"):
        Ledger(tmp_path)
    assert path.read_bytes() == before


def test_no_text_in_a_ledger_can_start_a_formula(tmp_path):
    """Names of architectures are validated, and penalties, engines, statuses and trials are ours."""
    spec = parsed(("[l1, l2]", "[l1, l2, {l1_l2: {ratio: 0.25}}, decoupled]"))
    every = [done(cell) for cell in make_cells(spec, "population", "digits")]
    Ledger(tmp_path).append(
        [*every[:-2], record_failed(CELLS[0], "=why"), record_diverged(CELLS[1], COUNTS, [], 1, 1.0)]
    )
    for name in ("trials.csv", "epochs.csv"):
        with (tmp_path / name).open(newline="") as file:
            texts = {cell for row in csv.reader(file) for cell in row if not number(cell)}
        assert {"none", "l1_l2-0.25"} <= texts or name == "epochs.csv"
        assert [text for text in texts if not re.match(r"[A-Za-z]", text)] == [""]


def number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_a_missing_ledger_says_what_makes_one(tmp_path):
    with pytest.raises(ResultsError, match="`regsearch run SPEC` makes one"):
        read_trials(tmp_path)


def test_epochs_that_are_no_numbers_are_refused_before_anything_is_trained(tmp_path):
    Ledger(tmp_path).append([done(CELLS[0])])
    path = tmp_path / "epochs.csv"
    path.write_text(path.read_text().replace(",1.5,", ",many,"))
    with pytest.raises(ResultsError, match=r"epochs.csv:3: gradient_norm: expected a finite number, got 'many'"):
        Ledger(tmp_path)


def test_a_damaged_start_is_named_by_its_line_where_ends_alone_are_read(tmp_path):
    Ledger(tmp_path).append([done(cell) for cell in CELLS[:3]])
    path = tmp_path / "epochs.csv"
    lines = path.read_text().splitlines(keepends=True)
    assert lines[5].startswith(f"{CELLS[2].trial},0,")
    path.write_text("".join([*lines[:5], lines[5].replace(",0.25,", ",little,"), *lines[6:]]))
    trials = read_trials(tmp_path)
    for read in (read_epochs, lambda folder: read_ends(folder, trials)):
        with pytest.raises(
            ResultsError, match=r"epochs.csv:6: penalty_value: expected a finite number, got 'little'"
        ):
            read(tmp_path)


def packed(path):
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def test_a_compressed_ledger_is_read_as_it_is_and_unpacked_to_be_appended_to(tmp_path):
    Ledger(tmp_path).append([done(CELLS[0])])
    before = (tmp_path / "trials.csv").read_bytes()
    for name in ("trials.csv", "epochs.csv"):
        packed(tmp_path / name)
    assert exists(tmp_path)
    assert len(read_trials(tmp_path)) == 1
    assert len(read_epochs(tmp_path)) == 2
    assert not (tmp_path / "trials.csv").exists()
    Ledger(tmp_path).append([done(CELLS[1])])
    assert (tmp_path / "trials.csv").read_bytes().startswith(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epochs.csv", "trials.csv"]
    assert len(read_trials(tmp_path)) == 2


def test_a_damaged_compressed_ledger_is_one_clear_error(tmp_path):
    Ledger(tmp_path).append([done(CELLS[0])])
    packed(tmp_path / "trials.csv")
    whole = (tmp_path / "trials.csv.gz").read_bytes()
    for damage in (whole[:-9], b"no gzip", whole[:20] + b"\0\0\0\0" + whole[24:]):
        (tmp_path / "trials.csv.gz").write_bytes(damage)
        for opened in (read_trials, Ledger):
            with pytest.raises(
                ResultsError, match=r"trials.csv.gz: expected a file packed by gzip, got a damaged one"
            ):
                opened(tmp_path)


def test_parts_are_read_together_and_what_finished_in_one_outdoes_a_failure_in_another(tmp_path):
    for part in ("shards/1-of-2", "shards/2-of-2"):
        (tmp_path / part).mkdir(parents=True)
    Ledger(tmp_path, "shards/1-of-2").append([done(CELLS[0]), done(CELLS[1])])
    Ledger(tmp_path, "shards/2-of-2").append([record_failed(CELLS[0], "why"), done(CELLS[2])])
    table = read_trials(tmp_path)
    assert sorted(table["trial"]) == sorted(cell.trial for cell in CELLS[:3])
    assert set(table["status"]) == {"completed"}
    assert len(read_epochs(tmp_path)) == 6
    assert set(Ledger(tmp_path, "shards/2-of-2").finished) == {cell.trial for cell in CELLS[:3]}
    assert not (tmp_path / "trials.csv").exists()
