"""Good specs are read as meant; bad specs are refused with file, line, what was expected and what was found."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from bad_specs import BAD, NAMED
from conftest import CONFIGS, CONFIGS_FOLDER, SPEC, parsed
from good_specs import GOOD
from pydantic import ValidationError

from regsearch import spec
from regsearch.errors import SpecError
from regsearch.grid import make_cells
from regsearch.spec import yaml
from regsearch.spec.layers import Dense
from regsearch.spec.rules import RULES
from regsearch.spec.values import Count, is_mistakable


@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_spec_is_refused_with_line_expected_and_got(wrong):
    changes, line, words = BAD[wrong]
    with pytest.raises(SpecError) as refused:
        parsed(*changes)
    lines = [problem for problem in refused.value.problems if words in problem]
    assert lines, f"{words!r} is not in {refused.value}"
    assert lines[0].startswith(f"tiny.yaml:{line}: "), lines[0]


def test_names_that_a_spreadsheet_takes_for_numbers_or_dates_are_said():
    two = "- {name: 1e5, layers: [Flatten, Dense: {units: classes}]}\n- {name: net-1e5, layers: [Dense: {units: 3}, Flatten, Dense: {units: classes}]}\n"
    start, end = SPEC.index("architecture:"), SPEC.index("grid:")
    (odd,) = parsed(
        (SPEC[start:end], f"architectures:\n{two.replace('1e5,', chr(39) + '1e5' + chr(39) + ',', 1)}")
    ).oddities
    assert odd.startswith(
        "tiny.yaml:8: architectures[0].name: spreadsheets and other programs take '1e5' for a number"
    )
    assert "such as net-1e5" in odd
    for name in ("1-2", "2024-01-05", "1.5", "mar1", "5-jan", "SEPT7", "TRUE", "na", "NaN", "None", "inf"):
        assert is_mistakable(name), name
    for name in ("w4", "net-1e5", "decoder2", "3x3", "v1.2", "wide-2", "e5", "marvin3", "nano"):
        assert not is_mistakable(name), name
    assert parsed().oddities == []


def test_every_rule_is_broken_by_a_bad_spec(monkeypatch):
    broken = set()

    def watch(rule):
        def find_problems(read):
            problems = list(rule(read))
            broken.update([rule] if problems else [])
            return problems

        return find_problems

    monkeypatch.setattr("regsearch.spec.study.RULES", [watch(rule) for rule in RULES])
    for changes, *_ in BAD.values():
        with suppress(SpecError):
            parsed(*changes)
    assert broken == set(RULES)


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
        yaml.parse(laughs, "laughs.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1000,
        "{a: " * 1000,
        "a" * 300_000,
        "\x00",
        "a: \ud800",
        "? [1]\n: 2",
        "a: &a [*a]",
        "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" if n else "a1: &a1 [1]\n" for n in range(100)),
        'a: "\\UFFFFFFFF"',
        "%YAML " + "1" * 5000 + ".1\n---\na",
    ],
)
def test_hostile_text_is_refused_in_one_line(text):
    with pytest.raises(SpecError) as refused:
        spec.Spec.parse(text, "hostile.yaml")
    assert len(str(refused.value)) < 500


def test_yaml_traps_are_closed():
    values = yaml.parse("[1e-4, 1E5, 010, no, 1_000, 1:30, 0x10, 2020-01-01, .5, -3, ~, '1']", "x").values
    assert values == [1e-4, 1e5, 10, "no", "1_000", "1:30", "0x10", "2020-01-01", 0.5, -3, None, "1"]


def test_numbers_written_as_1e_4_are_numbers():
    assert parsed(("lambdas: [0, 0.01, 0.1]", "lambdas: [1e-4, 1E-2]")).grid.lambda_values() == (1e-4, 1e-2)


@pytest.mark.parametrize(
    ("text", "size"),
    [("width", 6), ("2*width", 12), ("width * 3", 18), (" 2 * width", 12), ("classes", 10), ("7", None), (7, 7)],
)
def test_sizes_are_whole_number_multiples_of_the_width(text, size):
    if size is None:
        with pytest.raises(ValidationError, match="expected a whole number"):
            Dense(units=text)
    else:
        assert Dense(units=text).units.resolve(6, 10) == size


def test_a_lambda_range_is_even_on_a_log_scale_and_meets_a_grown_one():
    small = parsed(("lambdas: [0, 0.01, 0.1]", "lambdas: {from: 1e-3, to: 1e-1}")).grid.lambda_values()
    grown = parsed(("lambdas: [0, 0.01, 0.1]", "lambdas: {from: 1e-5, to: 1, per_decade: 4}")).grid.lambda_values()
    assert small == (0.0, 1e-3, 0.00316228, 1e-2, 0.0316228, 1e-1)
    assert set(small) < set(grown)
    assert len(grown) == 1 + 21


def test_seeds_are_a_number_or_a_list():
    assert parsed().grid.seed_values() == (0, 1)
    assert parsed(("seeds: 2", "seeds: [7, 3]")).grid.seed_values() == (7, 3)


def test_penalties_have_names_and_coefficients():
    penalties = parsed(("[l1, l2]", "[l1, l2, {l1_l2: {ratio: 0.25}}, decoupled]")).grid.penalties
    assert [penalty.name for penalty in penalties] == ["l1", "l2", "l1_l2-0.25", "decoupled"]
    assert [penalty.coefficients(99) for penalty in penalties] == [(1, 0, 0), (0, 1, 0), (0.25, 0.75, 0), (0, 0, 1)]


def test_named_architectures_replace_widths():
    named = parsed(NAMED, ("filters: width", "filters: 5"))
    assert named.architectures[0].layers[0].filters == Count(5)


def test_a_key_of_another_dataset_may_stand_there_as_long_as_it_says_nothing():
    silent = ("test: 50", "test: 50\n  path:\n  size: null\n  exponent: ~\n  draws: 1")
    assert parsed(silent) == parsed()
    assert make_cells(parsed(silent), "reference", "") == make_cells(parsed(), "reference", "")


@pytest.mark.parametrize("name", GOOD)
def test_a_spec_that_was_read_from_no_file_writes_one_that_reads_the_same(name):
    read = parsed(*GOOD[name])
    made = spec.Spec(**yaml.parse(read.text, "tiny.yaml").values)
    again = spec.Spec.parse(made.text, "made.yaml")
    assert made.text != read.text
    assert made == again == read
    assert (
        make_cells(made, "reference", "") == make_cells(again, "reference", "") == make_cells(read, "reference", "")
    )


def test_a_spec_is_made_in_python_too():
    made = spec.Spec(
        name="1e5",  # a number, where it has no quotes
        dataset=spec.Npz(name="npz", path="über: #1.npz", train=64, validation=50, test=50),
        architecture={"widths": [1], "layers": ["Flatten", {"Dense": {"units": "classes"}}]},
        grid={"penalties": ["l1"], "lambdas": {"from": 1e-5, "to": 1}},
        training={"optimizer": spec.SGD(learning_rate=0.1), "epochs": 2},
    )
    assert spec.Spec.parse(made.text, "made.yaml") == made
    assert made.problem(("grid", "lambdas", 2), "expected more") == "grid.lambdas[2]: expected more"
    assert made.problem((), "expected more") == "expected more"


def test_numpy_numbers_and_paths_are_taken_from_python():
    parts = parsed().plain()
    parts["grid"] |= {"lambdas": np.logspace(-2, 0, 3), "seeds": np.int64(2)}
    parts["dataset"] |= {"name": "npz", "path": Path("data") / "own.npz"}
    made = spec.Spec(**parts)
    assert made.grid.lambda_values() == (0.01, 0.1, 1.0)
    assert made.dataset.path == "data/own.npz"
    assert spec.Spec.parse(made.text) == made


def test_a_path_in_place_of_keywords_is_told_how_to_read_a_file():
    with pytest.raises(TypeError, match=r"expected sections as keywords; Spec.load\(path\) reads a file"):
        spec.Spec("study.yaml")


def test_every_mistake_of_a_spec_made_in_python_is_told_at_once_and_where():
    parts = parsed().plain()
    parts["grid"] |= {"lambdas": [0], "sedes": 3}
    with pytest.raises(SpecError) as refused:
        spec.Spec(**parts, trainings=1)
    assert sorted(refused.value.problems, reverse=True) == [
        "Spec: trainings: expected one of the keys name, dataset, architecture, architectures, grid, training, "
        "got the unknown key 'trainings' (did you mean 'training'?)",
        "Spec: grid.sedes: expected one of the keys penalties, lambdas, seeds, learning_rates, train_sizes, max_trials, "
        "extend, refine, got the unknown key 'sedes' (did you mean 'seeds'?)",
    ]
    del parts["grid"]["sedes"]
    with pytest.raises(SpecError, match=r"^Spec: grid.lambdas: expected at least one lambda above 0, got only 0$"):
        spec.Spec(**parts)


def test_every_config_is_valid():
    assert [path.relative_to(CONFIGS_FOLDER).as_posix() for path in CONFIGS] == [
        "calibration/constant.yaml",
        "calibration/inverse.yaml",
        "calibration/proportional.yaml",
        "cifar10.yaml",
        "digits.yaml",
        "digits_fine.yaml",
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
        assert spec.Spec.load(path).name in (path.stem, f"{path.parent.name}-{path.stem}")


def test_a_missing_or_binary_file_is_one_clear_error(tmp_path):
    with pytest.raises(SpecError, match="expected a readable spec file, got: No such file"):
        spec.Spec.load(tmp_path / "none.yaml")
    with pytest.raises(SpecError, match="expected a readable spec file, got: Is a directory"):
        spec.Spec.load(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="expected a YAML file in UTF-8"):
        spec.Spec.load(tmp_path / "binary.yaml")
