"""The house: data flows one way, a package is used by its door alone, and what is heavy or prints stays in its room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import regsearch

ROOT = Path(regsearch.__file__).parent
FLOORS = [
    {"errors", "randomness"}, {"surroundings"}, {"spec"}, {"data", "analysis"}, {"grid"}, {"ledger"},
    {"engine", "report"}, {"runner"}, {"study"}, {"cli"}, {"__init__", "__main__"},
]  # fmt: skip
"""A room may import from those on the floors above it; rooms on one floor never see each other."""
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))}


def room_of(module):
    return module.partition(".")[0]


def trees(*rooms):
    for module, path in MODULES.items():
        if not rooms or room_of(module) in rooms:
            yield module, ast.parse(path.read_text())


def imports(tree):
    """Each import as (module, name): `from regsearch.data import Facts` is ("regsearch.data", "Facts")."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            yield from ((node.module, alias.name) for alias in node.names)


def ours(tree):
    """Each import of ours as (room, rest of the path, name)."""
    for module, name in imports(tree):
        package, _, inside = module.partition(".")
        if package == "regsearch":
            room, _, rest = inside.partition(".") if inside else (name, "", "")
            yield room, rest, name


def test_the_root_holds_the_rooms_and_nothing_else():
    there = {path.name.removesuffix(".py") for path in ROOT.iterdir()} - {"__pycache__", "README.md"}
    assert there == set(FLOOR_OF)
    assert len(there) <= 16


def test_no_module_imports_upwards():
    for module, tree in trees():
        here = room_of(module)
        for room, _, _ in ours(tree):
            if room != "__version__":
                assert room == here or FLOOR_OF[room] < FLOOR_OF[here], f"{module} imports {room}"


def test_a_package_is_used_by_its_door_alone():
    doors = {
        room: ast.parse((ROOT / room / "__init__.py").read_text()) for room in FLOOR_OF if (ROOT / room).is_dir()
    }
    offered = {
        room: set(ast.literal_eval(node.value))
        for room, tree in doors.items()
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    }
    assert set(offered) == set(doors), "each door says what it offers"
    for module, tree in trees():
        for room, rest, name in ours(tree):
            if room in doors and room != room_of(module):
                assert not rest, f"{module} imports regsearch.{room}.{rest}"
                assert name == room or name in offered[room], f"{module} imports {name} of {room}"


def test_what_a_door_offers_somebody_uses():
    """In another room or a test; attributes count too: `ledger.hold(…)` after `from regsearch import ledger`."""
    used = set()
    tests = ((f"tests.{path.name}", ast.parse(path.read_text())) for path in Path(__file__).parent.rglob("*.py"))
    for module, tree in [*trees(), *tests]:
        used |= {(room, name) for room, _, name in ours(tree) if room != room_of(module)}
        aliases = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "regsearch"
            for alias in node.names
        }
        used |= {
            (aliases[node.value.id], node.attr)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases
        }
    for room in FLOOR_OF:
        if (ROOT / room).is_dir() and room != "cli":
            names = set(__import__(f"regsearch.{room}", fromlist=["__all__"]).__all__)
            unused = names - {name for package, name in used if package == room}
            assert not unused, f"{room} offers {unused}"


def test_only_the_engine_and_the_keras_tuner_file_import_keras():
    heavy = {"tensorflow", "keras", "keras_tuner"}
    users = {module for module, tree in trees() if heavy & {name.partition(".")[0] for name, _ in imports(tree)}}
    assert {module for module in users if room_of(module) != "engine"} == {"runner.tuner"}


@pytest.mark.parametrize("room", ["analysis", "report", "spec", "cli"])
def test_no_tensorflow_where_nothing_is_trained(room):
    code = f"import sys, regsearch.{room}; assert not {{'tensorflow', 'keras'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_the_command_line_prints_and_exits():
    """`print`, `click.echo`, Rich's console, `sys.exit` and `sys.stdout`, however they are imported."""
    for module, tree in trees():
        packages = {name.partition(".")[0] for name, _ in imports(tree)}
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        if room_of(module) not in ("cli", "__main__"):
            assert not packages & {"click", "rich", "argparse"}, module
            assert not names & {"print", "exit", "quit", "input"}, module
            assert not attributes & {"exit", "_exit", "stdout"}, module
        assert not names & {"eval", "exec"}, module


def test_analysis_touches_no_files():
    for module, tree in trees("analysis"):
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not {name.partition(".")[0] for name, _ in imports(tree)} & {"pathlib", "os", "io", "shutil"}, module
        assert "open" not in names, module
