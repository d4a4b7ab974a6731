"""Words that modules share: each is declared once, and every list that needs it is derived from it."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from bids_app.outputs.bold import map_rows
from pipelines import terms
from pipelines.errors import ClbpeError, ParameterError, UnknownWordError
from pipelines.params import DenoiseParams
from pipelines.stats.expression_contrasts import contrasts_of

CIRCUIT = terms.default_circuit()
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    'words', [CIRCUIT.regions, terms.MEASURES, terms.map_words(CIRCUIT.seeds), terms.FLAGS, terms.PRESETS, terms.MODELS, terms.PATHS],
    ids=lambda words: words._kind,
)  # fmt: skip
@pytest.mark.parametrize('word', ['', 'unknown', 'NAC', ' NAc', '36p'])
def test_a_word_that_is_none_of_them_is_refused_by_name(words, word):
    with pytest.raises(
        UnknownWordError, match=re.escape(f'{words._kind} {word} is unknown; offered: ')
    ) as caught:
        words[word]
    assert isinstance(caught.value, ClbpeError)
    assert caught.value.exit_code == 2
    assert words.get(word) is None
    assert word not in words


def test_a_name_declared_twice_is_an_error():
    with pytest.raises(ValueError, match='colour red is declared twice'):
        terms.Words('colour', [terms.Term(name='red', title='a'), terms.Term(name='red', title='b')])


def test_regions_are_left_right_and_both_of_each_structure():
    assert list(CIRCUIT.regions) == ['NAcL', 'NAcR', 'NAc', 'mPFCL', 'mPFCR', 'mPFC']
    assert CIRCUIT.drawn == ('NAcL', 'NAcR', 'mPFCL', 'mPFCR')
    assert CIRCUIT.mains == ('NAc', 'mPFC')
    assert [CIRCUIT.numbers(name) for name in CIRCUIT.regions] == [(1,), (2,), (1, 2), (4,), (5,), (4, 5)]
    assert CIRCUIT.regions['mPFCR'].title == 'Medial prefrontal cortex, right'


def test_names_of_literals_are_those_of_the_terms():
    assert get_args(terms.ReferenceKind) == tuple(terms.REFERENCES)
    asked = contrasts_of(['a', 'b'], ['a', 'b'], {'first': 'x', 'mid': 'y', 'last': 'z'})
    assert {each.kind for each in asked} == set(terms.EXPRESSION_CONTRASTS)
    assert tuple(map_rows(CIRCUIT)) == tuple(terms.map_words(CIRCUIT.seeds))


def test_presets_are_the_choices_of_the_option():
    for name in terms.PRESETS:
        assert DenoiseParams(denoising=name).denoising == name
    with pytest.raises(
        ParameterError, match='--denoising 36p is unknown; offered: acompcor, 24p, conn, gsr, none'
    ):
        DenoiseParams(denoising='36p')


def test_flags_say_what_is_unusable():
    """What the words forbid, the analysis without flagged scans leaves out."""
    distrusted = {
        name
        for name, flag in terms.FLAGS.items()
        if 'can be trusted' in flag.title or 'unreliable' in flag.title
    }
    assert distrusted == {'flipped_bvecs', 'dropout'}
    assert terms.unusable_flags(['flipped_bvecs', 'no_sdc', 'dropout_NAcL', 'budget']) == {
        'flipped_bvecs',
        'dropout_NAcL',
    }
    with pytest.raises(UnknownWordError, match='flag no_flag is unknown'):
        terms.unusable_flags(['no_flag'])


@pytest.mark.parametrize('name', ['dropout_', 'dropout_2nd', 'short_NAcL', 'dropped', 'short:age'])
def test_what_stands_behind_a_flag_must_fit(name):
    known = name in terms.FLAGS
    assert terms.is_flag(name) == known


def test_motion_is_told_apart_by_scan():
    bold, dwi = terms.FLAGS['high_motion'], terms.FLAGS['high_motion_dwi']
    assert (bold.scope, dwi.scope) == ('bold', 'dwi')
    assert '0.5 mm' in bold.title
    assert '2 mm' in dwi.title


@pytest.mark.parametrize('flags', [[], ['short'], ['few_streamlines', 'no_sdc', 'dropout_NAcL']])
def test_flags_of_a_cell_come_back(flags):
    assert terms.split_flags(terms.join_flags(flags)) == flags
    assert terms.split_flags(','.join(flags)) == flags  # as tables of version 0.1.0 hold them


def literals(path):
    """Yield the texts of a module that are no docstrings."""
    tree = ast.parse(path.read_text())
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def test_flags_are_raised_by_their_declared_names():
    """No module writes the name of a flag into a list by hand, where a slip would make a new flag."""
    names = set(terms.FLAGS) - {'dropped', 'short', 'dropout', 'placement'}  # words of their own right
    at_home = {
        'pipelines/terms/flags.py',
        'bids_app/outputs/mechanism.py',
        'pipelines/stats/mediation_trial.py',
    }
    for path in [*(REPOSITORY / 'pipelines').rglob('*.py'), *(REPOSITORY / 'bids_app').rglob('*.py')]:
        place = path.relative_to(REPOSITORY).as_posix()
        if place in at_home:
            continue
        text = path.read_text()
        for name in names & set(literals(path)):
            assert f"FLAGS['{name}']" in text or place.startswith('bids_app/phenotype/'), f'{place}: {name}'
