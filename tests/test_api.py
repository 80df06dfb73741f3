"""The Python API: what it offers, that it leaves the caller's process as it was, and how it reads in a notebook."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import keras
import nbformat
import pandas as pd
import pytest
from checked_page import Checked
from conftest import edited, parsed
from matplotlib.figure import Figure

import regsearch
from regsearch import runner

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
SMALL = [
    ("widths: [1, 2]", "widths: [1]"),
    ("penalties: [l1, l2]", "penalties: [l1]"),
    ("lambdas: [0, 0.01, 0.1]", "lambdas: [0, 0.01]"),
    ("seeds: 2", "seeds: 1"),
]
SCRIPT = """
import json, logging, multiprocessing.spawn, os, signal, sys
from pathlib import Path

import dask, distributed, keras, sklearn.datasets, tensorflow as tf
import regsearch

Path("executed").open("a").write("once\\n")
keras.config.set_floatx("float64")
keras.config.set_image_data_format("channels_first")
float(tf.constant(1.0) + 1)  # so that it takes no other settings any more


def look():
    levels = {name: logging.getLogger(name).level for name in ("", "distributed", "tensorflow", "regsearch")}
    handlers = [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    settings = keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()
    more = {"dask": str(dask.config.config), "spawn": multiprocessing.spawn.get_preparation_data}
    return {**os.environ, **levels, **more, "handlers": handlers, "settings": settings}


def check():
    now = look()
    assert now == before, {name: (was, now.get(name)) for name, was in before.items() if now.get(name) != was}


before = look()
spec = regsearch.Spec.load("tiny.yaml")
results = regsearch.run(spec, "results")
check()
again = regsearch.run(spec, "results", workers=1)
check()
json.dump([len(results.trials), results.verdict == again.verdict], open("seen.json", "w"))
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder in which a script without `if __name__ == "__main__"` ran a study with the API's own defaults."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "tiny.yaml").write_text(edited(*SMALL))
    (folder / "script.py").write_text(SCRIPT)
    ended = subprocess.run([sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=300)
    return folder, ended


@pytest.fixture(scope="module")
def digits():
    return regsearch.load(REFERENCE / "digits")


@pytest.mark.slow
@pytest.mark.figures
def test_a_script_needs_no_main_and_its_settings_environment_and_logging_stay_as_they_were(ran):
    folder, ended = ran
    assert ended.returncode == 0, ended.stderr
    assert (folder / "executed").read_text() == "once\n"
    assert json.loads((folder / "seen.json").read_text()) == [2, True]
    runs = json.loads((folder / "results" / "study.json").read_text())["runs"]
    assert [run["trained"] for run in runs] == [2]
    assert runs[0]["workers"] >= 1


@pytest.mark.slow
def test_it_prints_nothing(ran):
    _, ended = ran
    tensorflows = ("WARNING: All log", "I0000", "E0000", "W0000")  # of the script's own import
    ours = [line for line in ended.stderr.splitlines() if not line.startswith(tensorflows)]
    assert (ended.stdout, ours) == ("", [])


@pytest.mark.slow
def test_what_is_loaded_is_what_the_files_say(ran):
    folder, _ = ran
    results = regsearch.load(folder / "results")
    assert results.folder == folder / "results"
    assert results.spec == parsed(*SMALL)
    assert len(results.trials) == 2
    assert len(results.epochs) == 2 * 3
    for name, table in results.tables.items():
        written = pd.read_csv(folder / "results" / f"{name}.csv")
        assert list(table.columns) == list(written.columns)
        assert len(table) == len(written)
        assert getattr(results, name) is table
    assert results.calibration is None


def test_importing_it_imports_nothing_heavy():
    code = "import sys, regsearch; print({'numpy', 'pandas', 'keras', 'tensorflow', 'pydantic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_everything_it_offers_is_there_and_says_what_it_is():
    for name in regsearch.__all__:
        offered = getattr(regsearch, name)
        assert inspect.getdoc(offered), name
        if offered is regsearch.Results:
            for part, value in vars(offered).items():
                assert part.startswith("_") or inspect.getdoc(value), part
    assert set(dir(regsearch)) == {*regsearch.__all__, "__version__"}
    with pytest.raises(AttributeError, match="has no attribute 'train'"):
        _ = regsearch.train


def test_verdict_and_doubts_are_those_of_the_page(digits):
    assert [text.partition(":")[0] for text in digits.verdict[:2]] == ["l1", "l2"]
    assert any("learning rate" in text for text in digits.doubts)
    assert repr(digits).startswith(f"digits, in {REFERENCE / 'digits'}: 888 of 888 trials\nl1: ")


def test_a_notebook_is_shown_verdict_tables_and_doubts(digits):
    seen = Checked(digits._repr_html_())
    text = "".join(seen.text)
    for words in (
        digits.verdict[0].partition(": ")[2],
        digits.doubts[0],
        "trainable_weights",
        "18346",
        "exponent_low",
    ):
        assert words in text
    assert "style" not in seen.tags
    assert "color" not in digits._repr_html_()


@pytest.mark.figures
@pytest.mark.parametrize("kind", ["best_lambda", "response", "transfer", "stability", "penalty_share"])
def test_each_figure_can_be_had_by_itself(digits, kind):
    drawn = digits.figure(kind, penalty="l2")
    assert isinstance(drawn, Figure)
    assert drawn.texts[0].get_text().startswith("l2")
    assert drawn._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"kind": "best"}, r"kind: expected one of best_lambda, response, .*, got 'best'"),
        (
            {},
            r"expected one best_lambda figure, told by penalty, .* got 2 figures with nothing said; there are: l1, ",
        ),
        (
            {"penalty": "l3"},
            r"got none with penalty='l3'; there are: l1, learning rate 0.05, 500 training images; l2, ",
        ),
        ({"penalty": "l1", "train_size": 9}, r"got none with penalty='l1', train_size=9; there are"),
    ],
)
def test_a_figure_that_is_not_there_is_an_error_that_says_which_are(digits, asked, words):
    with pytest.raises(ValueError, match=words):
        digits.figure(**asked)


def test_a_range_is_suggested_for_each_penalty(digits):
    table = digits.suggest(100_000)
    assert table["penalty"].tolist() == ["l1", "l2"]
    row = digits.suggest(100_000, "l2").iloc[0]
    assert 0 < row["low"] < row["best"] < row["high"]
    assert row["factor"] == pytest.approx(100_000 / 18_346)
    assert "lambdas: {from:" in row["spec"]
    few = digits.suggest(100_000, below=10_000)
    assert few["words"].str.contains("networks").all()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"weights": 0}, ValueError, "weights: expected a number of trainable weights, got 0"),
        ({"weights": 10, "below": 100}, ValueError, "below: expected more than the 746 weights"),
        ({"weights": 10, "penalty": "l3"}, regsearch.ResultsError, r"penalty: expected one .* \(l1, l2\), got l3"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(digits, arguments, error, words):
    with pytest.raises(error, match=words):
        digits.suggest(**arguments)


@pytest.mark.slow
def test_the_search_is_one_that_keras_tuner_knows(digits, capsys):
    best = digits.tuner.get_best_hyperparameters(1)[0]
    lowest = digits.trials.loc[digits.trials["validation_loss"].idxmin()]
    assert (best.get("architecture"), best.get("lambda")) == (lowest["architecture"], lowest["lambda"])
    built = digits.tuner.hypermodel.build(best)
    assert isinstance(built, keras.Sequential)
    assert built.count_params() == lowest["trainable_weights"]
    digits.tuner.results_summary(1)
    assert f"Trial {lowest['trial']} summary" in capsys.readouterr().out
    assert not (REFERENCE / "digits" / "keras_tuner").exists()


def test_a_plan_says_what_a_run_would_do(tmp_path, monkeypatch):
    monkeypatch.setattr("regsearch.runner.timing.measure", lambda *_: None)
    planned = regsearch.plan(parsed(), tmp_path / "none")
    assert repr(planned) == (
        f"20 trials, 0 of them in {tmp_path / 'none'}/: 20 to train\n"
        "Nothing is missing, so a run would train nothing."
    )


@pytest.mark.parametrize("call", [regsearch.run, regsearch.plan])
@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"workers": "two"}, "workers: expected \"auto\", or a number from 0 to 1024, got 'two'"),
        ({"workers": True}, "workers: .*, got True"),
        ({"workers": -1}, "workers: .*, got -1"),
        ({"engine": "keras"}, "engine: expected one of population, reference, got 'keras'"),
        ({"device": "tpu"}, "device: expected one of auto, cpu, gpu, got 'tpu'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(tmp_path, call, named, words):
    with pytest.raises(ValueError, match=words):
        call(parsed(), tmp_path / "results", **named)
    assert not list(tmp_path.iterdir())


def test_a_spec_is_one_or_a_file_of_one(tmp_path):
    with pytest.raises(TypeError, match=r"spec: expected a regsearch.Spec or the path of a spec file, got 3"):
        regsearch.run(3, tmp_path)
    with pytest.raises(regsearch.SpecError, match=r"none.yaml: expected a readable spec file"):
        regsearch.plan(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text(edited(("seeds: 2", "seeds: none")))
    with pytest.raises(regsearch.RegsearchError, match=r"bad.yaml:16: grid.seeds: expected a number of seeds"):
        regsearch.run(str(tmp_path / "bad.yaml"), tmp_path)


def test_a_folder_of_studies_is_no_study():
    with pytest.raises(regsearch.ResultsError, match=r"got a folder of several: load one of adamw, adamw-l2, sgd, "):
        regsearch.load(REFERENCE / "study")


def test_networks_that_fail_are_among_the_trials_and_said(tmp_path, monkeypatch, caplog):
    def fails(*_):
        raise RuntimeError("no luck")

    monkeypatch.setattr("regsearch.runner.work.train", fails)
    results = regsearch.run(parsed(("widths: [1, 2]", "widths: [1]")), tmp_path, workers=0)
    assert set(results.trials["status"]) == {"failed"}
    assert "10 networks failed: t" in caplog.text
    assert "0 of 10 trials" in repr(results)


def test_the_words_of_the_command_line_are_those_of_the_api():
    assert runner.Settings.of("auto", "reference", "gpu") == runner.Settings("reference", None, "GPU")
    assert runner.Settings.of(0, "population", "auto") == runner.Settings()


NOTEBOOK = [
    "import regsearch\nresults = regsearch.load('digits')\nresults",
    "results.best_lambda",
    "results.figure('response', penalty='l2')",
    "small = regsearch.run('tiny.yaml', 'results')\nsmall.trials",
    "regsearch.Spec.load('bad.yaml')",
]


@pytest.mark.slow
def test_a_notebook_loads_shows_draws_runs_and_reads_well_where_it_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / "digits").symlink_to(REFERENCE / "digits")
    (tmp_path / "tiny.yaml").write_text(edited(*SMALL))
    (tmp_path / "bad.yaml").write_text(edited(("seeds: 2", "seeds: none"), ("epochs: 2", "epochs: 0")))
    cells = [nbformat.v4.new_code_cell(code) for code in NOTEBOOK]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebook.ipynb")
    execute = [sys.executable, "-c", "from nbclient.cli import main; main()", "--inplace", "--allow-errors"]
    subprocess.run([*execute, "notebook.ipynb"], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    notebook = nbformat.read(tmp_path / "notebook.ipynb", 4)
    shown = [[output.get("data", output) for output in cell["outputs"]] for cell in notebook.cells]
    assert [len(outputs) for outputs in shown] == [1] * 5, shown
    (results,), (table,), (figure,), (trials,), (error,) = shown
    assert "<strong>l2:</strong>" in results["text/html"]
    assert "14 rows" in table["text/html"]
    assert figure["image/png"]
    assert "2 rows" in trials["text/html"]
    assert error["traceback"] == [
        "SpecError: bad.yaml:16: grid.seeds: expected a number of seeds from 1 to 1000, or a list of different whole "
        "numbers from 0 to 2147483647, got 'none'\n"
        "bad.yaml:20: training.epochs: expected a number of at least 1, got 0"
    ]
