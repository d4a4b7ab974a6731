"""Run benchmarks, print their tables and write them into README.md of this folder."""

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import app
from . import scale as many
from .data import write_run
from .fresh import call
from .table import README, Row, faster, times_of, within, write_table
from .trial import whole_trial

N_VOXELS, N_VOLUMES, N_PARTICIPANTS = 235_000, 240, 600
N_SEEDS = 6_000
SIZES = (500, 1000, 2000, 5000)
LARGE_STEPS = ('prepare', 'resample', 'tensor')
MOST_OF_SEEDS = 1.5
"""Times the time of six seeds that twenty may take: what is read is read once."""

_REPEATS = 2


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks', description=__doc__)
    parser.add_argument(
        '--work-dir', type=Path, help='keep simulated data here (default: a temporary folder)'
    )
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS), help='default: all')
    options = parser.parse_args(argv)
    met = True
    with tempfile.TemporaryDirectory() as temporary:
        for part in options.parts:
            rows = PARTS[part](options.work_dir or Path(temporary))
            print('\n'.join(row.line() for row in rows), flush=True)
            write_table(part, rows)
            met &= all(row.met for row in rows)
    return int(not met)


def intrinsic(_: Path) -> list[Row]:
    """Speed, equality and memory of intrinsic connectivity."""
    found = call('intrinsic.compare', n_voxels=N_VOXELS, n_volumes=N_VOLUMES, n_blocks=6)
    sizes = [N_VOXELS // 4, N_VOXELS // 2, N_VOXELS]
    added = [call('intrinsic.memory', n_voxels=n, n_volumes=N_VOLUMES)['added'] for n in sizes]
    growth = (added[2] - added[1]) / (added[1] - added[0])  # 2 where memory is linear in voxels
    return [
        faster('intrinsic connectivity, 235,000 voxels x 240 volumes', found, 500),
        Row(
            'its largest difference', f'{found["error"]:.1e}', '0', '', 'at most 1e-5', found['error'] <= 1e-5
        ),
        Row(
            'its memory beside the input at 59,000, 118,000 and 235,000 voxels',
            ', '.join(f'{gb:.2f}' for gb in added) + ' GB',
            f'{N_VOXELS**2 * 4 / 1e9:.0f} GB (matrix)',
            f'{N_VOXELS**2 * 4 / 1e9 / added[2]:.0f}',
            'linear in voxels',
            abs(growth / 2 - 1) < 0.2,
        ),
    ]


def chain(work_dir: Path) -> list[Row]:
    """Speed, memory and agreement of the whole chain for one run."""
    files, out = write_run(work_dir / 'run'), work_dir / 'chain'
    best, peak = _take_turns(files, out, work_dir / 'nilearn')
    same = call('chain.agreement', files=files, chain=out)
    rows = []
    pairs = (('ours', 'nilearn', ''), ('written', 'nilearn_both', ', with `--write-denoised`'))
    for name, instead, more in pairs:
        found = {'ours': best[name], 'theirs': best[instead], 'ratio': best[instead] / best[name]}
        rows.append(faster(f'one run at 2 mm to maps and tables{more}', found, 8))
    for reader, floor, most in (('our reader', best['read'], 2.2), ('nibabel', best['nibabel'], 2.5)):
        what, ratio = f'the same over reading the file with {reader}', best['ours'] / floor
        numbers = f'{best["ours"]:.1f} s', f'{floor:.1f} s', f'{ratio:.1f}'
        rows.append(Row(what, *numbers, f'at most {most}', ratio <= most))
    ratio, numbers = best['many'] / best['ours'], (f'{best["many"]:.1f} s', f'{best["ours"]:.1f} s')
    rows.append(
        Row(
            'the same with 20 seeds over 6',
            *numbers,
            f'{ratio:.2f}',
            f'at most {MOST_OF_SEEDS}',
            ratio <= MOST_OF_SEEDS,
        )
    )
    most, theirs = max(peak['ours'], peak['written'], peak['many']), peak['nilearn']
    values = f'{most:.2f} GB', f'{theirs:.2f} GB', f'{theirs / most:.1f}'
    rows.append(Row('its peak memory', *values, 'at most 2 GB', most <= 2))
    for name in ('cleaned', 'smoothed'):
        what = f'{name} series: r with nilearn, median over voxels (1st percentile)'
        r = same[name]
        rows.append(Row(what, f'{r:.6f} ({same[f"{name}_p01"]:.4f})', '1', '', 'above 0.999', r > 0.999))
    return rows


def _take_turns(files: dict[str, Path], out: Path, theirs: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Run the slow ones in turn, so that a busy machine slows all; their best times and largest peaks."""
    jobs: dict[str, tuple[str, dict[str, Any]]] = {
        'read': ('chain.floor', {'reader': 'ours'}),
        'nibabel': ('chain.floor', {'reader': 'nibabel'}),
        'ours': ('chain.ours', {'out': out}),
        'many': ('chain.ours', {'out': out.with_name('chain_many'), 'many': True}),
        'written': ('chain.ours', {'out': out, 'write_denoised': True}),
        'nilearn': ('chain.nilearn', {'chain': out, 'out': theirs}),
        'nilearn_both': ('chain.nilearn', {'chain': out, 'out': theirs, 'write_both': True}),
    }
    turns = [
        {name: call(job, files=files, **more) for name, (job, more) in jobs.items()} for _ in range(_REPEATS)
    ]
    best = {name: min(turn[name]['seconds'] for turn in turns) for name in jobs}
    return best, {name: max(turn[name]['peak'] for turn in turns) for name in jobs}


def application(work_dir: Path) -> list[Row]:
    """Start of the program, a run with nothing to do, the start in a large dataset."""
    page = app.help_page(5)
    again = app.second_run(work_dir / 'app', 2.0, N_VOLUMES)
    root = work_dir / 'skeleton'
    size = app.make_skeleton(str(root), N_PARTICIPANTS)
    one, everything = call('app.index_one', root=root), call('app.index_all', root=root)
    if one['found'] != everything['found']:
        raise RuntimeError(f'other files than with PyBIDS: {one["found"]}, {everything["found"]}')
    index = {
        'ours': one['seconds'],
        'theirs': everything['seconds'],
        'ratio': everything['seconds'] / one['seconds'],
    }
    what = f'start of a participant among {N_PARTICIPANTS} x 2 sessions ({size["files"]:,} files)'
    return [
        within('`clbpe --help`', page, 1),
        within('second run of a participant', again, 10),
        within(what, index, 3),
    ]


def diffusion(work_dir: Path) -> list[Row]:
    """Tracking and deconvolution of a real scan, memory of a large one."""
    root = Path(os.environ.get('CLBPE_TEST_DATA', '../shared/data')) / 'bids' / 'philips_dwi32' / 'sub-03'
    if not root.is_dir() or not shutil.which('tckgen'):
        raise SystemExit('diffusion needs MRtrix3 and the scan philips_dwi32 in CLBPE_TEST_DATA')
    found = call('diffusion.compare', folder=root / 'dwi', n_seeds=N_SEEDS)
    rows = []
    for name, times in found.items():
        if name.startswith('tracking'):
            times = {
                'ours': N_SEEDS / times['ours'],
                'theirs': N_SEEDS / times['theirs'],
                'ratio': times['ratio'],
            }
            values = (
                f'{times["ours"]:,.0f} seeds/s',
                f'{times["theirs"]:,.0f} seeds/s',
                f'{times["ratio"]:.2f}',
            )
            rows.append(Row(f'{name}', *values, 'at least 1.5 times faster', times['ratio'] >= 1.5))
        else:
            rows.append(Row(name, *times_of(times), 'reported', True))
    folder = work_dir / 'large'
    folder.mkdir(parents=True, exist_ok=True)
    call('diffusion.write_large', folder=folder, shape=(128, 128, 60), n_directions=32)
    peaks = {step: call('diffusion.memory', folder=folder, step=step)['peak'] for step in LARGE_STEPS}
    most = max(peaks.values())
    what = f'peak memory of {", ".join(peaks)} (128 x 128 x 60, 33 volumes)'
    rows.append(
        Row(what, ', '.join(f'{gb:.2f}' for gb in peaks.values()) + ' GB', '', '', 'under 4 GB', most < 4)
    )
    return rows


def voxelwise(work_dir: Path) -> list[Row]:
    """Speed, agreement and memory of permutation inference on maps of a group."""
    peaks = []
    for n_people in (57, 1000):
        folder = work_dir / f'voxelwise{n_people}'
        if not folder.exists():
            folder.mkdir(parents=True)
            call('voxelwise.write_maps', folder=folder, scale=1, n_people=n_people, smooth=n_people == 57)
        peaks.append(call('voxelwise.memory', folder=folder, scale=1, n_permutations=255)['peak'])
    folder = work_dir / 'voxelwise57'
    found = call('voxelwise.compare', folder=folder, scale=1, n_tfce=40, n_theirs=2, n_max_t=100)
    rows = []
    for ours, theirs, what, wanted in (
        ('ours', 'theirs', 'with TFCE, 57 people, 235,000 voxels', 20),
        ('ours_covariate', 'theirs', 'with TFCE, ours with the baseline of each voxel as covariate', 20),
        ('ours_max_t', 'theirs_max_t', 'of the largest t alone', 1),
    ):
        times = {'ours': found[ours], 'theirs': found[theirs], 'ratio': found[theirs] / found[ours]}
        rows.append(faster(f'one permutation {what}', times, wanted))
    # arms, symptoms and two means of seven maps on two cores
    each = found['ours_covariate_whole'] + found['ours_whole'] + 2 * found['ours_mean_whole']
    minutes = 7 * each / 2 / 60
    error, share = found['t_error'], found['tfce_error']
    what = 'TFCE: largest difference from a sum over 400 steps, of the largest value'
    return [
        *rows,
        Row(
            'seven maps x four tests at 1,000 permutations on two cores, from the times of 40 and 120',
            f'{minutes:.0f} min', '32 min (0.1.0; 322 at its 10,000 permutations)', f'{32 / minutes:.1f}', 'under 25 min',
            minutes < 25,
        ),
        Row('largest difference of t', f'{error:.1e}', '0', '', 'at most 1e-5', error <= 1e-5),
        Row(what, f'{share:.2%}', '0', '', 'at most 1 %', share <= 0.01),
        Row(
            'peak memory with covariate and TFCE, 57 and 1,000 people',
            ', '.join(f'{gb:.2f}' for gb in peaks) + ' GB', '', '', 'under 4 GB', max(peaks) < 4,
        ),
    ]  # fmt: skip


def scale(work_dir: Path) -> list[Row]:
    """Start, group and page of many people: linear in their number, drawn in ``scale.svg``."""
    found = {
        'start': [call('scale.start', root=work_dir / f'start{n}', n_people=n) for n in SIZES],
        'group': [call('scale.group', root=work_dir / f'group{n}', n_people=n) for n in SIZES],
    }
    many.draw(found, README.with_name('scale.svg'))
    each = [1e3 * row['seconds'] / row['n'] for row in found['start']]
    indexed = call('scale.index', root=work_dir / f'start{SIZES[0]}', n_people=100)
    theirs = 1e3 * indexed['seconds'] / indexed['n']
    took, memory, pages = ([row[key] for row in found['group']] for key in ('seconds', 'gb', 'page_mb'))
    sizes, most = ', '.join(f'{n:,}' for n in SIZES), max(SIZES) / 1e3
    return [
        Row(
            f'start of {sizes} people with two sessions, processor time of each',
            f'{", ".join(f"{ms:.1f}" for ms in each)} ms', f'{theirs:.0f} ms (index of PyBIDS alone)',
            f'{theirs / max(each):.1f}', 'at most 5 ms', max(each) <= 5,
        ),
        Row(
            f'group and page of {sizes} people', f'{", ".join(f"{each:.0f}" for each in took)} s',
            '', '', 'linear', _is_linear(found['group'], 'seconds'),
        ),
        Row(
            'its peak memory', f'{", ".join(f"{gb:.2f}" for gb in memory)} GB', '', '', 'at most 1 GB more',
            max(memory) - min(memory) < 1,
        ),
        Row(
            'its page', f'{", ".join(f"{mb:.2f}" for mb in pages)} MB', f'{16 * most:.0f} MB (unfolded)',
            f'{16 * most / pages[-1]:.0f}', 'under 10 MB', max(pages) < 10,
        ),
    ]  # fmt: skip


def _is_linear(rows: list[dict[str, float]], key: str) -> bool:
    """Return whether the last size takes at most 1.5 times what a straight line from the first would give."""
    first, last = rows[0], rows[-1]
    return last[key] <= 1.5 * first[key] * last['n'] / first['n']


PARTS: dict[str, Callable[[Path], list[Row]]] = {
    'intrinsic': intrinsic,
    'chain': chain,
    'application': application,
    'diffusion': diffusion,
    'voxelwise': voxelwise,
    'scale': scale,
    'trial': whole_trial,
}


if __name__ == '__main__':
    raise SystemExit(main())
