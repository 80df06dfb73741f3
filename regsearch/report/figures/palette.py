"""The colours of all figures."""

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    "#000000", "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
"""The palette of Okabe & Ito (2008), told apart with any colour vision."""
GREY, PALE = "#6b6b6b", "#c9c9c9"
