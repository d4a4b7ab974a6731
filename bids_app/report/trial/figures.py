"""The figures of the trial report: which files they are, and what is said about them."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from matplotlib.figure import Figure

from pipelines.interfaces.trial_figures import save_svg
from pipelines.terms import Map

from ...running.files import replace_text
from ..inline import inline_svg, width_of
from .record import TrialRecord
from .words import METHOD_TITLES, TEST_TITLES, map_kinds

_WIDE = 420.0  # points; narrower figures are drawn for a telephone


class Drawing(NamedTuple):
    """A figure in the page: its SVG, what is said about it, and whether people in it lead to their pages."""

    name: str
    svg: str
    title: str
    caption: str
    is_narrow: bool
    has_links: bool


FigureWords = tuple[str, str, str]
"""Title, caption, and the description for those who do not see the figure."""


class Drawings:
    """Figures of a group, read from disk when they are asked for.

    Parameters
    ----------
    folder
        ``group/figures``.
    trial
        Names of outcomes and arms.
    pages
        Address of each participant's page.
    contrasts
        Contrasts of gene expression in words.

    """

    def __init__(
        self, folder: Path, trial: TrialRecord, pages: Mapping[str, str], contrasts: Mapping[str, str]
    ) -> None:
        self._folder, self._trial, self._pages, self._contrasts = folder, trial, pages, contrasts

    def get(self, name: str) -> Drawing | None:
        """Return a figure by the name of its file; None if it is not there."""
        path = self._folder / f'{name}.svg'
        if not path.is_file():
            return None
        title, caption, alt = self._words(name)
        return draw(path, (title, caption, alt), self._pages)

    def names(self, pattern: str) -> list[str]:
        """Return the names of the figures of a pattern."""
        return sorted(path.stem for path in self._folder.glob(f'{pattern}.svg'))

    def _words(self, name: str) -> FigureWords:
        if name.endswith('_trajectories'):
            return self._of_outcome(name.removesuffix('_trajectories'))
        if name.endswith('_tipping'):
            return self._of_tipping(name.removesuffix('_tipping'))
        if name in _FIXED:
            return _FIXED[name]
        if name.startswith('biomarker_'):
            title = self._trial.biomarkers.get(name.removeprefix('biomarker_'), name)
            alt = f'{title} of every person and the geometric mean of each arm at each sample, on a log axis.'
            return f'{title} at every sample', '', alt
        kind, _, what = name.partition('_')
        kinds = map_kinds(self._trial.circuit)
        if kind in kinds:
            return _of_map(kinds[kind], what)
        if kind in ('expression', 'enrichment'):
            return self._of_genes(kind, what)
        title = f'Path diagram: {name.removeprefix("mediation_")}'
        return title, _PATHS, f'{title}: treatment, mediators and outcome with the estimate of each path.'

    def _of_outcome(self, outcome: str) -> FigureWords:
        title = self._trial.titles().get(outcome, outcome)
        alt = f'{title}: a line through the visits for every person in each arm, and the means.'
        return title, '', alt

    def _of_tipping(self, outcome: str) -> FigureWords:
        title = self._trial.titles().get(outcome, outcome)
        alt = f'{title}: the difference between arms and its p against the shift of values that are missing.'
        return f'{title}: tipping point', 'Missing values shifted towards worse, step by step.', alt

    def _of_genes(self, kind: str, what: str) -> FigureWords:
        titles = self._contrasts
        # the name of one may begin as that of another
        contrast = max((key for key in titles if what.startswith(key)), key=len, default='')
        end = what.removeprefix(contrast).strip('_')
        if kind == 'enrichment':
            title = f'{METHOD_TITLES.get(end, end)}: {titles.get(contrast, contrast)}'
            return title, '', f'{title}: the gene sets with the smallest p values.'
        form, caption = _GENES.get(end, (end, ''))
        title = f'{form}: {titles.get(contrast, contrast)}'
        return title, caption, f'{title}: one dot per gene.'


_GENES = {
    'ma': ('MA plot', 'Change of every gene against its mean level.'),
    'volcano': ('Volcano plot', 'Evidence for every gene against its change.'),
}
_FIXED: dict[str, FigureWords] = {
    'forest': (
        'All outcomes on one scale',
        'Effects in standard deviations of the baseline with 95 % intervals.',
        'Forest plot of the effects on all outcomes with their intervals.',
    ),
    'expression_components': (
        'Samples by their first two principal components',
        'The samples of a person are joined.',
        'Samples of blood by the first two principal components of their gene expression.',
    ),
}
_PATHS = (
    'Estimates with 95 % intervals; a dashed path’s interval includes zero. Below: the effects and, of one mediator of a '
    'continuous outcome, how the indirect effect would change if errors of mediator and outcome were correlated.'
)


def _of_map(kind: Map, what: str) -> FigureWords:
    if what == 'count':
        title = f'{kind.title}: where people have data'
        return title, 'Only voxels of everybody are tested.', f'{title}, in cuts through the brain.'
    title = f'{kind.title}: {TEST_TITLES.get(what, what)}'
    return title, '', f'{title}: t in cuts through the brain, significant clusters outlined.'


def draw(path: Path, words: FigureWords, pages: Mapping[str, str]) -> Drawing:
    """Return a figure for the page."""
    title, caption, alt = words
    svg = inline_svg(path, alt=alt, pages=pages)
    return Drawing(path.name, svg, title, caption, width_of(svg) < _WIDE, 'class="person"' in svg)


def draw_flow(figure: Figure, folder: Path, alt: str) -> Drawing:
    """Write the flow of participants as ``flow.svg`` among the figures, and return it for the page."""
    target = folder / 'flow.svg'
    with TemporaryDirectory() as scratch:
        text = save_svg(figure, Path(scratch, 'flow.svg')).read_text(encoding='utf-8')
    replace_text(text, target)
    title = 'Flow of participants by arm and kind of data'
    return draw(target, (title, '', alt), {})
