"""Make lists of what several workflows give, in one step."""

from collections.abc import Mapping, Sequence
from typing import Any

from nipype.interfaces.base import DynamicTraitedSpec, File, SimpleInterface, traits


class _Fields(DynamicTraitedSpec):
    pass


class Gather(SimpleInterface):
    """Give the list of ``<field>_0``, ``<field>_1`` ... as ``<field>``.

    Parameters
    ----------
    files, facts
        Fields that are paths of files, and those that are dictionaries.
    n
        Number of sources.
    joined
        Lists of several fields, source after source, by their names.

    """

    input_spec = _Fields
    output_spec = _Fields
    is_brief = True

    def __init__(
        self,
        files: Sequence[str],
        facts: Sequence[str],
        n: int,
        joined: Mapping[str, Sequence[str]] | None = None,
        **inputs: Any,
    ) -> None:
        super().__init__(**inputs)
        self.fields, self.n, self.joined = (*files, *facts), n, dict(joined or {})
        for field in self.fields:
            for name in self.names(field):
                trait = File(exists=True, mandatory=True) if field in files else traits.Dict(mandatory=True)
                self.inputs.add_trait(name, trait)

    def names(self, field: str) -> list[str]:
        """Return the inputs that make one list."""
        return [f'{field}_{number}' for number in range(self.n)]

    def _outputs(self) -> Any:
        outputs = super()._outputs()
        for field in (*self.fields, *self.joined):
            outputs.add_trait(field, traits.List())
        return outputs

    def _run_interface(self, runtime: Any) -> Any:
        for field in self.fields:
            self._results[field] = [getattr(self.inputs, name) for name in self.names(field)]
        for name, fields in self.joined.items():
            lists = zip(*(self._results[field] for field in fields))
            self._results[name] = [path for source in lists for path in source]
        return runtime
