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


def wrapped(inside, attributes=""):
    return f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" height="9pt" viewBox="0 0 9 9"{attributes}>{inside}</svg>'


def inside(svg):
    """What a figure holds once it is lean."""
    return re.fullmatch(r"<svg [^>]*>(.*)</svg>\n", slim(wrapped(svg).encode()).decode())[1]


def test_texts_are_texts_of_a_font_that_other_machines_have_a_likeness_of():
    svg = drawn(draw=lambda axes: axes.set_xlabel("lambda & co"))
    assert "lambda & co" in texts(svg)
    assert "a title" in texts(svg)
    assert svg.count("font-family") == 1
    assert 'font-family="DejaVu Sans, Verdana, sans-serif"' in svg


def test_exponents_are_raised_runs_of_one_text():
    svg = drawn("best lambda ∝ N^-0.35 (95 %)", lambda axes: axes.set_xticks([0.1], ["$10^{-1}$"]))
    assert "best lambda ∝ N−0.35 (95 %)" in texts(svg)
    assert "10−1" in texts(svg)
    up, size, exponent, down = re.search(
        r'N<tspan[^>]* font-size="([\d.]+)px" dy="(-[\d.]+)">(.*?)</tspan><tspan dy="([\d.]+)"> \(95 %\)', svg
    ).groups()
    assert (up, exponent) == ("7.35", "−0.35")
    assert float(size) == -float(down)


def test_a_group_that_only_clips_or_names_is_dissolved_and_what_is_alike_is_said_once():
    line = '<g id="line_{0}"><path d="M 0 {0} \nL 5 {0} \nL 5 7.004 \nz\n" clip-path="url(#pclip)" style="fill: #ffffff; stroke: #123456"/></g>'
    clip = '<defs><clipPath id="pclip"><rect x="0" y="0" width="5" height="5"/></clipPath></defs>'
    found = inside(f"<g>{line.format(1)}{line.format(2)}</g>{clip}")
    assert found == (
        '<defs><clipPath id="s0"><rect x="0" y="0" width="5" height="5"/></clipPath></defs>'
        '<g clip-path="url(#s0)"><g fill="#fff" stroke="#123456"><path d="M0 1H5V7z"/><path d="M0 2H5V7z"/></g></g>'
    )


def test_a_marker_is_kept_once_and_only_if_it_is_used():
    marker = '<path id="{}" d="M 0 0 \nL 1.23456 3 \n" style="stroke: #000000"/>'
    use = '<g><use xlink:href="#mused" x="-0.001" y="0.5" style="stroke: #000000"/></g>'
    found = inside(f"<defs>{marker.format('mused')}{marker.format('mspare')}</defs>{use}")
    assert found == '<defs><path id="s0" d="M0 0L1.23 3"/></defs><use xlink:href="#s0" x="0" y=".5" stroke="#000"/>'


def test_what_is_clipped_stays_so_where_its_text_is_turned():
    clip = '<defs><clipPath id="pclip"><rect x="0" y="0" width="5" height="5"/></clipPath></defs>'
    text = '<text style="font-size: 9px" transform="translate(1 2) rotate(-90)">up</text>'
    assert inside(f'<g clip-path="url(#pclip)">{text}</g>{clip}').endswith(
        '<g clip-path="url(#s0)"><text transform="translate(1 2) rotate(-90)">up</text></g>'
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
    assert '" onload="' not in svg
