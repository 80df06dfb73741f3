"""Matplotlib's SVG → the same picture in fewer bytes, its texts as texts of a font that other machines have too."""

import re

FONTS = "'DejaVu Sans', Verdana, sans-serif"
"""The font that places are reckoned with, then the widespread one nearest to it in width."""
DECIMALS = 2
"""Of a point: a hundredth cannot be seen."""
_NEEDLESS = re.compile(r"<metadata>.*?</metadata>|<style .*?</style>|<!--.*?-->", re.DOTALL)
_NUMBER = re.compile(rf"-?\d+\.\d{{{DECIMALS + 1},}}")


def slim(svg: bytes) -> bytes:
    """The picture without what nobody needs: its metadata, more decimals than can be seen, ids without a reference.

    Args:
        svg: as Matplotlib writes it with `svg.fonttype: none`; it escapes every text.
    """
    text = svg.decode()
    text = _NEEDLESS.sub("", text[text.index("<svg") :])
    text = re.sub(r"\s+", " ", text).replace("> <", "><")
    used = set(re.findall(r"#([\w-]+)[\")]", text))

    def slim_tag(tag: re.Match[str]) -> str:
        lean = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", tag[0])
        lean = lean.replace("font-family: 'DejaVu Sans'; ", "").replace("; font-family: 'DejaVu Sans'", "")
        lean = lean.replace("'DejaVu Sans'", FONTS)  # where older releases of Matplotlib say it with the size
        return _NUMBER.sub(lambda number: f"{float(number[0]):.{DECIMALS}f}".rstrip("0").rstrip("."), lean)

    text = re.sub("<[^>]*>", slim_tag, text)  # what stands between tags is read, and stays as it is
    return text.replace("<svg ", f'<svg font-family="{FONTS}" stroke-linejoin="round" ', 1).encode() + b"\n"
