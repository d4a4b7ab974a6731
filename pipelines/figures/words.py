"""A figure that says why there is nothing to draw."""

from textwrap import fill

from matplotlib.figure import Figure

from .trial import PAPER, WIDTH

_COLUMNS = 72  # letters of a line


def plot_words(title: str, text: str) -> Figure:
    """Write a title and the words below it.

    Examples
    --------
    >>> figure = plot_words('Mediation', 'Eight people are complete; ten are needed.')
    >>> [text.get_text() for text in figure.texts]
    ['Mediation', 'Eight people are complete; ten are needed.']

    """
    head, words = fill(title, _COLUMNS - 16), fill(text, _COLUMNS)
    n_lines = head.count('\n') + words.count('\n') + 2
    figure = Figure(figsize=(WIDTH, 0.4 + 0.22 * n_lines), **PAPER)
    figure.text(0.012, 0.96, head, ha='left', va='top', fontsize=12.5, weight='bold')
    figure.text(0.012, 0.04, words, ha='left', va='bottom', fontsize=11, color='#333333')
    return figure
