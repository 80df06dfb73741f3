"""The lean SVG draws what Matplotlib's does: the same lines, texts and clips, in fewer bytes."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from regsearch.report.figures.canvas import make_figure, save, use_style
from regsearch.report.figures.svg import slim


def drawn(title="a title", draw=lambda axes: axes.plot([1, 2], [3, 4])):
    with use_style():
        figure, ((axes,),) = make_figure(4, 3, title)
        draw(axes)
        return save(figure)["svg"].decode()


def texts(svg):
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iterfind(".//{*}text")]


def inside(svg):
    """What a figure holds once it is lean."""
    space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    lean = slim(f'<?xml version="1.0"?>\n<svg {space}>{svg}</svg>\n'.encode()).decode()
    return re.search(r"<svg [^>]*>(.*)</svg>", lean)[1]


def test_texts_are_texts_of_a_font_that_other_machines_have_a_likeness_of():
    svg = drawn(draw=lambda axes: axes.set_xlabel("lambda & co"))
    assert "lambda & co" in texts(svg)
    assert "a title" in texts(svg)
    assert svg.count("DejaVu Sans") == 1
    assert "<svg font-family=\"'DejaVu Sans', Verdana, sans-serif\"" in svg


def test_a_number_that_is_read_keeps_its_digits():
    svg = drawn('0.00234 of "a" id="b"', lambda axes: axes.set_yticks([1, 2], ["0.0015", "1.00001"]))
    assert {"0.0015", "1.00001", '0.00234 of "a" id="b"'} <= set(texts(svg))


def test_exponents_are_raised():
    svg = drawn("best lambda ∝ N^-0.35 (95 %)", lambda axes: axes.set_xticks([0.1], ["$10^{-1}$"]))
    letters = [
        (each.text, float(each.get("y").split()[0]))
        for each in ElementTree.fromstring(svg).iter()
        if each.tag.endswith("tspan")
    ]
    ten = next(y for letter, y in letters if letter in ("1", "10"))
    assert any(letter.startswith("−") and y < ten - 3 for letter, y in letters)


def test_only_ids_that_something_refers_to_are_left():
    clip = '<defs>\n <clipPath id="pclip"><rect width="5"/></clipPath>\n</defs>'
    line = '<g id="line_1"><path d="M 0 1 \nL 5 7.00412 \n" clip-path="url(#pclip)"/><use xlink:href="#mused"/></g>'
    marker = '<path id="mused" d="M 0 0.123456"/><path id="mspare"/>'
    assert inside(clip + line + marker) == (
        '<defs><clipPath id="pclip"><rect width="5"/></clipPath></defs>'
        '<g><path d="M 0 1 L 5 7 " clip-path="url(#pclip)"/><use xlink:href="#mused"/></g>'
        '<path id="mused" d="M 0 0.12"/><path/>'
    )


def test_metadata_and_styles_that_would_hold_for_a_whole_page_are_gone():
    assert (
        inside("<metadata>\n<date>now</date>\n</metadata><!-- a\ncomment --><defs><style type='a'>*{}</style></defs>")
        == "<defs></defs>"
    )


def test_nothing_that_is_drawn_is_an_image():
    svg = drawn(draw=lambda axes: axes.pcolormesh(np.eye(3), edgecolor="face"))
    assert "<image" not in svg
    assert "base64" not in svg


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a & b", '" onload="alert(1)', "]]>"])
def test_texts_are_escaped(text):
    svg = drawn(draw=lambda axes: axes.set_xlabel(text))
    assert text in texts(svg)
    assert "<script" not in svg
    assert not [each for each in ElementTree.fromstring(svg).iter() if "onload" in each.attrib]
