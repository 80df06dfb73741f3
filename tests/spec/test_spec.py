"""Good specs are read as meant; bad specs are refused with file, line, what was expected and what was found."""

from pathlib import Path

import pytest
from conftest import SPEC, edited, parsed

from regsearch.errors import SpecError
from regsearch.spec import study as spec
from regsearch.spec import yaml as source
from regsearch.spec.values import Count

CONFIGS_FOLDER = Path(__file__).parents[2] / "configs"
CONFIGS = sorted(CONFIGS_FOLDER.rglob("*.yaml"))

WIDTHS, KERNEL, LAMBDAS, SEEDS = "widths: [1, 2]", "kernel_size: 3", "lambdas: [0, 0.01, 0.1]", "seeds: 2"
LAYERS = SPEC[SPEC.index("    - Conv2D") : SPEC.index("grid:")]

# What is wrong: the changes to the small spec, the line the error must name, and words of the message.
BAD = {
    "unknown key": ([("batch_size:", "batchsize:")], 19, "unknown key 'batchsize' (did you mean 'batch_size'?)"),
    "unknown section": ([("training:", "trainings:")], 17, "unknown key 'trainings'"),
    "missing section": ([("training:\n", "x: 1\n"), (SPEC[SPEC.index("  optimizer") :], "")], 1, "key 'training'"),
    "missing key": ([("  epochs: 2\n", "")], 17, "training.epochs: expected the key 'epochs', got nothing"),
    "duplicate key": ([("  test: 50", "  test: 50\n  test: 51")], 7, "expected each key once, got 'test' again"),
    "not yaml": ([(WIDTHS, "widths: [1, 2")], 9, "expected valid YAML"),
    "a tab": ([("  train: 64", "\ttrain: 64")], 4, "expected valid YAML"),
    "two documents": ([("training:", "---\ntraining:")], 17, "expected one document"),
    "a list": ([(SPEC, "- 1\n- 2\n")], 1, "expected a mapping of keys to values, got [1, 2]"),
    "empty": ([(SPEC, "")], 1, "expected a spec, got an empty file"),
    "only comments": ([(SPEC, "# nothing\n")], 1, "expected a spec, got an empty file"),
    "python tag": ([("name: tiny", "name: !!python/object/apply:os.system [ls]")], 1, "tags are never loaded"),
    "custom tag": ([("name: tiny", "name: !include x")], 1, "tags are never loaded"),
    "merge key": ([(WIDTHS, "<<: {widths: [1]}")], 8, "got a merge key"),
    "unknown alias": ([(WIDTHS, "widths: *w")], 8, "expected an anchor defined above"),
    "a number as key": ([(WIDTHS, WIDTHS + "\n  3: 4")], 9, "expected a key that is text, got 3"),
    "name leaves the folder": ([("name: tiny", "name: ../up")], 1, "name: expected a name of letters"),
    "name is a number": ([("name: tiny", "name: 12")], 1, "name: expected a name of letters"),
    "name starts a formula": ([("name: tiny", 'name: "=cmd()"')], 1, "name: expected a name of letters"),
    "unknown dataset": ([("name: digits", "name: digit")], 3, "dataset.name: expected one of digits, mnist"),
    "text for a number": ([("train: 64", "train: many")], 4, "dataset.train: expected a whole number, got 'many'"),
    "boolean for a number": ([("train: 64", "train: true")], 4, "expected a whole number, got true"),
    "yes is not a number": ([("train: 64", "train: yes")], 4, "expected a whole number, got 'yes'"),
    "fraction for a count": ([("train: 64", "train: 64.5")], 4, "expected a whole number, got 64.5"),
    "zero images": ([("train: 64", "train: 0")], 4, "expected a number of at least 1, got 0"),
    "noise above one": ([("test: 50", "test: 50\n  label_noise: 1.5")], 7, "expected a number below 1, got 1.5"),
    "noise is NaN": ([("test: 50", "test: 50\n  label_noise: .nan")], 7, "expected a finite number, got nan"),
    "path without npz": ([("test: 50", "test: 50\n  path: a.npz")], 2, "expected a `path` with the dataset npz"),
    "npz without path": ([("name: digits", "name: npz")], 2, "expected a `path` with the dataset npz"),
    "images without path": ([("name: digits", "name: images\n  size: 8")], 2, "expected a `path` with the dataset npz or images"),
    "images without size": ([("name: digits", "name: images\n  path: a")], 2, "expected a `size`, [height, width], with the dataset images"),
    "size of a named dataset": ([("test: 50", "test: 50\n  size: 8")], 2, "got name digits, size [8, 8]"),
    "size of three": ([("name: digits", "name: images\n  path: a\n  size: [8, 8, 3]")], 5, "dataset.size: expected a whole number, or two"),
    "color of a named dataset": ([("test: 50", "test: 50\n  color: rgb")], 2, "expected a `color` with the dataset images alone"),
    "unknown color": ([("name: digits", "name: images\n  path: a\n  size: 8\n  color: grey")], 6, "expected one of rgb or grayscale, got 'grey'"),
    "standardise by a number": ([("test: 50", "test: 50\n  standardise: 1")], 7, "dataset.standardise: expected true or false, got 1"),
    "standardised planted data": ([("name: digits", "name: planted\n  exponent: 1\n  standardise: true")], 2, "expected no `standardise` with the dataset planted"),
    "no widths": ([(WIDTHS, "widths: []")], 8, "architecture.widths: expected a list with at least one entry"),
    "a width for a list": ([(WIDTHS, "widths: 4")], 8, "expected a list with at least one entry, got 4"),
    "negative width": ([(WIDTHS, "widths: [4, -1]")], 8, "architecture.widths[1]: expected a number of at least 1"),
    "repeated width": ([(WIDTHS, "widths: [4, 4]")], 8, "expected each value once, got 4 again"),
    "both architectures": ([("grid:", "architectures: []\ngrid:")], 13, "expected a list with at least one entry"),
    "no layers": ([(LAYERS, "    []\n")], 9, "architecture.layers: expected a list with at least one entry"),
    "unknown layer": ([("- Flatten", "- Flaten")], 11, "architecture.layers[1]: expected a layer, one of Conv2D"),
    "layer of two keys": ([("- Flatten", "- {Flatten: , Dropout: }")], 11, "expected a layer"),
    "unknown argument": ([(KERNEL, "kernel: 3")], 10, "layers[0].Conv2D.kernel: expected one of the keys filters"),
    "missing argument": ([(", " + KERNEL, "")], 10, "expected the key 'kernel_size', got nothing"),
    "kernel of three": ([(KERNEL, "kernel_size: [3, 3, 3]")], 10, "expected a whole number, or two of them"),
    "unknown activation": ([("relu", "rely")], 10, "layers[0].Conv2D.activation: expected one of linear, relu"),
    "code as filters": ([("filters: width", "filters: __import__('os')")], 10, "expected a whole number from 1, `width`"),
    "width squared": ([("filters: width", "filters: width*width")], 10, "expected a whole number from 1, `width`"),
    "half the width": ([("filters: width", "filters: 0.5*width")], 10, "expected a whole number from 1, `width`"),
    "zero filters": ([("filters: width", "filters: 0")], 10, "expected a whole number from 1, `width`"),
    "width unused": ([("filters: width", "filters: 4")], 9, "expected `width` in at least one layer"),
    "activation at the end": ([("units: classes", "units: classes, activation: softplus")], 9, "the loss takes logits"),
    "unknown penalty": ([("[l1, l2]", "[l1, l3]")], 14, "grid.penalties[1]: expected a penalty, one of l1, l2"),
    "repeated penalty": ([("[l1, l2]", "[l1, l1]")], 14, "expected each value once"),
    "l1_l2 without ratio": ([("[l1, l2]", "[l1_l2]")], 14, "expected the key 'ratio', got nothing"),
    "ratio of one": ([("[l1, l2]", "[{l1_l2: {ratio: 1}}]")], 14, "expected a number below 1, got 1"),
    "l1 with ratio": ([("[l1, l2]", "[{l1: {ratio: 0.5}}]")], 14, "expected no arguments"),
    "no lambdas": ([(LAMBDAS, "lambdas: []")], 15, "grid.lambdas: expected a list with at least one entry"),
    "one lambda": ([(LAMBDAS, "lambdas: 0.1")], 15, "expected a list of lambdas, or {from"),
    "extend by less than nothing": ([("seeds: 2", "seeds: 2\n  extend: -1")], 17, "grid.extend: expected a number of at least 0"),
    "extend by half a decade": ([("seeds: 2", "seeds: 2\n  extend: 0.5")], 17, "grid.extend: expected a whole number"),
    "refine by true": ([("seeds: 2", "seeds: 2\n  refine: true")], 17, "grid.refine: expected a whole number"),
    "no steps": ([("epochs: 2", "epochs: 2\n  steps_per_epoch: 0")], 21, "expected a number of at least 1, got 0"),
    "exponent without planted": ([("test: 50", "test: 50\n  exponent: 1")], 2, "expected an `exponent` of -1, 0 or 1"),
    "planted without exponent": ([("name: digits", "name: planted")], 2, "expected an `exponent` of -1, 0 or 1"),
    "negative lambda": ([(LAMBDAS, "lambdas: [0, -1e-4]")], 15, "grid.lambdas[1]: expected a number of at least 0"),
    "repeated lambda": ([(LAMBDAS, "lambdas: [0.1, 1e-1]")], 15, "expected each value once, got 0.1 again"),
    "infinite lambda": ([(LAMBDAS, "lambdas: [.inf]")], 15, "grid.lambdas[0]: expected a finite number, got inf"),
    "overflowing lambda": ([(LAMBDAS, "lambdas: [1e999]")], 15, "grid.lambdas[0]: expected a finite number, got inf"),
    "boolean lambda": ([(LAMBDAS, "lambdas: [true]")], 15, "grid.lambdas[0]: expected a number, got true"),
    "lambda 0 alone": ([(LAMBDAS, "lambdas: [0]")], 15, "expected at least one lambda above 0"),
    "tiny lambda": ([(LAMBDAS, "lambdas: [1e-40]")], 15, "expected 0, or a lambda of at least 1e-30"),
    "falling range": ([(LAMBDAS, "lambdas: {from: 1, to: 0.1}")], 15, "expected `from` no larger than `to`"),
    "range from 0": ([(LAMBDAS, "lambdas: {from: 0, to: 0.1}")], 15, "grid.lambdas.from: expected a number above 0"),
    "range without to": ([(LAMBDAS, "lambdas: {from: 1}")], 15, "grid.lambdas.to: expected the key 'to'"),
    "unknown range key": ([(LAMBDAS, "lambdas: {from: 1, to: 2, steps: 3}")], 15, "one of the keys from, to, per_decade"),
    "no seeds": ([(SEEDS, "seeds: 0")], 16, "grid.seeds: expected a number of seeds from 1 to 1000"),
    "repeated seed": ([(SEEDS, "seeds: [1, 1]")], 16, "grid.seeds: expected a number of seeds"),
    "negative seed": ([(SEEDS, "seeds: [-1]")], 16, "grid.seeds: expected a number of seeds"),
    "too many trials": ([(SEEDS, "seeds: 2\n  max_trials: 9")], 13, "expected at most 9 trials, got 20"),
    "unknown optimizer": ([("SGD", "SDG")], 18, "training.optimizer: expected an optimizer, one of SGD, Adam"),
    "optimizer argument": ([("momentum", "moment")], 18, "optimizer.SGD.moment: expected one of the keys learning_rate"),
    "decay in AdamW": ([("{SGD: {learning_rate: 0.05, momentum: 0.9}}", "{AdamW: {weight_decay: 1}}")], 18, "unknown key"),
    "no learning": ([("learning_rate: 0.05", "learning_rate: 0")], 18, "expected a number above 0, got 0"),
    "two learning rates": ([(SEEDS, "seeds: 2\n  learning_rates: [0.1]")], 19, "expected the learning rate in one place"),
    "no training size": ([("  train: 64\n", "")], 2, "expected either dataset.train or grid.train_sizes, got neither"),
    "two training sizes": ([(SEEDS, "seeds: 2\n  train_sizes: [64]")], 2, "or grid.train_sizes, got both"),
    "batch above train": ([("batch_size: 32", "batch_size: 65")], 4, "expected at least training.batch_size (65)"),
    "strides and dilation": ([(KERNEL, KERNEL + ", strides: 2, dilation_rate: [1, 2]")], 10, "layers[0].Conv2D: expected strides or a dilation_rate above 1"),
    "padding below nothing": ([("- Flatten", "- ZeroPadding2D: {padding: [1, [0, -1]]}\n    - Flatten")], 11, "expected a whole number from 0, [height, width], or [[top"),
    "no groups": ([(KERNEL, KERNEL + ", groups: 0")], 10, "layers[0].Conv2D.groups: expected a whole number from 1"),
    "residual of nothing": ([("- Flatten", "- Residual\n    - Flatten")], 11, "layers[1].Residual: expected a list with at least one entry"),
    "residual of no layer": ([("- Flatten", "- Residual:\n      - Flaten\n    - Flatten")], 12, "layers[1].Residual[0]: expected a layer, one of"),
    "argument in a residual": ([("- Flatten", "- Residual:\n      - Dense: {unit: 3}\n    - Flatten")], 12, "Residual[0].Dense.unit: expected one of the keys units"),
    "no convolution to penalise": ([(LAYERS, "    - Flatten\n    - Dense: {units: width}\n    - Dense: {units: classes}\n"), ("epochs: 2", "epochs: 2\n  penalised: convolutions")], 21, "training.penalised: expected a convolution in every network"),
    "unknown kernels": ([("epochs: 2", "epochs: 2\n  penalised: dense")], 21, "training.penalised: expected one of all or convolutions"),
    "unknown schedule": ([("epochs: 2", "epochs: 2\n  schedule: linear")], 21, "training.schedule: expected a schedule, one of cosine, piecewise"),
    "schedule argument": ([("epochs: 2", "epochs: 2\n  schedule: {cosine: {warmup: 3}}")], 21, "schedule.cosine.warmup: expected one of the keys alpha"),
    "a factor too few": ([("epochs: 2", "epochs: 9\n  schedule: {piecewise: {boundaries: [1, 2], factors: [1, 0.1]}}")], 21, "expected one factor more than there are boundaries, got 2 boundaries, 2 factors"),
    "falling boundaries": ([("epochs: 2", "epochs: 9\n  schedule: {piecewise: {boundaries: [2, 1], factors: [1, 1, 1]}}")], 21, "expected epochs that rise"),
    "a boundary at the end": ([("epochs: 2", "epochs: 2\n  schedule: {piecewise: {boundaries: [2], factors: [1, 0.1]}}")], 21, "expected epochs below training.epochs (2), got 2"),
    "no patience": ([("epochs: 2", "epochs: 2\n  early_stopping: {min_delta: 0.1}")], 21, "training.early_stopping.patience: expected the key 'patience'"),
    "stopping argument": ([("epochs: 2", "epochs: 2\n  early_stopping: {patience: 3, monitor: loss}")], 21, "early_stopping.monitor: expected one of the keys patience, min_delta"),
    "no epochs": ([("epochs: 2", "epochs: 0")], 20, "training.epochs: expected a number of at least 1, got 0"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_spec_is_refused_with_line_expected_and_got(wrong):
    changes, line, words = BAD[wrong]
    with pytest.raises(SpecError) as refused:
        parsed(*changes)
    lines = [problem for problem in refused.value.problems if words in problem]
    assert lines, f"{words!r} is not in {refused.value}"
    assert lines[0].startswith(f"tiny.yaml:{line}: "), lines[0]


def test_every_error_is_reported_at_once_in_the_order_of_the_file():
    with pytest.raises(SpecError) as refused:
        parsed(
            ("train: 64", "train: -1"), ("Flatten", "Fatten"), ("seeds: 2", "seeds: none"), ("epochs: 2", "epoch: 2")
        )
    lines = [int(problem.split(":")[1]) for problem in refused.value.problems]
    assert lines == sorted(lines)
    assert {4, 11, 16} <= set(lines)
    assert len(lines) == 5


def test_aliases_are_shared_values_and_those_that_explode_are_refused():
    shared = parsed(("{filters: width, kernel_size: 3, activation: relu}", "&conv {filters: width, kernel_size: 3}"),
                    ("    - Flatten", "    - Conv2D: *conv\n    - Flatten"))  # fmt: skip
    assert shared.architecture.layers[0] == shared.architecture.layers[1]
    laughs = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    with pytest.raises(SpecError, match="at most 100,000 values"):
        source.parse(laughs, "laughs.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1000,
        "{a: " * 1000,
        "a" * 300_000,
        "\x00",
        "a: \ud800",
        "? [1]\n: 2",
        'a: "\\UFFFFFFFF"',
        "%YAML " + "1" * 5000 + ".1\n---\na",
    ],
)
def test_hostile_text_is_refused_in_one_line(text):
    with pytest.raises(SpecError) as refused:
        spec.validate(source.parse(text, "hostile.yaml"))
    assert len(str(refused.value)) < 500


def test_yaml_traps_are_closed():
    values = source.parse("[1e-4, 1E5, 010, no, 1_000, 1:30, 0x10, 2020-01-01, .5, -3, ~, '1']", "x").values()
    assert values == [1e-4, 1e5, 10, "no", "1_000", "1:30", "0x10", "2020-01-01", 0.5, -3, None, "1"]


def test_numbers_written_as_1e_4_are_numbers():
    assert parsed(("lambdas: [0, 0.01, 0.1]", "lambdas: [1e-4, 1E-2]")).grid.lambda_values() == (1e-4, 1e-2)


@pytest.mark.parametrize(
    ("text", "size"),
    [("width", 6), ("2*width", 12), ("width * 3", 18), (" 2 * width", 12), ("classes", 10), ("7", None), (7, 7)],
)
def test_sizes_are_whole_number_multiples_of_the_width(text, size):
    from regsearch.spec.values import _count

    if size is None:
        with pytest.raises(Exception, match="expected a whole number"):
            _count(text)
    else:
        assert _count(text).resolve(6, 10) == size


def test_a_lambda_range_is_even_on_a_log_scale_and_meets_a_grown_one():
    small = parsed(("lambdas: [0, 0.01, 0.1]", "lambdas: {from: 1e-3, to: 1e-1}")).grid.lambda_values()
    grown = parsed(("lambdas: [0, 0.01, 0.1]", "lambdas: {from: 1e-5, to: 1, per_decade: 4}")).grid.lambda_values()
    assert small == (0.0, 1e-3, 0.00316228, 1e-2, 0.0316228, 1e-1)
    assert set(small) < set(grown)
    assert len(grown) == 1 + 21


def test_seeds_are_a_number_or_a_list():
    assert parsed().grid.seed_values() == (0, 1)
    assert parsed(("seeds: 2", "seeds: [7, 3]")).grid.seed_values() == (7, 3)


def test_penalties_have_names_and_shares_of_lambda():
    penalties = parsed(("[l1, l2]", "[l1, l2, {l1_l2: {ratio: 0.25}}, decoupled]")).grid.penalties
    assert [penalty.name for penalty in penalties] == ["l1", "l2", "l1_l2-0.25", "decoupled"]
    assert [penalty.shares(99) for penalty in penalties] == [(1, 0, 0), (0, 1, 0), (0.25, 0.75, 0), (0, 0, 1)]


def test_named_architectures_replace_widths():
    text = edited(("architecture:\n  widths: [1, 2]\n  layers:\n", "architectures:\n- name: a\n  layers:\n"))
    named = spec.validate(source.parse(text.replace("filters: width", "filters: 5"), "x"))
    assert named.architectures[0].layers[0].filters == Count(5)
    with pytest.raises(SpecError, match="got `width`, which only `architecture` has"):
        spec.validate(source.parse(text, "x"))


def test_every_config_is_valid():
    assert [path.relative_to(CONFIGS_FOLDER).as_posix() for path in CONFIGS] == [
        "calibration/constant.yaml",
        "calibration/inverse.yaml",
        "calibration/proportional.yaml",
        "cifar10.yaml",
        "digits.yaml",
        "fashion_mnist.yaml",
        "mnist.yaml",
        "smoke.yaml",
        "study/adamw-l2.yaml",
        "study/adamw.yaml",
        "study/explosion.yaml",
        "study/sgd-rates.yaml",
        "study/sgd.yaml",
    ]
    for path in CONFIGS:
        assert spec.load(path).name in (path.stem, f"{path.parent.name}-{path.stem}")


def test_a_missing_or_binary_file_is_one_clear_error(tmp_path):
    with pytest.raises(SpecError, match="expected a readable spec file, got: No such file"):
        spec.load(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="expected a readable spec file, got: Is a directory"):
        spec.load(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="expected a YAML file in UTF-8"):
        spec.load(tmp_path / "binary.yaml")
