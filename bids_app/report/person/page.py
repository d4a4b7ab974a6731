"""Assemble the report of one participant from the derivatives on disk."""

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from pipelines.errors import MissingInputError
from pipelines.terms import circuit_of_labels, split_flags

from ...running.files import replace_text
from ...running.manifest import digest_of
from ...running.taken import read_taken
from ..page import render_page
from ..read import ScanRecord, entities_and_suffix, read_record, read_scans
from . import look, results, scene, tract
from .sections import CHAPTERS, FIGURES, Chapter, FigureSpec

_QUALITY = 82  # of WebP: a fifth of the PNG's size, no difference to the eye

SCAN_FACTS = (
    ('Spaces', 'Template space of maps', '{}'),
    ('Preset', 'Denoising preset', '{}'),
    ('EchoTimes', 'Echoes that were combined', '{}'),
    ('SignalLost', 'Share of the head where each echo has lost its signal', '{}'),
    ('MedianT2Star', 'Median decay (T2*) in the head', '{:.3f} s'),
    ('NVolumes', 'Volumes acquired', '{:.0f}'),
    ('NKept', 'Volumes analysed', '{:.0f}'),
    ('NLeftOut', 'Volumes left out', '{}'),
    ('MinutesKept', 'Time analysed', '{:.1f} min'),
    ('DegreesOfFreedom', 'Degrees of freedom left after denoising', '{:.4g}'),
    ('MeanFD', 'Mean head movement between volumes (FD)', '{:.2f} mm'),
    ('OutlierSlices', 'Slices that had lost their signal', '{}'),
    ('NVoxels', 'Voxels in intrinsic connectivity', '{:.0f}'),
    ('OverlapPercent', 'Share of the template’s mask that was scanned', '{:.0f} %'),
    ('ICCNoiseFloor', 'Intrinsic connectivity of noise alone', '{:.3f}'),
)
"""Quality of a scan: key in its sidecars, words, format; what a scan lacks is not shown."""


class Figure(NamedTuple):
    """A figure of the page: its description and its content as a data URI."""

    spec: FigureSpec
    name: str
    source: str
    width: int
    height: int


def assemble_report(output_dir: Path, participant_label: str, *, page: Path | None = None) -> Path:
    """Write the report of a participant: one page that needs no other file and no network.

    Parameters
    ----------
    output_dir
        Dataset of derivatives.
    participant_label
        With or without ``sub-``.
    page
        File to write; default ``<output_dir>/sub-<label>.html``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    MissingInputError
        If the participant has no folder in ``output_dir``.

    """
    output_dir, participant = Path(output_dir), f'sub-{participant_label.removeprefix("sub-")}'
    if not (output_dir / participant).is_dir():
        raise MissingInputError(
            f'{output_dir / participant} does not exist: there is nothing to report for {participant}. '
            'Run the participant level first, without --reports-only'
        )
    scans, record = read_scans(output_dir, participant), read_record(output_dir, participant)
    folders = [output_dir / participant / 'log', output_dir / 'logs']
    maps = look.maps_of(output_dir, participant, scans)
    context = {
        'participant': participant,
        'shown': digest_of(output_dir / participant),
        'flags': [*results.flags(record, scans), *tract.flags(scans)],
        'scans': scans,
        'maps': maps,
        'viewer': look.viewer_of(maps),
        'scenes': scene.scenes_of(output_dir, participant),
        'rated': look.rated(scans),
        'pooled': results.pooled(scans),
        'chapters': [chapter for spec in CHAPTERS if (chapter := _chapter(spec, scans))],
        'regions': _titles(scans),
        **_subject(scans),
        'pairs': list(dict.fromkeys(e.of.pair for scan in scans for e in results.estimates(scan))),
        'results': results,
        'split_flags': split_flags,
        'tract': tract,
        'n_tracts': sum(_has_fa(scan) for scan in scans),
        'facts': scan_facts,
        'taken': read_taken(output_dir, participant),
    }
    html = render_page('report.html', output_dir, record, folders, context)
    return replace_text(html, page or output_dir / f'{participant}.html')


_FEW = 4
"""Structures that a heading names."""


def _subject(scans: list[ScanRecord]) -> dict[str, str]:
    """Return what the page is about, in its title and below its heading."""
    labels = [row.get('region', '') for scan in scans for row in scan.coverage]
    names = {own.name: own.title for own in circuit_of_labels(labels).structures}
    tracts = [own.pair for scan in scans for own in scan.tracts]
    if not names:
        ends = circuit_of_labels(name for pair in tracts for name in pair.split('–'))
        names = {own.name: own.title for own in ends.structures}
    if not 0 < len(names) <= _FEW:
        lead = f'Connectivity of {len(names)} regions' if names else 'Connectivity of regions of the brain'
        return {'subject': 'connectivity', 'lead': lead}
    words = [f'the {title} ({name})' if title != name else name for name, title in names.items()]
    listed = ' and '.join([', '.join(words[:-1]), words[-1]] if len(words) > 1 else words)
    return {'subject': f'{"–".join(names)} connectivity', 'lead': f'Connectivity between {listed}'}


def _titles(scans: list[ScanRecord]) -> dict[str, str]:
    """Return the regions of all scans in words."""
    return {
        name: title
        for scan in scans
        for name, title in circuit_of_labels(_labels_of(scan)).regions.titles().items()
    }


def _labels_of(scan: ScanRecord) -> list[str]:
    """Return the labels of a scan's regions; the places have none of both sides, which tell that two sides are one."""
    sides = [row.get('region', '') for row in scan.placement]
    both = [label[:-1] for label in sides if label.endswith('L') and f'{label[:-1]}R' in sides]
    return [*(row.get('region', '') for row in scan.coverage), *sides, *both]


def _has_fa(scan: ScanRecord) -> int:
    """Return in how many sessions a tract of a scan has a value."""
    known = {rows[0].session for own in scan.tracts for rows in tract.sessions(own) if rows[0].fa is not None}
    return len(known)


def _chapter(chapter: Chapter, scans: list[ScanRecord]) -> dict[str, Any] | None:
    """Return a chapter with the scans that have figures or tables in it."""
    parts = []
    for scan in scans:
        figures = [
            _figure(path)
            for path in scan.figures
            if entities_and_suffix(path.name)['suffix'] in chapter.suffixes
        ]
        figures.sort(
            key=lambda figure: FIGURES.index(figure.spec) if figure.spec in FIGURES else len(FIGURES)
        )
        tables = 'task' in entities_and_suffix(f'{scan.name}_x') and 'bold' in chapter.suffixes
        tracked = bool(scan.tracts) and 'dwi' in chapter.suffixes
        placed = bool(scan.placement) and 'T1w' in chapter.suffixes
        if figures or tracked or placed or (tables and (scan.coverage or scan.relmat or scan_facts(scan))):
            shown = {'tables': tables, 'tract': tracked, 'placed': placed}
            parts.append({'scan': scan, 'figures': figures, **shown})
    return {'chapter': chapter, 'parts': parts} if parts else None


def _figure(path: Path) -> Figure:
    entities = entities_and_suffix(path.name)
    desc, suffix = entities.get('desc', ''), entities['suffix']
    unknown = FigureSpec(desc, suffix, desc or path.stem, '', f'Figure {path.stem}')
    spec = next((f for f in FIGURES if (f.desc, f.suffix) == (desc, suffix)), unknown)
    source, width, height = embed(path)
    return Figure(spec, path.name, source, width, height)


def embed(path: Path) -> tuple[str, int, int]:
    """Return a picture as data URI with its width and height in pixels (0 for SVG)."""
    if path.suffix == '.svg':
        content, kind, size = path.read_bytes(), 'svg+xml', (0, 0)
    else:
        buffer = io.BytesIO()
        with Image.open(path) as image:
            size = image.size
            image.convert('RGB').save(buffer, 'webp', quality=_QUALITY, method=2, use_sharp_yuv=True)
        content, kind = buffer.getvalue(), 'webp'
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}', *size


def scan_facts(scan: ScanRecord) -> list[tuple[str, str]]:
    """Return the quality of a scan in words and formatted numbers."""
    known = dict(scan.facts)
    if isinstance(reasons := known.get('NLeftOut'), dict):
        known['NLeftOut'] = (
            ', '.join(f'{n} {why.replace("_", " ")}' for why, n in reasons.items() if n) or '0'
        )
    if seconds := results.number(known.get('SecondsKept')):
        known['MinutesKept'] = seconds / 60
    if overlap := results.number(known.get('TemplateMaskOverlap')):
        known['OverlapPercent'] = 100 * overlap
    for key, scale, unit in (('EchoTimes', 1000, ' ms'), ('SignalLost', 100, ' %')):
        if isinstance(shares := known.get(key), list):
            known[key] = ', '.join(f'{scale * share:.3g}{unit}' for share in shares)
    rows = []
    for key, words, form in SCAN_FACTS:
        value = known.get(key) if form == '{}' else results.number(known.get(key))
        if value is not None:
            rows.append((words, form.format(value)))
    return rows
