"""The page: everything in it, nothing loaded, everything escaped, well-formed."""

import base64
import hashlib
import re

import pandas as pd
import pytest
from checked_page import Checked

from regsearch.report.figures.gallery import KINDS, Picture
from regsearch.report.page import render_study, write_cell, write_fact

EVIL = "<script>alert('&\"')</script>"


def made(name="digits", **changes):
    parts = {
        "verdict": ["l2: constant. All is well.", "A line without a head"],
        "doubts": ["3 seeds a network."],
        "pictures": [
            Picture(kind.name, f"{kind.name}-l2", f"l2: {kind.title}", {"svg": b"<svg/>"}) for kind in KINDS
        ],
        "tables": {
            "best_lambda": pd.DataFrame({"architecture": ["w2"], "best_lambda": [0.0123456], "seeds": [3]}),
            "scaling": pd.DataFrame({"penalty": ["l2"], "exponent": [float("nan")], "exponent_low": [float("-inf")]}),
            "transfer": pd.DataFrame({"rule": []}),
        },
        "facts": {
            "engine": "population",
            "runs": [{"seconds": 3.5, "versions": {"python": "3.11"}, "tried_again": []}],
        },
        "spec": "name: digits\n",
    }
    return render_study(name=name, **{**parts, **changes})


def test_it_is_well_formed_and_holds_verdict_doubts_figures_tables_and_how_it_was_run():
    seen = Checked(made())
    text = "".join(seen.text)
    for words in (
        "All is well.",
        "A line without a head",
        "3 seeds a network.",
        "0.01235",
        "-inf",
        "python 3.11",
        "3.5",
    ):
        assert words in text
    assert seen.tags.count("svg") == len(KINDS)
    assert seen.ids == ["best_lambda", "scaling", "transfer"]
    assert "tried_again" not in text


def test_it_loads_nothing_from_anywhere():
    seen = Checked(made())
    assert all(address.startswith(("data:", "#")) for address in seen.addresses)
    text = made()
    assert "base64" not in text
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert not re.search(r"url\(", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize("where", ["name", "verdict", "doubts", "spec", "pictures", "tables", "facts"])
def test_every_text_is_escaped(where):
    evil = {
        "name": EVIL, "verdict": [EVIL], "doubts": [EVIL], "spec": EVIL,
        "pictures": [Picture("response", "x", EVIL, {"svg": b"<svg/>"})],
        "tables": {"best_lambda": pd.DataFrame({EVIL: [EVIL]})},
        "facts": {EVIL: EVIL, "runs": [{EVIL: {EVIL: EVIL}}]},
    }  # fmt: skip
    text = made(**{where: evil[where]})
    assert EVIL not in text
    assert Checked(text).tags.count("script") == 1
    assert "alert" in text


def test_the_policy_allows_the_pages_own_script_alone():
    text = made()
    (allowed,) = re.findall(r"script-src '(sha256-[^']*)'", text)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert base64.b64decode(allowed.removeprefix("sha256-")) == hashlib.sha256(script.encode()).digest()
    assert script.count("\n") > 20


def test_pictures_are_part_of_the_page_each_with_ids_of_its_own():
    marker = b'<defs><path id="s0" d="M0 0V3"/><clipPath id="s1"><rect/></clipPath></defs>'
    drawn = b'<g clip-path="url(#s1)" fill="#fff"><use xlink:href="#s0"/></g>'
    svg = (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="8pt" viewBox="0 0 9 8">'
        + marker
        + drawn
        + b"</svg>"
    )
    text = made(pictures=[Picture("response", name, f"{name}:\nit falls", {"svg": svg}) for name in ("l1", "l2")])
    seen = Checked(text)
    assert {"f1-s0", "f1-s1", "f2-s0", "f2-s1"} < {*seen.ids}
    assert '<svg role="img" aria-label="l1: it falls" viewBox="0 0 9 8">' in text
    assert text.count('fill="#fff"') == 2


def test_the_columns_of_words_are_told_once():
    text = made(tables={"best_lambda": pd.DataFrame({"architecture": ["w2"], "width": [2], "status": ["interior"]})})
    assert "#best_lambda tr > :nth-child(1), #best_lambda tr > :nth-child(3) { text-align: left }" in text
    assert "<td>w2</td><td>2</td><td>interior</td>" in text


def test_without_networks_it_says_so():
    empty = made(verdict=[], pictures=[], doubts=[], tables={"best_lambda": pd.DataFrame(columns=["architecture"])})
    text = "".join(Checked(empty).text)
    assert "No network has finished yet" in text
    assert "Nothing that the tables show" in text


def test_cells_and_facts_in_words():
    assert [write_cell(value) for value in (1234567, 0.000012346, float("nan"), None, pd.NA, "w2")] == [
        "1234567", "1.235e-05", "", "", "", "w2",
    ]  # fmt: skip
    assert write_fact({"w2": ["patches", "native"], "cores": 2}) == "w2 patches native, cores 2"
