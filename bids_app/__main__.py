"""``python -m bids_app`` is ``clbpe``."""

import sys

from .cli import main

if __name__ == '__main__':
    sys.exit(main())
