"""The table of a part: rows of ours against what others take, put between its markers in README.md of this folder."""

import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

from threadpoolctl import threadpool_info

README = Path(__file__).with_name('README.md')
_HEADER = '| what | ours | instead | ratio | wanted | |\n|---|---|---|---|---|---|'


class Row(NamedTuple):
    """One line of the table."""

    what: str
    ours: str
    instead: str
    ratio: str
    wanted: str
    met: bool

    def line(self) -> str:
        """Return the line in Markdown."""
        return f'| {" | ".join([*self[:-1], "met" if self.met else "**missed**"])} |'


def _processor() -> str:
    """Return what the processor calls itself, and the kernels that NumPy's linear algebra chose for it."""
    names = re.findall(r'^model name\s*: (.*)$', Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    kernels = {pool['architecture'] for pool in threadpool_info() if pool.get('internal_api') == 'openblas'}
    return ', '.join(
        [names[0] if names else platform.machine(), *sorted(f'OpenBLAS {name}' for name in kernels)]
    )


def write_table(part: str, rows: list[Row]) -> None:
    """Put the table of a part between its markers in README.md, with cores and memory of the machine."""
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9
    machine = f'{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB of memory; load average {os.getloadavg()[2]:.1f}.'
    table = '\n'.join(
        [f'<!-- {part} -->', machine, '', _HEADER, *(row.line() for row in rows), '<!-- end -->']
    )
    markers = re.compile(f'<!-- {part} -->.*?<!-- end -->', re.DOTALL)
    README.write_text(markers.sub(lambda _: table, README.read_text()))


def faster(what: str, found: dict[str, float], wanted: float) -> Row:
    """Return a row of what has to be so many times faster than another."""
    return Row(what, *times_of(found), f'at least {wanted:g} times faster', found['ratio'] >= wanted)


def within(what: str, found: dict[str, float], wanted: float) -> Row:
    """Return a row of what has to end within seconds."""
    return Row(what, *times_of(found), f'under {wanted:g} s', found['ours'] < wanted)


def times_of(found: dict[str, float]) -> tuple[str, str, str]:
    """Return our seconds, theirs, and the ratio as text."""
    return f'{found["ours"]:.2g} s', f'{found["theirs"]:.3g} s', f'{found["ratio"]:.3g}'
