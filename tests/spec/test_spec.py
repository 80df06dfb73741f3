"""Good specs are read as meant; bad specs are refused with file, line, what was expected and what was found."""

import pytest
from bad_specs import BAD
from conftest import CONFIGS, CONFIGS_FOLDER, edited, parsed

from regsearch import spec
from regsearch.errors import SpecError
from regsearch.spec import yaml
from regsearch.spec.values import Count


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
        'a: "\\UFFFFFFFF"',
        "%YAML " + "1" * 5000 + ".1\n---\na",
    ],
)
def test_hostile_text_is_refused_in_one_line(text):
    with pytest.raises(SpecError) as refused:
        spec.parse(text, "hostile.yaml")
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
    assert [penalty.coefficients(99) for penalty in penalties] == [(1, 0, 0), (0, 1, 0), (0.25, 0.75, 0), (0, 0, 1)]


def test_named_architectures_replace_widths():
    text = edited(("architecture:\n  widths: [1, 2]\n  layers:\n", "architectures:\n- name: a\n  layers:\n"))
    named = spec.parse(text.replace("filters: width", "filters: 5"), "x")
    assert named.architectures[0].layers[0].filters == Count(5)
    with pytest.raises(SpecError, match="got `width`, which only `architecture` has"):
        spec.parse(text, "x")


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
