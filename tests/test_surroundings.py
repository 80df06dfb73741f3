"""Where and as whom the command is run, and what its user has set for other programs, changes no number and ends nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import made_up_folder
import matplotlib as mpl
import pandas as pd
import pytest
from conftest import edited, parsed, run_command

import regsearch
from regsearch import data, report, study, surroundings
from regsearch.errors import DeviceError

SMALL = (("widths: [1, 2]", "widths: [1]"), ("lambdas: [0, 0.01, 0.1]", "lambdas: [0.01]"), ("seeds: 2", "seeds: 1"))
DARK = "text.usetex: True\nnonsense\nfont.size: huge\naxes.facecolor: black\nsavefig.dpi: 30\nsvg.fonttype: path\n"
SHADOWED = (
    "click", "dask", "distributed", "json", "keras", "keras_tuner", "logging", "matplotlib", "numpy", "pandas", "pickle",
    "random", "sklearn", "socket", "tensorflow", "threading",
)  # fmt: skip
SETTINGS = [
    # a notebook's terminal
    {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "JPY_PARENT_PID": "1", "TERM": "xterm-color"},
    {"MPLBACKEND": "module://nowhere.backend", "JPY_SESSION_NAME": "x", "PYDEVD_USE_FRAME_EVAL": "NO"},
    {"MPLBACKEND": "nonsense"},
    {"MATPLOTLIBRC": "{home}"},
    {"HOME": "{home}"},  # broken files of Matplotlib, Dask and Keras
    {"HOME": "/dev/null/none"},
    {"HOME": "/proc", "USER": "", "LOGNAME": ""},  # which nobody can write
    {"TMPDIR": "/dev/null/none"},
    {"DASK_CONFIG": "{home}/.config/dask", "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "banana"},
    {"DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "nonsense", "DASK_LOGGING__DISTRIBUTED": "debug"},
    {"KERASTUNER_TUNER_ID": "tuner0", "KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": "9"},
    {"KERASTUNER_ORACLE_IP": "127.0.0.1"},
    {"KERAS_HOME": "{home}/.keras", "KERAS_BACKEND": "nonsense", "KERAS_MAX_EPOCHS": "many"},
    {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_MAX_VLOG_LEVEL": "1", "TF_XLA_FLAGS": "--nonsense"},
    {"OMP_NUM_THREADS": "garbage", "OPENBLAS_NUM_THREADS": "-1", "MKL_NUM_THREADS": ""},
    {"PANDAS_FUTURE_INFER_STRING": "1", "NPY_DISABLE_CPU_FEATURES": "NONSENSE", "SCIPY_ARRAY_API": "1"},
    {"PYTHONWARNINGS": "error"},
    {"PYTHONDEVMODE": "1", "PYTHONASYNCIODEBUG": "1"},
    {"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "7"},
    {"COLUMNS": "²", "LINES": "x", "TERM": "unknown"},
    {"COLUMNS": "0", "LINES": "-1", "TERM": "dumb"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A current folder with modules that nobody should import, and a home with broken files."""
    here, home = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("home")
    for name in SHADOWED:
        (here / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    (here / "tiny.yaml").write_text(edited(*SMALL))
    (here / "matplotlibrc").write_bytes(b"font.family: \xff")
    (home / "matplotlibrc").write_text(DARK)
    for name, text in {".config/dask/x.yaml": "a: [", ".keras/keras.json": "[1]", ".config/matplotlib/x": ""}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    shutil.copy(here / "matplotlibrc", home / ".config/matplotlib/matplotlibrc")
    return here, home


def environment(home, *settings):
    given = {name: value.format(home=home) for one in settings for name, value in one.items()}
    return {**os.environ, **given}


@pytest.mark.slow
@pytest.mark.figures
def test_a_run_is_the_same_whatever_is_set_for_other_programs(place, tmp_path):
    here, home = place
    study.run(parsed(*SMALL), tmp_path / "plain", study.Settings())
    plain = pd.read_csv(tmp_path / "plain" / "trials.csv").drop(columns="seconds")

    def run(*settings, workers=1):
        shutil.rmtree(tmp_path / "set", ignore_errors=True)
        arguments = ["run", "tiny.yaml", "--out", tmp_path / "set", "--quiet", "--workers", workers]
        done = run_command(*arguments, cwd=here, env=environment(home, *settings), errors="replace")
        if (done.returncode, done.stdout, done.stderr) != (0, "", ""):
            return done.stdout + done.stderr or str(done.returncode)
        trials = pd.read_csv(tmp_path / "set" / "trials.csv").drop(columns="seconds")
        return "" if trials.equals(plain) and (tmp_path / "set" / "figures").exists() else "other results"

    for settings in (SETTINGS, SETTINGS[::-1]):  # of one variable the last counts
        if together := run(*settings):
            at_fault = {str(setting): said for setting in settings if (said := run(setting, workers="inline"))}
            pytest.fail(f"all together: {together}\neach alone: {at_fault}")


@pytest.mark.figures
def test_figures_are_the_same_whatever_matplotlib_is_set_to(place, tmp_path):
    here, home = place
    results = made_up_folder.write(
        tmp_path / "results", made_up_folder.text(("penalties: [l1, l2]", "penalties: [l2]"))
    )
    report.write(report.read(results))
    before = {path: path.read_bytes() for path in results.glob("figures/*")}
    assert before
    shutil.rmtree(results / "figures")
    settings = {"MATPLOTLIBRC": str(home), "HOME": str(home), "MPLCONFIGDIR": str(tmp_path)}
    for cwd, backend in ((here, "nonsense"), (tmp_path, "module://matplotlib_inline.backend_inline")):
        set_so = {**os.environ, **settings, "MPLBACKEND": backend}
        done = run_command("report", results, "--quiet", cwd=cwd, env=set_so)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert {path: path.read_bytes() for path in results.glob("figures/*")} == before


@pytest.mark.figures
def test_a_notebooks_own_matplotlib_settings_neither_change_a_figure_nor_are_changed(tmp_path):
    results = made_up_folder.write(
        tmp_path / "results", made_up_folder.text(("penalties: [l1, l2]", "penalties: [l2]"))
    )
    plain = regsearch.load(results).figure()._repr_png_()
    dark = {"font.size": 30, "savefig.facecolor": "black", "axes.facecolor": "black", "text.usetex": True,
            "figure.autolayout": True, "axes.prop_cycle": mpl.cycler(color="r"), "savefig.bbox": "tight"}  # fmt: skip
    with mpl.rc_context(dark):
        figure, own = regsearch.load(results).figure(), dict(mpl.rcParams)
        assert figure._repr_png_() == plain
        figure.savefig(tmp_path / "saved.png", dpi=150, metadata={"Software": None})
        assert dict(mpl.rcParams) == own
    assert (tmp_path / "saved.png").read_bytes() == plain


def test_nothing_that_lies_in_the_current_folder_is_imported(place, monkeypatch):
    here, home = place
    script = Path(sys.executable).with_name("regsearch")
    for command in ([sys.executable, "-m", "regsearch"], [script]):
        # An empty part means the current folder; Python itself imports from it before a module of `-m`.
        path = os.environ.get("PYTHONPATH", "") + os.pathsep * (command == [script])
        done = subprocess.run([*command, "check", "tiny.yaml"], cwd=here, env={**os.environ, "PYTHONPATH": path},
                              capture_output=True, text=True)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.chdir(here)
    ours = str(Path(regsearch.__file__).parents[1])
    assert surroundings.list_path(["", str(here), ".", str(home), ours]) == [str(home), ours]
    monkeypatch.chdir(ours)
    assert surroundings.list_path([str(home), ours]) == [str(home), ours]


def test_help_is_there_where_python_drops_docstrings():
    done = run_command("run", "--help", env={**os.environ, "PYTHONOPTIMIZE": "2"})
    assert "Trains what is missing of a study" in done.stdout


def test_a_current_folder_that_is_gone_is_one_clear_error(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m regsearch datasets"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2
    assert "the current folder: expected one that is there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_user_without_a_home_has_a_place_for_downloads(monkeypatch, tmp_path):
    for name in ("HOME", "XDG_CACHE_HOME", data.CACHE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a user who is in no database
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert data.find_cache() == tmp_path / f"regsearch-{os.getuid()}"
    monkeypatch.setenv(data.CACHE_VARIABLE, "~nobody/here")
    assert data.find_cache() == Path("~nobody/here")


def test_no_folder_for_temporary_files_is_one_clear_error(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: ["/dev/null/none"])
    with pytest.raises(DeviceError, match=r"TMPDIR: expected a folder for temporary files that can be written, got"):
        surroundings.check_temporary_folder()


def test_importing_it_sets_nothing_aside_in_a_users_own_process():
    code = """
import os, sys, warnings
before = dict(os.environ), list(sys.path), list(warnings.filters)
import regsearch
regsearch.Spec
assert before == (dict(os.environ), list(sys.path), list(warnings.filters))
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "MPLBACKEND": "nonsense"})
