"""The fonts of the grammar: which size and weight each kind of text has."""

from __future__ import annotations

from graphvis.picture.measure.text import Font

TITLE = Font(15, bold=True)
HALF = Font(11, bold=True)
CODE = Font(13, mono=True, bold=True)
NOTE = Font(11)
NAME = Font(13, mono=True, bold=True)
ASIDE = Font(11)
ROW = Font(11, mono=True)
ROW_BOLD = Font(11, mono=True, bold=True)
FUNCTION = Font(12, mono=True, bold=True)
CAPTION = Font(11)
CAPTION_BOLD = Font(11, bold=True)
CUT = Font(13, mono=True, bold=True)
CUT_PLACE = Font(11, mono=True)
HEADLINE = Font(13, mono=True, bold=True)
SAYS = Font(11.5)
ERROR = Font(10.8, mono=True)
KEY = Font(11)
FRAME_NAME = Font(11, mono=True, bold=True)
FINDING = Font(12, bold=True)
SECTION = Font(11, bold=True)
SOURCE = Font(11, mono=True)
SOURCE_BOLD = Font(11, mono=True, bold=True)
