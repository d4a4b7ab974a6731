"""Columns of a table of counts as pipelines name them: which one is which sample, and which are none."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple

ANNOTATION = frozenset(
    re.sub(r'[^a-z0-9]', '', name.lower())
    for name in (
        'gene', 'gene_id', 'gene_id_version', 'gene_name', 'gene_symbol', 'symbol', 'hgnc_symbol', 'hgnc_id', 'name',
        'external_gene_name', 'ensembl', 'ensembl_id', 'ensembl_gene_id', 'ensembl_gene_id_version', 'entrez',
        'entrez_id', 'entrezgene', 'entrezgene_id', 'entrez_gene_id', 'ncbi_gene_id', 'refseq', 'uniprot', 'locus_tag',
        'gene_type', 'gene_biotype', 'biotype', 'type', 'class', 'source', 'product', 'feature', 'feature_id',
        'description', 'gene_description', 'transcript_id', 'transcript_id(s)', 'tx_id', 'tx_name', 'target_id',
        'chr', 'chrom', 'chromosome', 'chromosome_name', 'seqname', 'seqnames', 'start', 'end', 'start_position',
        'end_position', 'strand', 'length', 'gene_length', 'eff_length', 'effective_length', 'width', 'gc_content',
        'percentage_gene_gc_content',
    )
)  # fmt: skip
"""What featureCounts, nf-core, RSEM, tximport, GCT files and annotation packages call columns that are no
samples, in small letters and digits."""

_END = re.compile(
    r'([._-]?(aligned|readspergene)|[._-](bam|sam|cram|out|tab|txt|tsv|csv|gz|sf|quant|counts?|htseq|genes|isoforms|results|'
    r'sort|sorted|nsorted|csorted|sortedbycoord|sortedbyname|totranscriptome|markdup|markdups|dedup|dedupped|rmdup|'
    r'umi_dedup|md|primary|filtered|bowtie2|hisat2|star|salmon))$',
    re.IGNORECASE,
)
"""Ends of the names of files that aligners and counters write; ``s1.sorted.bam`` is of sample s1."""

_BARE = frozenset({'quant', 'aligned', 'readspergene', 'accepted_hits', 'abundance', 'genes', 'counts'})
"""Names of files that are the same in the folder of every sample."""

_MOST_ENDS = 6
"""Ends of the name of a file that are taken off."""

_RESERVED = frozenset({'if', 'else', 'repeat', 'while', 'function', 'for', 'next', 'break', 'TRUE', 'FALSE', 'NULL', 'NA', 'NaN',
                       'Inf', 'in'})  # fmt: skip


class Columns(NamedTuple):
    """What the columns of a table of counts are.

    Attributes
    ----------
    column_of
        Sample to its column.
    ambiguous
        Columns that could be of several samples, or of one that has another column too.
    annotation
        Columns known not to be samples.
    others
        Columns that are none of these: further samples, or something unknown.

    """

    column_of: dict[str, str]
    ambiguous: tuple[str, ...]
    annotation: tuple[str, ...]
    others: tuple[str, ...]


def r_name(name: str) -> str:
    """Return a name as R's ``check.names`` turns it (``make.names``).

    Examples
    --------
    >>> r_name('01-s 1'), r_name('_a'), r_name('/a'), r_name('a_b.c'), r_name('NA')
    ('X01.s.1', 'X_a', 'X.a', 'a_b.c', 'NA.')

    """
    prefix = '' if re.match(r'[^\W\d_]|\.(?!\d)', name) else 'X'  # told by the name as it was
    found = prefix + re.sub(r'[^\w.]', '.', name)
    return f'{found}.' if found in _RESERVED else found


def stems_of_file(name: str) -> list[str]:
    """Return a name without folders, and without one more end each of those that aligners and counters write.

    Examples
    --------
    >>> stems_of_file('results/s1.sorted.bam')
    ['s1.sorted.bam', 's1.sorted', 's1']
    >>> stems_of_file('out/s1/quant.sf')[-1], stems_of_file('s1Aligned.sortedByCoord.out.bam')[-1], stems_of_file('s1')
    ('s1', 's1', ['s1'])

    """
    parts = [part for part in re.split(r'[/\\]', name) if part]
    while parts:
        stems = [parts.pop()]
        while (shorter := _END.sub('', stems[-1])) != stems[-1]:
            stems.append(shorter)
        if stems[-1] and stems[-1].lower() not in _BARE:
            return stems
    return [name]


def match_columns(names: Sequence[str], samples: Collection[str], listed: Collection[str] = ()) -> Columns:
    """Find the column of every sample.

    Parameters
    ----------
    names
        Columns of the table, identifiers apart.
    samples
        Names in the table of samples.
    listed
        Names that no column of annotation has, beside ``samples``.

    Notes
    -----
    A column is of the sample whose name it has; else of the only one whose name it has as a file
    (:func:`stems_of_file`, the longest first), after R's ``check.names``, or in other case, padding and
    separators.  A match counts only where both column and sample have no other.

    Examples
    --------
    >>> match_columns(['gene_name', 'bam/s-1.bam', 'X2'], ['s-1', '2', 's3'])
    Columns(column_of={'s-1': 'bam/s-1.bam', '2': 'X2'}, ambiguous=(), annotation=('gene_name',), others=())

    """
    wanted = dict.fromkeys(samples)
    column_of = {name: name for name in names if name in wanted}
    free = [name for name in dict.fromkeys(names) if name not in wanted]
    annotation = tuple(name for name in free if name not in listed and is_annotation(name))
    free = [name for name in free if name not in annotation]
    ambiguous: dict[str, None] = {}
    for keys, key in _SPELLINGS:
        pairs = _pairs(free, [sample for sample in wanted if sample not in column_of], keys, key)
        columns, owners = Counter(column for column, _ in pairs), Counter(sample for _, sample in pairs)
        for column, sample in pairs:
            if columns[column] == owners[sample] == 1:
                column_of[sample] = column
            else:
                ambiguous[column] = None
        free = [name for name in free if name not in column_of.values() and name not in ambiguous]
    return Columns(column_of, tuple(ambiguous), annotation, tuple(free))


def is_annotation(name: str) -> bool:
    """Return whether a column is known to hold something else than counts of a sample.

    Examples
    --------
    >>> [is_annotation(name) for name in ('Chr', 'transcript_id(s)', 'gene symbol', 'NAME2')]
    [True, True, True, False]

    """
    return re.sub(r'[^a-z0-9]', '', name.lower()) in ANNOTATION


Keys = Callable[[str], Iterable[str]]


def _pairs(
    columns: Iterable[str], samples: Iterable[str], keys: Keys, key: Callable[[str], str]
) -> list[tuple[str, str]]:
    owners: dict[str, list[str]] = {}
    for sample in samples:
        owners.setdefault(key(sample), []).append(sample)
    return [(c, s) for c in columns for k in dict.fromkeys(keys(c)) for s in owners.get(k, ())]


def _stem(name: str, depth: int) -> list[str]:
    return stems_of_file(name)[depth : depth + 1]


def _r_keys(name: str) -> list[str]:
    """Return what R may have made of a name: of a path, too, whose separators it made dots."""
    bare = stems_of_file(name)[-1]
    parts = bare.split('.') if bare != name else [bare]
    return ['.'.join(parts[k:]) for k in range(len(parts))]


def _loose(name: str) -> str:
    """Return a name without case, padding of numbers and kind of separators."""
    plain = re.sub(r'[^a-z0-9]+', '.', name.casefold()).strip('.')
    return re.sub(r'\d+', lambda digits: str(int(digits[0])), re.sub(r'^x(?=\d)', '', plain))


_SPELLINGS: tuple[tuple[Keys, Callable[[str], str]], ...] = (
    *((partial(_stem, depth=depth), str) for depth in range(_MOST_ENDS)),
    (_r_keys, r_name),
    (lambda name: [_loose(stems_of_file(name)[-1])], lambda name: _loose(stems_of_file(name)[-1])),
)
"""Keys of a column, and of a sample, at each step."""
