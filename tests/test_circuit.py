"""Circuits: labels, pairs and tracts follow from rows; what cannot be meant is refused by row and word."""

import pickle
from itertools import combinations

import numpy as np
import pytest

from bids_app.outputs.bold import atlas_label
from pipelines.errors import ParameterError, UnknownWordError
from pipelines.terms import (
    ROLES,
    circuit_of_labels,
    circuit_of_rows,
    default_circuit,
    directions,
    map_words,
    maps_named,
    pair_of,
)

FIVE = """
NAc L harvard-oxford:Left_Accumbens both mPFC,Amygdala
NAc R harvard-oxford:Right_Accumbens both mPFC,Amygdala
mPFC L frontal-medial both mPFCR
mPFC R frontal-medial both n/a
Amygdala L harvard-oxford:Amygdala target PAG
Amygdala R harvard-oxford:Amygdala target PAG
AIns R sphere:34,20,-2,6 seed n/a
PAG n/a sphere:0,-30,-10,5 both DRN
DRN n/a sphere:0,-28,-24,4 both n/a
"""


def rows(text):
    return [
        dict(zip(('name', 'hemisphere', 'source', 'role', 'pairs'), line.split()))
        for line in text.split('\n')
        if line
    ]


def test_labels_in_the_order_of_the_list():
    circuit = circuit_of_rows(rows(FIVE))
    assert list(circuit.regions) == [
        *(
            'NAcL',
            'NAcR',
            'NAc',
            'mPFCL',
            'mPFCR',
            'mPFC',
            'AmygdalaL',
            'AmygdalaR',
            'Amygdala',
            'AInsR',
            'PAG',
            'DRN',
        ),
    ]
    assert circuit.mains == ('NAc', 'mPFC', 'Amygdala', 'AInsR', 'PAG', 'DRN')
    assert 'AInsR' in circuit.drawn
    assert 'NAc' not in circuit.drawn
    numbers = [circuit.numbers(label) for label in circuit.drawn]
    assert all(len(own) == 1 for own in numbers)
    assert len(set(numbers)) == len(numbers)
    assert circuit.numbers('NAc') == circuit.numbers('NAcL') + circuit.numbers('NAcR')


def test_targets_have_no_seed_map_and_others_have():
    circuit = circuit_of_rows(rows(FIVE))
    assert [region.name for region in circuit.seeds if region.structure == 'Amygdala'] == []
    kinds = map_words(circuit.seeds)
    assert {'NAc', 'AInsR', 'PAG', 'icc'} <= kinds.keys()
    assert [name for name, kind in kinds.items() if kind.entity == 'param'] == ['icc', 'alff', 'falff']


def test_tracts_lie_along_the_sides_on_the_midline_and_across_it():
    """Two lateral structures: left and right; one on the midline joins either side; two there are one tract."""
    found = {b.name: (b.hemisphere, b.first, b.second) for b in circuit_of_rows(rows(FIVE)).bundles}
    assert found == {
        'NAcMPFCL': ('L', 'NAcL', 'mPFCL'),
        'NAcMPFCR': ('R', 'NAcR', 'mPFCR'),
        'NAcAmygdalaL': ('L', 'NAcL', 'AmygdalaL'),
        'NAcAmygdalaR': ('R', 'NAcR', 'AmygdalaR'),
        'mPFCMPFCC': ('C', 'mPFCL', 'mPFCR'),
        'AmygdalaPAGL': ('L', 'AmygdalaL', 'PAG'),
        'AmygdalaPAGR': ('R', 'AmygdalaR', 'PAG'),
        'PAGDRN': ('n/a', 'PAG', 'DRN'),
    }


@pytest.mark.parametrize(
    ('first', 'second', 'bundles'),
    [
        ('B', '', ['ABL', 'ABR']),
        ('', 'A', ['ABL', 'ABR']),  # the order is that of the rows
        ('B', 'A', ['ABL', 'ABR']),
        ('BL', '', ['ABL', 'ABR']),
        ('BR', '', ['ABC']),
        ('B BR', '', ['ABL', 'ABR', 'ABC']),
        ('A', '', ['AAC']),
    ],
)
def test_how_pairs_are_asked_for(first, second, bundles):
    listed = [
        {'name': 'A', 'hemisphere': side, 'source': 'x', 'pairs': first if side == 'L' else ''}
        for side in 'LR'
    ]
    listed += [
        {'name': 'B', 'hemisphere': side, 'source': 'y', 'pairs': second if side == 'L' else ''}
        for side in 'LR'
    ]
    circuit = circuit_of_rows(listed)
    assert [bundle.name for bundle in circuit.bundles] == bundles
    assert circuit_of_rows(circuit.rows()) == circuit


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        ({'name': 'N-A'}, 'row 1: the name "N-A" should be letters and digits'),
        ({'name': ''}, 'letters and digits'),
        ({'hemisphere': 'left'}, 'row 1: hemisphere left of NAc is unknown; write L, R, or n/a'),
        ({'hemisphere': 'R'}, 'row 2: NAc R is there twice'),
        ({'hemisphere': 'n/a'}, 'NAc is on the midline and on a side'),
        ({'source': 'n/a'}, 'row 1: NAc has no source'),
        ({'role': 'sink'}, 'NAc is both and sink'),
        ({'pairs': 'VTA'}, 'row 1: VTA in pairs is none of the regions. Listed: NAc, mPFC'),
        ({'pairs': 'NAcL'}, 'row 1: NAcL is paired with itself'),
        ({'pairs': 'DRN,DRNL'}, 'DRNL in pairs is none'),
    ],
)
def test_what_cannot_be_meant_is_refused_by_row(change, says):
    listed = rows(FIVE)
    listed[0] |= change
    with pytest.raises(ParameterError, match=says):
        circuit_of_rows(listed)


def test_other_lists_that_cannot_be_meant():
    with pytest.raises(ParameterError, match='no region is listed'):
        circuit_of_rows([])
    lateral = [{'name': 'A', 'hemisphere': side, 'source': 'x'} for side in 'LR']
    with pytest.raises(ParameterError, match='AL is the label of two regions'):
        circuit_of_rows([*lateral, {'name': 'AL', 'hemisphere': 'n/a', 'source': 'x'}])
    sides = [
        {'name': n, 'hemisphere': h, 'source': 'x', 'pairs': p}
        for n, h, p in (('A', 'L', 'B'), ('B', 'R', ''))
    ]
    with pytest.raises(ParameterError, match='A and B have no side in common'):
        circuit_of_rows(sides)
    with pytest.raises(ParameterError, match='PAG has no two sides'):
        circuit_of_rows([{'name': 'PAG', 'hemisphere': 'n/a', 'source': 'x', 'pairs': 'PAG'}])
    with pytest.raises(
        UnknownWordError, match='role of a region sink is unknown; offered: seed, target, both'
    ):
        circuit_of_rows([{'name': 'PAG', 'hemisphere': 'n/a', 'source': 'x', 'role': 'sink'}])


def test_the_defaults_are_added_where_pairs_name_them():
    alone = [{'name': 'VTA', 'hemisphere': 'n/a', 'source': 'x', 'pairs': 'NAc'}]
    circuit = circuit_of_rows(alone, default_circuit('sphere:9,9,-8,4'))
    assert list(circuit.by_name) == ['VTA', 'NAc']
    assert circuit.by_name['NAc'].choice == 'sphere:9,9,-8,4'
    with pytest.raises(ParameterError, match='NAc in pairs is none'):
        circuit_of_rows(alone)


def test_a_list_of_the_default_is_the_default():
    assert circuit_of_rows(default_circuit().rows()) == default_circuit()
    assert atlas_label(circuit_of_rows(default_circuit().rows())) == 'HarvardOxfordFrontalMedial'


def test_labels_of_lists_differ_and_do_not_depend_on_folders():
    five = rows(FIVE)
    other = [{**row, 'role': 'both'} for row in five]
    moved = [[{**five[0], 'source': f'/{folder}/a.nii:3'}, *five[1:]] for folder in ('data', 'scratch')]
    labels = [atlas_label(circuit_of_rows(own)) for own in (five, other, *moved)]
    assert len(set(labels)) == 3
    assert labels[2] == labels[3]
    assert all(label.startswith('Custom') and label.isalnum() and len(label) == 12 for label in labels)


def test_a_circuit_can_be_sent_to_another_process_and_told_apart():
    circuit = circuit_of_rows(rows(FIVE))
    assert circuit.bundles
    assert pickle.loads(pickle.dumps(circuit)) == circuit
    assert len({circuit, circuit_of_rows(rows(FIVE)), default_circuit()}) == 2


def test_labels_of_a_table_give_back_their_structures():
    circuit = circuit_of_rows(rows(FIVE))
    found = circuit_of_labels(circuit.regions)
    assert list(found.regions) == list(circuit.regions)
    assert [kind for kind, own in maps_named(circuit.regions).items() if not own.is_main][:4] == [
        'NAcL', 'NAcR', 'mPFCL', 'mPFCR',
    ]  # fmt: skip


def test_without_pairs_all_are_reported_and_none_is_tracked():
    listed = [{'name': n, 'hemisphere': 'n/a', 'source': 'x'} for n in 'ABCD']
    circuit = circuit_of_rows(listed)
    assert circuit.bundles == ()
    assert [(pair.first, pair.second) for pair in circuit.reported] == list(combinations('ABCD', 2))


def test_files_of_a_person():
    listed = [{'name': 'A', 'hemisphere': 'n/a', 'source': 'x/sub-{subject}_dseg.nii.gz:3'}]
    assert circuit_of_rows(listed).of_person('07').structures[0].choice == 'x/sub-07_dseg.nii.gz:3'


def test_names_of_directions_and_pairs():
    assert [way.title for way in directions(pair_of('PAG', 'mPFC'))] == [
        'from PAG to mPFC',
        'from mPFC to PAG',
    ]
    assert pair_of('amygdala', 'insula').name == 'amygdalaInsula'
    assert list(ROLES) == ['seed', 'target', 'both']
    assert np.array_equal(default_circuit().numbers('NAc'), (1, 2))
