"""The results that are kept are what `regsearch report` makes of their ledgers, and few bytes."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from checked_page import Checked
from click.testing import CliRunner
from matplotlib import image
from matplotlib.figure import Figure

from regsearch.cli import main
from regsearch.ledger import EPOCHS, STUDY, TRIALS
from regsearch.report.figures import gallery

pytestmark = [pytest.mark.slow, pytest.mark.figures]

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "results" / "reference"
LARGEST = "study/sgd"
SIZE, SIZES = "500 training images", 3
"""The training-set size whose figures are drawn, and how many sizes have as many: drawing takes the time."""
SPREAD = 0.05
"""Of a figure's colour, what may lie elsewhere: between Matplotlib 3.9 and 3.11 and their FreeTypes that was 0.02, since
letters move the legend; another study's curves are all elsewhere."""


def list_kept():
    """The files of `results/reference` that are committed; all where there is no git to tell."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "."], cwd=REFERENCE, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        return sorted(path for path in listed.stdout.split("\0") if path)
    return sorted(str(path.relative_to(REFERENCE)) for path in REFERENCE.rglob("*") if path.is_file())


KEPT = list_kept()
PNGS = [path for path in KEPT if path.endswith(".png")]


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    """A report of every folder from nothing but its facts."""
    path = tmp_path_factory.mktemp("rebuilt")
    ledgers = sorted(REFERENCE.rglob(STUDY))
    facts = {STUDY, "spec.yaml", *(f"{name}{ending}" for name in (TRIALS, EPOCHS) for ending in ("", ".gz"))}
    for study in ledgers:
        to = path / study.parent.relative_to(REFERENCE)
        to.mkdir(parents=True)
        for fact in study.parent.iterdir():
            if fact.name in facts:
                shutil.copy(fact, to)
    with pytest.MonkeyPatch.context() as patch:
        _draw_only_what_is_looked_at(patch)
        for top in sorted({path / study.relative_to(REFERENCE).parts[0] for study in ledgers}):
            result = CliRunner().invoke(main, ["report", str(top), "--quiet"])
            assert result.exit_code == 0, result.output
    return path


def _draw_only_what_is_looked_at(patch):
    """The figures that are kept, and those of one size of the largest study as SVG alone."""
    kept = {Path(png).stem for png in PNGS}
    draw_picture, savefig = gallery.draw_picture, Figure.savefig

    def save_svg(figure, file, format, **options):
        if format == "svg":
            savefig(figure, file, format=format, **options)

    def draw(kind, drawn, points, name):
        with pytest.MonkeyPatch.context() as inner:
            if re.sub(r"[^A-Za-z0-9._]+", "-", f"{kind}-{name}") not in kept:
                if not name.endswith(SIZE):  # as a third of the largest study's do, and none else
                    return []
                inner.setattr(Figure, "savefig", save_svg)
            return draw_picture(kind, drawn, points, name)

    patch.setattr(gallery, "draw_picture", draw)


def test_every_table_is_rebuilt_byte_for_byte(rebuilt):
    tables = [path for path in KEPT if path.endswith(".csv") and not path.startswith("calibration/")]
    assert len(tables) > 30
    for table in tables:
        assert (rebuilt / table).read_bytes() == (REFERENCE / table).read_bytes(), table


@pytest.mark.parametrize("png", PNGS)
def test_every_figure_that_is_kept_is_rebuilt(rebuilt, png):
    kept, again = (_read_colour(folder / png) for folder in (REFERENCE, rebuilt))
    assert again.shape == kept.shape
    assert np.abs(again - kept).sum() <= SPREAD * kept.sum()


def _read_colour(png):
    """How far each pixel is from grey: the data's lines are coloured, the letters are not."""
    pixels = image.imread(png)[..., :3]
    return pixels.max(axis=-1) - pixels.min(axis=-1)


def test_the_page_of_the_largest_study_is_light_and_whole(rebuilt):
    text = (rebuilt / LARGEST / "report.html").read_text()
    figures = [path.read_text() for path in (rebuilt / LARGEST / "figures").glob("*.svg")]
    assert Checked(text).tags.count("svg") == len(figures) >= 14
    assert len(text.encode()) + (SIZES - 1) * sum(len(figure.encode()) for figure in figures) < 3_000_000
    assert "base64" not in text
    for figure in figures:
        assert "<text" in figure
        assert "<image" not in figure


def test_what_is_kept_is_facts_tables_and_a_few_figures_of_8_megabytes_at_most():
    assert sum((REFERENCE / path).stat().st_size for path in KEPT) < 8e6
    assert 1 <= len(PNGS) <= 5
    assert {Path(path).suffix for path in KEPT} == {".csv", ".gz", ".json", ".md", ".png", ".yaml"}
