"""What is known: rows, `trials.csv` and `epochs.csv`, checkpoints, and one run at a time in a results folder."""

from regsearch.ledger.aside import MOVED_ASIDE, move_aside
from regsearch.ledger.checkpoints import DECIDING, SAVE_SECONDS, Checkpoint, Checkpoints, list_versions
from regsearch.ledger.files import unusable, write_bytes, write_text
from regsearch.ledger.folder import STUDY, StudyFacts, admit, claim, note_run, open_study, read_facts, read_spec
from regsearch.ledger.holding import BRIEFLY, FOREVER, hold
from regsearch.ledger.ledger import Ledger
from regsearch.ledger.records import (
    Counts,
    Epoch,
    Record,
    Trial,
    columns,
    record_completed,
    record_diverged,
    record_failed,
)
from regsearch.ledger.tables import (
    EPOCHS,
    SHARDS,
    TRIALS,
    exists,
    find_incomplete,
    find_lacking,
    make_rows,
    read_ends,
    read_epochs,
    read_trials,
)

__all__ = [
    "BRIEFLY", "DECIDING", "EPOCHS", "FOREVER", "MOVED_ASIDE", "SAVE_SECONDS", "SHARDS", "STUDY", "TRIALS",
    "Checkpoint", "Checkpoints", "Counts", "Epoch", "Ledger", "Record", "StudyFacts", "Trial", "admit", "claim",
    "columns", "exists", "find_incomplete", "find_lacking", "hold", "list_versions", "make_rows", "move_aside",
    "note_run", "open_study", "read_ends", "read_epochs", "read_facts", "read_spec", "read_trials",
    "record_completed", "record_diverged", "record_failed", "unusable", "write_bytes", "write_text",
]  # fmt: skip
