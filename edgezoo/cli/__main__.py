"""``python -m edgezoo.cli``, for where the script is not on the path."""

import sys

from edgezoo.cli import main

sys.exit(main())
