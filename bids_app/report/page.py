"""What the pages of participants and of the trial share: the frame, the methods, the record of the run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipelines.params import Parameters, option_name

from .methods import BIBLIOGRAPHY, render_methods
from .read import RunRecord, read_json
from .words import FILTERS

_TEMPLATES = Path(__file__).with_name('templates')


def render_page(
    template: str,
    output_dir: Path,
    record: RunRecord,
    folders: Iterable[Path],
    context: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]] | None = None,
) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    template
        That extends ``page.html``.
    output_dir
        Dataset of derivatives, whose name the page bears.
    record
        Of the run.
    folders
        Where the methods text may be; the first folder that has one counts.
    context
        What else the template names.
    filters
        That the template uses beside the common ones.

    """
    pages = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(FILTERS | dict(filters or {}))
    methods, references = _read_methods(folders)
    return pages.get_template(template).render(
        dataset=read_json(output_dir / 'dataset_description.json').get('Name') or output_dir.resolve().name,
        record=record,
        parameters=parameters(record),
        methods=methods,
        references=references,
        **context,
    )


def _read_methods(folders: Iterable[Path]) -> tuple[str, list[Any]]:
    """Return the methods text of the first folder that has one, as HTML, with its references."""
    found = next((folder for folder in folders if (folder / 'CITATION.md').is_file()), None)
    if found is None:
        return '', []
    bibliography = found / 'CITATION.bib'
    source = bibliography if bibliography.is_file() else BIBLIOGRAPHY
    text = (found / 'CITATION.md').read_text(encoding='utf-8')
    return render_methods(text, source.read_text(encoding='utf-8'))


def parameters(record: RunRecord) -> list[tuple[str, str, str]]:
    """Return option, value with unit, and help of every recorded parameter, the known ones first."""
    known = {f.name: f for analysis in Parameters.__subclasses__() for f in fields(analysis)}  # type: ignore[arg-type]
    names = [
        *(name for name in known if name in record.parameters),
        *(n for n in record.parameters if n not in known),
    ]
    rows = []
    for name in names:
        about = known[name].metadata if name in known else {}
        value = record.parameters[name]
        items = value if isinstance(value, list | dict) else ['default' if value in (None, '') else value]
        text = ', '.join(map(_text, items)) or 'none'
        unit = about.get('unit', '') if isinstance(value, int | float) else ''
        rows.append((option_name(name), f'{text} {unit}'.strip(), about.get('help', '')))
    return rows


def _text(value: Any) -> str:
    """Return a value as text; of an object, such as a region, its values."""
    return (
        ' '.join(str(part) for part in value.values() if part) if isinstance(value, Mapping) else str(value)
    )
