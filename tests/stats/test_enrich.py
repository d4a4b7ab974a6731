"""Sets of genes: files, identifiers, tests and scores against sums written out by hand."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipelines.errors import DataError
from pipelines.stats.enrich import ENRICHMENT_COLUMNS, over_representation, preranked
from pipelines.stats.genesets import identifier_kind, match_sets, read_gmt
from pipelines.stats.scores import pathway_scores

N_GENES = 400
GENES = [f'C{number}orf{number % 7}' for number in range(N_GENES)]


@pytest.fixture
def statistic(rng) -> pd.Series:
    return pd.Series(rng.standard_normal(N_GENES), GENES)


@pytest.fixture
def sets(rng, statistic) -> dict[str, tuple[str, ...]]:
    chosen = {f'set{k}': tuple(rng.choice(GENES, 20 + 5 * k, replace=False)) for k in range(6)}
    return chosen | {'null': tuple(statistic.sort_values().index[-30:])}


@pytest.fixture
def vst(rng) -> pd.DataFrame:
    values = 7 + rng.standard_normal((N_GENES, 1)) + rng.standard_normal((N_GENES, 9))
    return pd.DataFrame(values, GENES, [f'sub-{number}_followup' for number in range(9)])


def running_sum(statistic: pd.Series, own: tuple[str, ...]) -> tuple[pd.Index, np.ndarray]:
    ranked = statistic.sort_index().sort_values(ascending=False, kind='stable')
    hit = ranked.index.isin(own)
    up = np.where(hit, ranked.abs(), 0)
    return ranked.index, np.cumsum(up / up.sum() - ~hit / (~hit).sum())


# --- files ------------------------------------------------------------------------------------


def test_gmt_is_read_as_it_stands():
    text = (
        '\ufeffA\tabout\tTP53\tIL6\tTP53\t\r\n\r\nnull\t\tNA\tnan\r\nempty\tabout\r\nA\tagain\tIL6\tTP53\r\n'
    )
    assert read_gmt(text) == {'A': ('TP53', 'IL6'), 'null': ('NA', 'nan'), 'empty': ()}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('A\tx\tTP53\nB x IL6', "line 2 is no gene set: 'B x IL6'"),
        ('A\tx\tTP53\n\tx\tIL6', 'line 2 is no gene set'),
        ('A\tx\tTP53\nB\tx\tIL6\nA\tx\tIL6', 'gene set A has other genes in line 3 than in line 1'),
        ('\n \n', 'there is no gene set'),
    ],
)
def test_files_that_are_no_gmt_are_refused(text, message):
    with pytest.raises(DataError, match=message):
        read_gmt(text)


@pytest.mark.real
def test_published_sets_are_read(test_data):
    modules = read_gmt((test_data / 'genesets/BTM_for_GSEA_20131008.gmt').read_text())
    pathways = read_gmt((test_data / 'genesets/wikipathways-20201010-gmt-Homo_sapiens.gmt').read_text())
    assert (len(modules), len(pathways)) == (346, 634)
    assert modules['targets of FOSL1/2 (M0)'][:3] == ('CCL2', 'COL1A2', 'DCN')
    symbols = {gene for own in modules.values() for gene in own}
    with pytest.raises(DataError, match=r'the sets have Entrez ids .* the counts gene symbols'):
        match_sets(pathways, symbols)
    with pytest.raises(DataError, match=r'the sets have gene symbols .* the counts Ensembl gene ids'):
        match_sets(modules, [f'ENSG{number:011d}' for number in range(900)])
    matched = match_sets(modules, symbols)
    assert matched.overlap.share == 1
    assert len(matched.sets) == 148
    assert len(matched.sets) + len(matched.left_out) == 346


# --- identifiers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('names', 'kind'),
    [
        (['ENSMUSG00000017167', 'ENSG00000136244.12'], 'Ensembl gene ids'),
        (['ENST00000404625'], 'Ensembl transcript ids'),
        (['FBgn0003360'], 'FlyBase ids'),
        (['1', '7124', 'IL6'], 'Entrez ids'),
        (['NM_000600.5'], 'RefSeq ids'),
        (['HLA-DRB1', 'C1orf112', 'TP53'], 'gene symbols'),
        (['gene 1', '?'], 'identifiers of no known kind'),
        ([], 'identifiers of no known kind'),
    ],
)
def test_kinds_are_guessed(names, kind):
    assert identifier_kind(names) == kind


def test_overlap_counts_the_smaller_side():
    sets = {'a': tuple(f'G{i}' for i in range(200)), 'b': ('G0', 'X')}
    few = match_sets(sets, [f'G{i}' for i in range(20)])
    assert few.overlap == (20, 201, 20, 1.0)
    assert few.sets == {'a': tuple(f'G{i}' for i in range(20))}
    assert few.left_out.to_numpy().tolist() == [['b', 1]]
    edge = [f'G{i}' for i in range(10)] + [f'Y{i}' for i in range(90)]
    assert match_sets({'a': sets['a']}, edge).overlap.share == 0.1
    with pytest.raises(DataError, match='9 of 200 genes'):
        match_sets({'a': sets['a']}, edge[1:] + ['Z'])


def test_sizes_are_counted_among_measured_genes():
    genes = [f'G{i}' for i in range(600)]
    sizes = {14: False, 15: True, 500: True, 501: False}
    sets = {str(size): tuple(genes[:size]) + ('X1', 'X2') for size in sizes}
    kept = match_sets(sets, genes).sets
    assert {size: str(size) in kept for size in sizes} == sizes


# --- over-representation ---------------------------------------------------------------------------


def test_over_representation_is_fishers_test(rng, sets):
    called = list(rng.choice(GENES, 60, replace=False))
    table = over_representation(called, GENES, sets).set_index('set')
    for name, own in sets.items():
        both = len(set(own) & set(called))
        cells = [[both, len(own) - both], [60 - both, N_GENES - len(own) - 60 + both]]
        # two ways to add up at most 60 probabilities
        assert table.at[name, 'p'] == pytest.approx(stats.fisher_exact(cells, 'greater').pvalue, rel=1e-9)
        assert table.at[name, 'size'] == len(own)
        leading = table.at[name, 'leading_edge']
        assert set(leading.split(';') if leading else []) == set(own) & set(called)
    assert table['p'].is_monotonic_increasing
    by_hand = np.minimum.accumulate((table['p'] * 7 / np.arange(1, 8))[::-1])[::-1]
    np.testing.assert_allclose(table['padj'], by_hand, rtol=1e-12)
    assert table[['es', 'nes']].isna().all(axis=None)


def test_nothing_called_is_no_discovery(sets):
    table = over_representation([], GENES, sets)
    assert (table['p'] == 1).all()
    assert (table['leading_edge'] == '').all()


def test_called_genes_were_tested(sets):
    with pytest.raises(DataError, match='1 called genes were not tested, such as TP53'):
        over_representation(['TP53', GENES[0]], GENES, sets)


# --- preranked ---------------------------------------------------------------------------------------


def test_enrichment_score_is_the_running_sum(statistic, sets):
    statistic.to_numpy().setflags(write=False)
    table = preranked(statistic, sets, seed=7)
    assert tuple(table.columns) == ENRICHMENT_COLUMNS
    assert len(table) == 7
    for row in table.itertuples():
        genes, walk = running_sum(statistic, sets[row.set])
        top = np.abs(walk).argmax()
        # two orders of adding 400 numbers of at most one
        assert abs(row.es - walk[top]) < 1e-12
        edge = genes[: top + 1] if walk[top] > 0 else genes[top:]
        assert set(row.leading_edge.split(';')) == set(edge) & set(sets[row.set])
        assert row.size == len(sets[row.set])
        assert np.sign(row.nes) == np.sign(row.es)


def test_planted_set_is_first_and_others_are_not(statistic, sets):
    table = preranked(statistic, sets, seed=7)
    assert table['set'][0] == 'null'
    assert table['es'][0] == pytest.approx(1)
    assert table['padj'][0] < 1e-6
    assert (table['padj'][1:] > 0.1).all()
    np.testing.assert_allclose(table['padj'], stats.false_discovery_control(table['p']))


def test_p_values_are_uniform_by_chance(rng):
    """Of 300 random sets 5 % fall below 0.05: three standard errors are 3.8 %."""
    statistic = pd.Series(rng.standard_normal(N_GENES), GENES)
    random = {f'r{k}': tuple(rng.choice(GENES, 25, replace=False)) for k in range(300)}
    p = preranked(statistic, random, seed=3)['p']
    assert 0.012 < (p < 0.05).mean() < 0.088
    assert stats.kstest(p, 'uniform').pvalue > 1e-3


def test_turning_the_ranking_turns_the_scores(statistic, sets):
    ahead, back = (
        preranked(sign * statistic, sets, seed=1).set_index('set')['es'].loc[list(sets)] for sign in (1, -1)
    )
    np.testing.assert_allclose(ahead, -back, atol=1e-12)


def test_ties_and_order_of_rows_do_not_matter(statistic, sets):
    coarse = statistic.round(1)
    first = preranked(coarse, sets, seed=5)
    again = preranked(coarse.sample(frac=1, random_state=2), dict(reversed(sets.items())), seed=5)
    pd.testing.assert_frame_equal(first[['set', 'es', 'size']].sort_values('set', ignore_index=True),
                                  again[['set', 'es', 'size']].sort_values('set', ignore_index=True))  # fmt: skip


def test_missing_statistics_are_left_out(statistic, sets):
    holes = statistic.copy()
    holes.iloc[[3, 70]] = np.nan
    table = preranked(holes, sets, seed=1).set_index('set')
    for name, own in sets.items():
        genes, walk = running_sum(holes.dropna(), own)
        assert abs(table.at[name, 'es'] - walk[np.abs(walk).argmax()]) < 1e-12
        assert table.at[name, 'size'] == len(set(own) & set(genes))


def test_no_usable_set_is_an_empty_table(statistic):
    table = preranked(statistic, {'small': tuple(GENES[:5])}, seed=1)
    assert table.empty
    assert tuple(table.columns) == ENRICHMENT_COLUMNS
    assert over_representation([], GENES, {'small': tuple(GENES[:5])}).empty


def test_a_gene_twice_is_refused(statistic, sets):
    with pytest.raises(DataError, match=f'gene {GENES[0]} occurs more than once'):
        preranked(pd.concat([statistic, statistic[:1]]), sets, seed=1)


def test_same_seed_same_table_whatever_the_hashes():
    code = (
        'import numpy as np, pandas as pd\n'
        'from pipelines.stats.enrich import preranked\n'
        'rng = np.random.default_rng(1); genes = [f"g{i}" for i in range(200)]\n'
        'sets = {f"s{k}": tuple(rng.choice(genes, 20, replace=False)) for k in range(9)}\n'
        'print(preranked(pd.Series(rng.standard_normal(200), genes), sets, seed=4).to_csv())\n'
    )
    outputs = [
        subprocess.run(
            [sys.executable, '-c', code], env=os.environ | {'PYTHONHASHSEED': seed}, capture_output=True,
            text=True, check=True,
        ).stdout
        for seed in '12'
    ]  # fmt: skip
    assert len(outputs[0]) > 500
    assert outputs[0] == outputs[1]


# --- scores ---------------------------------------------------------------------------------------------


def test_zscore_is_its_formula(vst, sets):
    vst.to_numpy().setflags(write=False)
    found = pathway_scores(vst, sets)
    assert found.index.tolist() == list(sets)
    assert found.columns.tolist() == list(vst.columns)
    for name, own in sets.items():
        total = np.zeros(9)
        for gene in own:
            row = vst.loc[gene].to_numpy()
            total += (row - row.mean()) / np.sqrt(np.sum((row - row.mean()) ** 2) / 8)
        np.testing.assert_allclose(found.loc[name], total / np.sqrt(len(own)), atol=1e-12)


def table_cdf(t: np.ndarray) -> np.ndarray:
    """Return the normal distribution as GSVA tabulates it: steps of 0.001 up to 10."""
    table = stats.norm.cdf(np.arange(10_001) / 1000)
    p = table[np.minimum(np.abs(t) * 1000, 10_000).astype(int)]
    return np.where(t < 0, 1 - p, p)


def test_gsva_is_its_formula(vst, sets):
    found = pathway_scores(vst, sets, 'gsva')
    x = vst.to_numpy()
    bandwidth = x.std(axis=1, ddof=1) / 4
    level = table_cdf((x[:, :, None] - x[:, None, :]) / bandwidth[:, None, None]).mean(axis=2)
    for name, own in sets.items():
        for column in range(9):
            order = np.argsort(-level[:, column], kind='stable')
            hit = vst.index.isin(own)[order]
            weight = np.where(hit, np.abs(N_GENES / 2 - np.arange(N_GENES)), 0)
            walk = np.cumsum(weight / weight.sum() - ~hit / (~hit).sum())
            wanted = max(walk.max(), 0) + min(walk.min(), 0)
            assert abs(found.at[name, vst.columns[column]] - wanted) < 1e-12


def test_ssgsea_is_its_formula(vst, sets):
    found = pathway_scores(vst, sets, 'ssgsea')
    raw = pd.DataFrame(index=list(sets), columns=vst.columns, dtype=float)
    for name, own in sets.items():
        for sample in vst:
            ranks = (10_000 * vst[sample].rank() / N_GENES).sort_values(ascending=False)
            hit = ranks.index.isin(own)
            weight = np.where(hit, ranks**0.25, 0)
            inside, outside = np.cumsum(weight) / weight.sum(), np.cumsum(~hit) / (~hit).sum()
            raw.loc[name, sample] = np.sum(inside - outside)
    wanted = raw / (raw.max(axis=None) - raw.min(axis=None))
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize('method', ['zscore', 'ssgsea', 'gsva'])
def test_scores_follow_their_samples(vst, sets, method):
    mixed = vst.iloc[::-1, [4, 2, 0, 8, 7, 6, 5, 3, 1]]
    pd.testing.assert_frame_equal(
        pathway_scores(mixed, sets, method)[vst.columns], pathway_scores(vst, sets, method), atol=1e-12
    )


@pytest.mark.parametrize('method', ['zscore', 'ssgsea', 'gsva'])
def test_a_raised_set_scores_high(vst, sets, method):
    vst.loc[list(sets['set3']), 'sub-4_followup'] += 3
    assert pathway_scores(vst, sets, method).loc['set3'].idxmax() == 'sub-4_followup'


def test_genes_that_do_not_vary_are_left_out(vst, sets):
    still = vst.copy()
    still.loc[list(sets['set2'][:5])] = 4.0
    rest = {name: tuple(gene for gene in own if gene not in sets['set2'][:5]) for name, own in sets.items()}
    pd.testing.assert_frame_equal(pathway_scores(still, sets), pathway_scores(vst, rest))


def test_scores_need_numbers_of_two_samples(vst, sets):
    with pytest.raises(DataError, match='two samples or more, got 1'):
        pathway_scores(vst.iloc[:, :1], sets)
    with pytest.raises(DataError, match='finite values'):
        pathway_scores(vst.assign(bad=np.nan), sets)
    assert pathway_scores(vst, {'small': tuple(GENES[:3])}).shape == (0, 9)
