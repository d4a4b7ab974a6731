"""Give what the app found of distortion to the workflows, in their words."""

from pipelines.acquisition import Field, FieldSource

from ..scans.fieldmaps import Estimator


def given_field(estimator: Estimator) -> Field:
    """Return what a workflow needs to know of an estimator of distortion."""
    source = FieldSource(
        kind=estimator.kind,
        direction=estimator.run.direction,
        readout_time=estimator.run.readout_time,
        directions=tuple(epi.direction for epi in estimator.epi),
        readout_times=tuple(epi.readout_time for epi in estimator.epi),
        echo_times=estimator.echo_times,
        units=estimator.units,
        volumes=tuple(epi.volumes for epi in estimator.epi),
    )
    return Field(source, [str(path) for path in estimator.files()])
