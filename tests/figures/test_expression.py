"""Figures of gene expression: what is marked, where it stands, what is said."""

import io
import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from pipelines.errors import DataError
from pipelines.figures.expression import plot_components, plot_enrichment, plot_ma, plot_volcano
from pipelines.figures.trial import looks_of
from pipelines.stats.components import principal_components

N = 3000
ARMS = {'exercise': 'Exercise', 'waitlist': 'Wait-list'}
VISITS = {'reference': 'week 3', 'followup': 'week 14'}


@pytest.fixture
def genes(rng) -> pd.DataFrame:
    """Return a contrast with 5 genes up, 3 down, some untested and one beyond every scale."""
    change = 0.1 * rng.standard_normal(N)
    change[:5], change[5:8] = [0.4, 0.5, 0.6, 0.7, 9.0], [-0.4, -0.5, -0.6]
    p = rng.uniform(0.01, 1, N)
    p[:8] = 10.0 ** -np.arange(10, 18)
    padj = np.where(np.arange(N) < 8, 1e-6, 0.9)
    padj[-50:] = np.nan
    return pd.DataFrame(
        {
            'gene_id': [f'GENE{i}' for i in range(N)],
            'baseMean': np.exp(rng.uniform(2, 9, N)),
            'log2FoldChange': change,
            'log2FoldChange_shrunk': 0.5 * change,
            'pvalue': p,
            'padj': padj,
        }
    )


def places(figure: Figure) -> list[np.ndarray]:
    """Return the positions of grey, higher and lower genes."""
    return [np.asarray(c.get_offsets()) for c in figure.axes[0].collections if isinstance(c, PathCollection)]


def written(figure: Figure) -> str:
    axes = figure.axes[0]
    texts = [*axes.texts, axes.xaxis.label, axes.yaxis.label, *figure.texts, *axes.get_yticklabels()]
    legend = axes.get_legend()
    texts += legend.get_texts() if legend else []
    for extra in (figure._suptitle, figure._supxlabel):
        texts += [extra] if extra else []
    return ' '.join(text.get_text() for text in texts).replace('\n', ' ')


def check_texts_apart(figure: Figure) -> None:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes = figure.axes[0]
    legend = axes.get_legend()
    texts = [*axes.texts, *(legend.get_texts() if legend else []), figure._suptitle, figure._supxlabel]
    texts += [axes.xaxis.label, axes.yaxis.label]
    boxes = [t.get_window_extent(canvas.get_renderer()) for t in texts if t.get_text()]
    width, height = figure.get_size_inches() * figure.dpi
    for box in boxes:
        assert -1 <= box.x0 <= box.x1 <= width + 1
        assert -1 <= box.y0 <= box.y1 <= height + 1
    for a, b in itertools.combinations(boxes, 2):
        assert min(a.x1, b.x1) - max(a.x0, b.x0) <= 1 or min(a.y1, b.y1) - max(a.y0, b.y0) <= 2


class TestGenes:
    def test_ma_marks_called_genes(self, genes: pd.DataFrame) -> None:
        figure = plot_ma(genes, title='Difference', shrunken=False)
        quiet, higher, lower = places(figure)
        assert [len(quiet), len(higher), len(lower)] == [N - 8, 5, 3]
        assert lower[:, 1].tolist() == genes['log2FoldChange'][5:8].tolist()
        assert lower[:, 0].tolist() == genes['baseMean'][5:8].tolist()
        text = written(figure)
        assert 'higher: 5' in text
        assert 'lower: 3' in text
        assert f'of {N - 50} genes tested' in text

    def test_what_is_beyond_the_scale_is_hollow_at_its_end(self, genes: pd.DataFrame) -> None:
        figure = plot_ma(genes, title='Difference')
        axes = figure.axes[0]
        higher = places(figure)[1]
        assert higher[4, 1] == axes.get_ylim()[1] < 4.5
        faces = axes.collections[1].get_facecolors()
        white = [face[:3].tolist() == [1, 1, 1] for face in faces]
        assert white == [False] * 4 + [True]

    def test_volcano_has_evidence_upwards(self, genes: pd.DataFrame) -> None:
        _, higher, lower = places(plot_volcano(genes, title='Difference'))
        np.testing.assert_allclose(higher[:, 1], np.arange(10, 15))
        np.testing.assert_allclose(lower[:, 1], np.arange(15, 18))
        assert lower[:, 0].tolist() == genes['log2FoldChange'][5:8].tolist()

    def test_p_of_zero_is_at_the_top(self, genes: pd.DataFrame) -> None:
        genes.loc[7, 'pvalue'] = 0
        figure = plot_volcano(genes, title='Difference')
        lower = places(figure)[2]
        assert 300 < lower[2, 1] < figure.axes[0].get_ylim()[1]

    @pytest.mark.parametrize('plot', [plot_ma, plot_volcano])
    def test_genes_are_pixels_and_texts_apart(self, genes: pd.DataFrame, plot) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            figure = plot(genes, title='Change from week 3 to week 14, exercise minus wait-list')
            check_texts_apart(figure)
            file = io.BytesIO()
            figure.savefig(file, format='svg')
        # 3,000 dots as paths would be some 600 kB
        assert len(file.getvalue()) < 250_000
        assert b'<image' in file.getvalue()
        assert any(text.get_text() == 'GENE7' for text in figure.axes[0].texts)

    @pytest.mark.parametrize('plot', [plot_ma, plot_volcano])
    def test_nothing_called_is_drawn_all_the_same(self, genes: pd.DataFrame, plot) -> None:
        figure = plot(genes.assign(padj=np.nan), title='Difference')
        assert [len(part) for part in places(figure)] == [N, 0, 0]
        assert 'of 0 genes tested' in written(figure)

    def test_tables_that_cannot_be_drawn(self, genes: pd.DataFrame) -> None:
        with pytest.raises(DataError, match='lacks padj'):
            plot_ma(genes.drop(columns='padj'), title='x')
        with pytest.raises(DataError, match='no row to draw'):
            plot_volcano(genes[:0], title='x')


def blood(rng, n: int = 6) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [
        (f's{i}{visit[0]}', f'{i}', 'exercise' if i % 2 else 'waitlist', visit)
        for i in range(n)
        for visit in VISITS
    ]
    samples = pd.DataFrame(rows, columns=['sample_id', 'participant_id', 'arm', 'visit'])
    vst = pd.DataFrame(rng.standard_normal((40, len(rows))), columns=samples['sample_id'])
    return vst, samples


class TestComponents:
    def test_components_are_those_of_the_covariance(self, rng) -> None:
        vst, _ = blood(rng)
        before = vst.copy()
        scores, share = principal_components(vst, n_genes=25, n_components=3)
        chosen = vst.loc[vst.var(axis=1).nlargest(25).index]
        values = np.linalg.eigvalsh(np.cov(chosen))[::-1]
        np.testing.assert_allclose(share, values[:3] / values.sum(), rtol=1e-9)
        np.testing.assert_allclose(scores.var(), values[:3], rtol=1e-9)
        np.testing.assert_allclose(np.corrcoef(scores.T), np.eye(3), atol=1e-9)
        pd.testing.assert_frame_equal(vst, before)

    def test_sign_does_not_depend_on_the_order(self, rng) -> None:
        vst, _ = blood(rng)
        mixed = principal_components(vst.iloc[::-1, ::-1]).scores.loc[vst.columns]
        np.testing.assert_allclose(mixed, principal_components(vst).scores, atol=1e-9)

    def test_pairs_are_joined_and_arms_told_apart(self, rng) -> None:
        vst, samples = blood(rng)
        scores, share = principal_components(vst)
        figure = plot_components(
            scores, share, samples[1:], title='Blood', arm_labels=ARMS, visit_labels=VISITS
        )
        axes = figure.axes[0]
        (lines,) = [part for part in axes.collections if isinstance(part, LineCollection)]
        assert len(lines.get_segments()) == 5
        np.testing.assert_allclose(lines.get_segments()[0], scores.loc[['s1r', 's1f']])
        looks = {line.get_label(): (line.get_marker(), line.get_markerfacecolor()) for line in axes.lines}
        own = {arm: to_rgb(look[0]) for arm, look in looks_of(ARMS).items()}
        assert looks == {
            'Exercise, week 3, n = 3': ('o', (1, 1, 1)),
            'Exercise, week 14, n = 3': ('o', pytest.approx(own['exercise'])),
            'Wait-list, week 3, n = 2': ('s', (1, 1, 1)),
            'Wait-list, week 14, n = 3': ('s', pytest.approx(own['waitlist'])),
        }
        assert f'PC1 ({100 * share[0]:.0f} % of variance)' in written(figure)
        check_texts_apart(figure)

    def test_a_visit_between_has_a_tint(self, rng) -> None:
        vst, samples = blood(rng)
        names = list(VISITS)
        samples['visit'] = np.where(samples['participant_id'].isin(['0', '1']), 'between', samples['visit'])
        labels = {names[0]: 'week 3', 'between': 'week 6', names[1]: 'week 14'}
        figure = plot_components(
            *principal_components(vst), samples, title='Blood', arm_labels=ARMS, visit_labels=labels
        )
        faces = {line.get_label(): line.get_markerfacecolor() for line in figure.axes[0].lines}
        half = [(1 + part) / 2 for part in to_rgb(looks_of(ARMS)['exercise'][0])]
        np.testing.assert_allclose(faces['Exercise, week 6, n = 2'], half)

    def test_arms_differ_in_grey(self) -> None:
        luminance = [
            np.dot(to_rgb(colour), [0.299, 0.587, 0.114]) for colour, _, _ in looks_of(ARMS).values()
        ]
        assert abs(luminance[0] - luminance[1]) > 0.2

    def test_samples_that_cannot_be_drawn(self, rng) -> None:
        vst, samples = blood(rng)
        scores, share = principal_components(vst)
        labels = {'title': 'x', 'arm_labels': ARMS, 'visit_labels': VISITS}
        with pytest.raises(DataError, match='sample s0r has no components'):
            plot_components(scores[1:], share, samples, **labels)
        with pytest.raises(DataError, match='one principal component is no plane'):
            plot_components(scores[['PC1']], share[:1], samples, **labels)
        with pytest.raises(DataError, match='arm waitlist of the table has no label'):
            plot_components(scores, share, samples, **labels | {'arm_labels': {'exercise': 'x'}})


def enriched(nes: list[float], p: list[float]) -> pd.DataFrame:
    names = [f'a module with quite a long name that goes on (M{i}.0)' for i in range(len(p))]
    padj = np.minimum(np.array(p) * 10, 1)
    return pd.DataFrame({'set': names, 'size': [15, 40, 500, 30][: len(p)], 'nes': nes, 'p': p, 'padj': padj})


class TestEnrichment:
    def test_sets_stand_by_their_score(self) -> None:
        figure = plot_enrichment(
            enriched([1.0, -2.0, 3.0, 0.5], [0.5, 0.001, 1e-6, 0.8]), title='GSEA', n_sets=3
        )
        filled, hollow = places(figure)
        assert filled.tolist() == [[-2, 0], [3, 2]]
        assert hollow.tolist() == [[1, 1]]
        ticks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
        assert [tick[-11:] for tick in ticks] == ['(M1.0) (40)', '(M0.0) (15)', 'M2.0) (500)']
        assert '3 of 4 sets' in written(figure)
        check_texts_apart(figure)

    def test_without_scores_the_evidence_is_drawn(self) -> None:
        figure = plot_enrichment(enriched([np.nan] * 2, [0.1, 1e-3]), title='Over-representation')
        filled, hollow = places(figure)
        np.testing.assert_allclose(filled, [[3, 1]])
        np.testing.assert_allclose(hollow, [[1, 0]])
        assert 'log$_{10}$ p' in written(figure)

    def test_tables_that_cannot_be_drawn(self) -> None:
        with pytest.raises(DataError, match='no row to draw'):
            plot_enrichment(enriched([1.0], [0.5])[:0], title='x')
