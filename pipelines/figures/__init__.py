"""Figures of the participant report: arrays in, matplotlib ``Figure`` out; no file is read or written."""

from .charts import draw_carpet, draw_relmat
from .montage import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Montage,
    Outline,
    Overlay,
    cut,
    draw_montage,
    draw_pair,
    montage,
    spread_cuts,
)
from .tracts import (
    PURPLE,
    Curve,
    colour_fa,
    draw_colour_fa,
    draw_motion,
    draw_profile,
    draw_threshold,
    draw_tract,
)
from .zoom import zoom_on

__all__ = [
    'BLUE',
    'GREEN',
    'ORANGE',
    'PURPLE',
    'RED',
    'YELLOW',
    'Curve',
    'Montage',
    'Outline',
    'Overlay',
    'colour_fa',
    'cut',
    'draw_carpet',
    'draw_colour_fa',
    'draw_montage',
    'draw_motion',
    'draw_pair',
    'draw_profile',
    'draw_relmat',
    'draw_threshold',
    'draw_tract',
    'montage',
    'spread_cuts',
    'zoom_on',
]
