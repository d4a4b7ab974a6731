"""Maps of a group that can be tested voxel by voxel, of whom, and with which tests."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypedDict

from pipelines.stats.design import Outcome, primary_visit, visits_of
from pipelines.stats.map_questions import LEAST_PER_ARM
from pipelines.stats.map_tests import MapsDesign, MapTest, map_tests
from pipelines.stats.visit import Visit
from pipelines.terms import MEASURES, map_words

from ..outputs.found import Results, ScanResult, stamp_of
from ..outputs.group import LEAST_WITH_MAPS
from ..phenotype.parts import Trial
from ..phenotype.tables import Tables

LOGGER = logging.getLogger(__name__)


class MapsOfPerson(TypedDict):
    """Images of one kind by the name of the visit, those of its runs with their degrees of freedom."""

    participant_id: str
    stamp: str
    maps: dict[str, list[str]]
    dof: dict[str, list[float]]


def maps_design(trial: Trial, primary: str) -> MapsDesign:
    """Return a trial as voxel-wise tests know it."""
    sites = (trial.sites.column,) if trial.sites else ()
    return MapsDesign(
        treated=trial.treated,
        control=trial.arms.control,
        primary=primary,
        is_randomised=trial.is_randomised,
        adjusted=tuple(dict.fromkeys((*trial.covariates, *trial.strata, *sites))),
        blocks=trial.sites.column if trial.sites and trial.sites.use == 'blocks' else None,
    )


def map_tests_of(trial: Trial, primary: str) -> tuple[MapTest, ...]:
    """Return the voxel-wise tests of a trial, whoever has maps."""
    return map_tests(maps_design(trial, primary), trial.visits, trial.maps, _map_visit(trial))


def _map_visit(trial: Trial) -> Visit:
    """Return the visit whose maps are compared: the primary one of what is measured in images."""
    own = [o for o in trial.derivative_outcomes if MEASURES[o.derivative].source != 'tract']
    return primary_visit(own[0], trial.visits) if own else trial.primary


def maps_by_kind(
    trial: Trial, tables: Tables, results: Results, tests: Sequence[MapTest]
) -> dict[str, list[MapsOfPerson]]:
    """Return for each kind of map that anybody has who has which images at the visits that are tested."""
    used = {name for test in tests for name in test.visits}
    visits = {visit.session_id: visit.name for visit in trial.visits if visit.name in used}
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
    own = {name: [s for s in scans if visits[s.session_id] == name] for name in visits.values()}
    return MapsOfPerson(
        participant_id=label,
        stamp=''.join(stamp_of(scan.maps[kind]) for scan in scans),
        maps={name: [str(scan.maps[kind]) for scan in found] for name, found in own.items() if found},
        dof={name: [scan.dof for scan in found] for name, found in own.items() if found},
    )


def possible_tests(
    trial: Trial,
    tables: Tables,
    people: Mapping[str, list[MapsOfPerson]],
    tests: Sequence[MapTest],
    primary: Outcome,
) -> dict[str, tuple[MapTest, ...]]:
    """Return the voxel-wise tests that have enough people, of each kind of map that has any."""
    found: dict[str, list[MapTest]] = {kind: [] for kind in people}
    few: dict[str, list[str]] = {}
    for kind, own in people.items():
        for test in tests:
            if _is_possible(test, trial, tables, own, primary):
                found[kind].append(test)
            else:
                few.setdefault(test.name, []).append(kind)
    for name, kinds in few.items():
        of = '' if len(kinds) == len(people) else f' of {", ".join(kinds)}'
        LOGGER.warning('voxel-wise %s%s: too few people have maps; not tested', name, of)
    return {kind: tuple(own) for kind, own in found.items() if own}


def _is_possible(
    test: MapTest, trial: Trial, tables: Tables, people: list[MapsOfPerson], primary: Outcome
) -> bool:
    """Return whether enough people have the maps of a test, and the symptoms that it needs."""
    own = {p['participant_id'] for p in people if set(test.visits) <= p['maps'].keys()}
    if test.term.asks == 'symptoms':
        return len(own & _with_symptoms(test, trial, tables, primary)) >= LEAST_WITH_MAPS
    if test.term.asks == 'mean':
        return len(own) >= LEAST_WITH_MAPS
    arms = dict(zip(tables.participants['participant_id'], tables.participants['arm']))
    counts = Counter(arms[label] for label in own)
    enough = [arm for arm in trial.arms.names if counts[arm] >= LEAST_PER_ARM]
    return trial.arms.control in enough and (test.arm in enough if test.arm else len(enough) > 2)


def _with_symptoms(test: MapTest, trial: Trial, tables: Tables, primary: Outcome) -> set[str]:
    """Return who has the primary outcome at the visits of a test; nobody where it has no change in numbers."""
    measured = {visit.name for visit in visits_of(primary, trial.visits)}
    if primary.kind != 'continuous' or not set(test.visits) <= measured:
        return set()
    own = tables.outcomes[tables.outcomes['outcome'] == primary.name].dropna(subset='value')
    counts = own[own['visit'].isin(test.visits)].groupby('participant_id')['visit'].nunique()
    return set(counts.index[counts == len(test.visits)])
