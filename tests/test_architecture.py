"""The code's own structure: data flows one way, and commands that do not train import no TensorFlow."""

import ast
import subprocess
import sys
from pathlib import Path

import regsearch

PACKAGE = Path(regsearch.__file__).parent

# Each module may import those above it, and no other of ours.
ORDER = [
    "errors", "interrupt", "backend", "source", "fields", "layers", "optimizers", "penalties", "schedules", "problems",
    "spec", "schema", "init", "randomness", "grid", "records", "ledger", "faults", "state", "stopping", "planted",
    "datasets.data", "datasets.download", "datasets.archives", "datasets.named", "datasets.npz", "datasets.images",
    "datasets.split", "datasets.catalogue", "datasets", "window", "shapes", "sizing", "dropout", "networks", "reference",
    "convolution", "members", "members.layer", "members.kernels", "members.plain", "members.dropping",
    "members.normalization", "population", "training", "jobs", "dispatch", "workers", "cluster", "shards", "how", "tuner",
    "folder", "analysis.curves",
    "analysis.response", "analysis.optimum", "analysis.best_lambda", "analysis.regression", "analysis.scaling",
    "analysis.transfer", "analysis.mechanism", "analysis.stability", "analysis.verdict", "analysis.doubts",
    "analysis.suggestion", "analysis.calibration", "growth", "figures", "figures.canvas", "figures.best_against_weights",
    "figures.response_curves", "figures.regret_map", "figures.stability_map", "figures.penalty_share", "figures.exponents", "figures.gallery",
    "report.tables", "report.workbook", "report.page", "report.build", "report.overview", "report", "readable", "tally", "progress", "study", "timing", "plan",
    "slurm", "streams", "console", "options", "cli", "__main__",
]  # fmt: skip


def imports(path):
    """Every module of ours that a file imports, at any depth, and every other package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "regsearch":
            yield from (f"regsearch.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:  # a name of the module, or a module of the package
                inside = PACKAGE.parent.joinpath(*node.module.split("."), alias.name).with_suffix(".py")
                yield f"{node.module}.{alias.name}" if inside.exists() else node.module


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        if name not in ("__init__", "analysis"):
            yield name, path


def test_every_module_has_its_place():
    assert sorted(name for name, _ in modules()) == sorted(ORDER)


def test_data_flows_one_way():
    for name, path in modules():
        for imported in imports(path):
            if imported.startswith("regsearch."):
                other = imported.removeprefix("regsearch.")
                assert ORDER.index(other) < ORDER.index(name), f"{name} imports {other}"


def test_only_the_rooms_that_train_import_keras():
    heavy = {"tensorflow", "keras", "keras_tuner"}
    found = {name for name, path in modules() if heavy & {imported.split(".")[0] for imported in imports(path)}}
    assert found == {
        "backend", "convolution", "datasets.images", "dropout", "members.layer", "members.kernels", "members.plain",
        "members.dropping", "members.normalization", "networks", "population", "reference", "training", "tuner",
    }  # fmt: skip


def test_analysis_and_report_need_no_tensorflow():
    code = "import sys, regsearch.report, regsearch.spec, regsearch.cli; assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_the_command_line_prints_and_exits():
    for name, path in modules():
        called = {node.func.id for node in ast.walk(ast.parse(path.read_text()))
                  if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
        assert name in ("cli",) or not called & {"print", "exit", "eval", "exec"}, name
