"""Figures of the participant report: arrays in, matplotlib ``Figure`` out; no file is read or written."""

from .charts import draw_carpet, draw_relmat
from .montage import (
    BLUE,
    GREEN,
    ORANGE,
    YELLOW,
    Montage,
    Outline,
    Overlay,
    cut,
    draw_montage,
    draw_pair,
    montage,
    spread,
)

__all__ = [
    'BLUE',
    'GREEN',
    'ORANGE',
    'YELLOW',
    'Montage',
    'Outline',
    'Overlay',
    'cut',
    'draw_carpet',
    'draw_montage',
    'draw_pair',
    'draw_relmat',
    'montage',
    'spread',
]
