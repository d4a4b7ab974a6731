"""``scripts/docs``: put all pages into a folder, and have MkDocs make the site; whatever does not hold together fails."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from . import api, gallery, pages

LARGEST_MB = 30


def main() -> int:
    """Build the site; return the exit status."""
    parser = argparse.ArgumentParser(prog='scripts/docs', description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('site'), help='folder of the site (default: site)')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        source = stage / 'docs'
        source.mkdir()
        gallery.write(source)
        api.write(source)
        pages.write(source)
        pages.configure(stage)
        command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--clean']
        command += ['--config-file', str(stage / 'mkdocs.yml'), '--site-dir', str(options.out.absolute())]
        status = subprocess.run(command, check=False).returncode
    if status:
        return status
    files = [path for path in options.out.rglob('*') if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f'{options.out}: {len(files)} files, {size:.1f} MB')
    return int(size > LARGEST_MB)


if __name__ == '__main__':
    sys.exit(main())
