"""Maps of a group that can be tested voxel by voxel, of whom, and with which tests."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypedDict

from pipelines.stats.before_after import BASELINE, FOLLOWUP
from pipelines.stats.design import Outcome, primary_visit
from pipelines.stats.visit import Visit
from pipelines.terms import MEASURES, map_words

from ..outputs.found import Results, ScanResult, stamp_of
from ..outputs.group import LEAST_PEOPLE
from ..phenotype.parts import Trial
from ..phenotype.tables import Tables

LOGGER = logging.getLogger(__name__)


class MapsOfPerson(TypedDict):
    """Images of one kind by visit, those of its runs with their degrees of freedom."""

    participant_id: str
    stamp: str
    baseline: list[str]
    baseline_dof: list[float]
    followup: list[str]
    followup_dof: list[float]


_PER_ARM = 3
"""People of each arm with both maps that a comparison of arms needs."""


def _map_visit(trial: Trial) -> Visit:
    """Return the visit whose maps are compared: the primary one of what is measured in images."""
    own = [o for o in trial.derivative_outcomes if MEASURES[o.derivative].source != 'tract']
    return primary_visit(own[0], trial.visits) if own else trial.primary


def _map_visits(trial: Trial) -> dict[str, str]:
    """Return what voxel-wise tests call a session."""
    before = {trial.baseline.session_id: BASELINE} if trial.baseline else {}
    return before | {_map_visit(trial).session_id: FOLLOWUP}


def maps_of(trial: Trial, tables: Tables, results: Results) -> dict[str, list[MapsOfPerson]]:
    """Return for each kind of map that anybody has who has which images at which visit."""
    visits = _map_visits(trial)
    kinds: dict[str, list[MapsOfPerson]] = {}
    for kind in map_words(results.circuit.seeds):
        owners: dict[str, list[ScanResult]] = {}
        for scan in results.scans:
            if kind in scan.maps and scan.session_id in visits:
                owners.setdefault(scan.participant_id, []).append(scan)
        labels = tables.participants['participant_id'] if owners else ()
        people = [_of_person(label, kind, visits, owners.get(label, [])) for label in labels]
        if people:
            kinds[kind] = people
        elif results.scans:
            LOGGER.warning('voxel-wise %s: nobody has such a map; not tested', kind)
    return kinds


def _of_person(label: str, kind: str, visits: Mapping[str, str], scans: Sequence[ScanResult]) -> MapsOfPerson:
    before, after = (
        [scan for scan in scans if visits[scan.session_id] == visit] for visit in (BASELINE, FOLLOWUP)
    )
    return MapsOfPerson(
        participant_id=label,
        stamp=''.join(stamp_of(scan.maps[kind]) for scan in scans),
        baseline=[str(scan.maps[kind]) for scan in before],
        baseline_dof=[scan.dof for scan in before],
        followup=[str(scan.maps[kind]) for scan in after],
        followup_dof=[scan.dof for scan in after],
    )


def possible_tests(
    trial: Trial, tables: Tables, people: Mapping[str, list[MapsOfPerson]], primary: Outcome
) -> dict[str, tuple[str, ...]]:
    """Return the voxel-wise tests that have enough people, of each kind of map that has any."""
    found: dict[str, tuple[str, ...]] = {}
    few: dict[str, list[str]] = {}
    for kind, own in people.items():
        counts = _counts(trial, tables, own, primary)
        found[kind] = tuple(contrast for contrast, count in counts.items() if count >= LEAST_PEOPLE)
        for contrast, count in counts.items():
            if count < LEAST_PEOPLE:
                few.setdefault(contrast, []).append(kind)
    for contrast, kinds in few.items():
        of = '' if len(kinds) == len(people) else f' of {", ".join(kinds)}'
        LOGGER.warning('voxel-wise %s%s: too few people have maps; not tested', contrast, of)
    return {kind: contrasts for kind, contrasts in found.items() if contrasts}


def _counts(trial: Trial, tables: Tables, people: list[MapsOfPerson], primary: Outcome) -> dict[str, int]:
    """Return for each voxel-wise test how many people it would have, as far as they count."""
    arms = dict(zip(tables.participants['participant_id'], tables.participants['arm']))
    pairs = [p['participant_id'] for p in people if p['baseline'] and p['followup']]
    by_arm = Counter(arms[label] for label in pairs)
    with_symptoms = _with_change(trial, tables, primary)
    return {
        'armOnChange': min(by_arm[trial.arms.treatment], by_arm[trial.arms.control])
        * (LEAST_PEOPLE // _PER_ARM),
        'changeWithSymptoms': sum(label in with_symptoms for label in pairs),
        'meanBaseline': sum(bool(p['baseline']) for p in people),
        'meanFollowup': sum(bool(p['followup']) for p in people),
    }


def _with_change(trial: Trial, tables: Tables, primary: Outcome) -> set[str]:
    """Return who has the primary outcome at the visits of the maps; nobody where it has no change in numbers."""
    last = primary_visit(primary, trial.visits)
    if (
        primary.kind != 'continuous'
        or not primary.has_baseline
        or last != _map_visit(trial)
        or not trial.baseline
    ):
        return set()
    own = tables.outcomes[tables.outcomes['outcome'] == primary.name].dropna(subset='value')
    own = own[own['visit'].isin((trial.baseline.name, last.name))]
    counts = own.groupby('participant_id')['visit'].nunique()
    return set(counts.index[counts == 2])
