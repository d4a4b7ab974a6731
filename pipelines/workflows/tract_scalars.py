"""Further maps along the tracts of a person: one step behind that which measures FA."""

from nipype.pipeline import engine as pe
from niworkflows.engine.workflows import LiterateWorkflow

from ..interfaces.tract_scalars import LEAST_SHOWN, MeasureScalars
from ..scalar_maps import TractScalars

_EXTENDED = ('scalarstats', 'metadata')


def measure_scalars_too(workflow: LiterateWorkflow, wanted: TractScalars) -> None:
    """Have a workflow of tracts measure further maps.

    Parameters
    ----------
    workflow
        Of :func:`.tract.init_tract_wf`, whose tables gain rows and whose facts say of what.
    wanted
        Whose tracts they are, and the maps.

    """
    measure, domain, outputnode = (workflow.get_node(name) for name in ('measure', 'domain', 'outputnode'))
    scalars = pe.Node(MeasureScalars(wanted=wanted, files=wanted.files), name='scalars', mem_gb=1.0)
    workflow.disconnect([(measure, outputnode, [(f, f) for f in _EXTENDED])])
    workflow.connect([
        (measure, scalars, [(f, f) for f in (*_EXTENDED, 'probsegs')]),
        (domain, scalars, [('domain', 'domain')]),
        (scalars, outputnode, [(f, f) for f in _EXTENDED]),
    ])  # fmt: skip
    names = ', '.join(wanted.by_name)
    workflow.__desc__ += (
        f' Further maps ({names}) were weighted in the same way, after linear interpolation where they lay on another '
        f'grid; there is no value where a map shows less than {LEAST_SHOWN:.0%} of a tract.'
    )
