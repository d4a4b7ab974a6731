"""Whether a run needs files under terms that some users cannot accept."""

from ..terms import Circuit, Structure
from .atlas import atlases, manifest
from .choices import AtlasName
from .templates import FSL_SPACES


def is_free(circuit: Circuit, space: str) -> bool:
    """Return whether neither regions nor space are under the licence of FSL, which allows no commercial use.

    Of such a run nothing else may rest on files under these terms: tissues are those of
    :func:`~.regions.template_volumes` without the Harvard-Oxford maps, clusters are named by CIT168, and no series is
    compared with the template of FSL.

    Parameters
    ----------
    circuit
        Its sources are asked.
    space
        Template space of the maps.

    Examples
    --------
    >>> from pipelines.terms import default_circuit
    >>> is_free(default_circuit(), 'MNI152NLin2009cAsym')
    False
    >>> is_free(default_circuit('cit168', 'sphere:2,52,-2,10'), 'MNI152NLin2009cAsym')
    True

    """
    return space not in FSL_SPACES and not any(
        _is_under_fsl(own, text) for own in circuit.structures for _, text in own.sources
    )


def _is_under_fsl(own: Structure, text: str) -> bool:
    entry = manifest().get(own.name, {}).get(text, {})
    head = entry.get('Atlas', text.partition(':')[0])
    return head in atlases() and atlases()[head]['Terms'] == 'FSL'


def naming_atlas(circuit: Circuit, space: str) -> AtlasName:
    """Return the atlas that clusters are named by."""
    return 'cit168' if is_free(circuit, space) else 'harvard-oxford'
