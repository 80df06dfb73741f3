"""regsearch: does the best L1/L2 lambda depend on how many weights a Conv2D network has?"""

from importlib.metadata import version

__version__ = version("regsearch")
