"""Words that two modules must agree on, each declared once; nothing here but data, and no import but errors.

A term says what a thing is: its title, units, range, wording and severity.  How its file is called
is said by a row of ``bids_app.outputs``, which carries the term; terms know no row.
"""

from .flags import FLAGS, Flag, flag_term, flag_words, join_flags, raised, split_flags, unusable_flags
from .imaging import (
    DISPLACEMENT,
    LATERAL,
    MAPS,
    MEASURES,
    PRESETS,
    REGIONS,
    SIDES,
    STRUCTURES,
    Map,
    Measure,
    Preset,
    Region,
    Structure,
    dseg_labels,
)
from .statistics import (
    BDNF_CONTRASTS,
    BDNF_MODELS,
    EXPRESSION_CONTRASTS,
    MAP_CONTRASTS,
    MODELS,
    PATHS,
    SET_METHODS,
    STRUCTURES_OF_MEDIATORS,
    Described,
)
from .words import Term, Words

__all__ = [
    'BDNF_CONTRASTS',
    'BDNF_MODELS',
    'DISPLACEMENT',
    'EXPRESSION_CONTRASTS',
    'FLAGS',
    'LATERAL',
    'MAPS',
    'MAP_CONTRASTS',
    'MEASURES',
    'MODELS',
    'PATHS',
    'PRESETS',
    'REGIONS',
    'SET_METHODS',
    'SIDES',
    'STRUCTURES',
    'STRUCTURES_OF_MEDIATORS',
    'Described',
    'Flag',
    'Map',
    'Measure',
    'Preset',
    'Region',
    'Structure',
    'Term',
    'Words',
    'dseg_labels',
    'flag_term',
    'flag_words',
    'join_flags',
    'raised',
    'split_flags',
    'unusable_flags',
]
