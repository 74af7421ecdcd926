"""`python -m rosterd.sandbox`."""

from __future__ import annotations

import sys

from rosterd.sandbox.command import main

sys.exit(main())
