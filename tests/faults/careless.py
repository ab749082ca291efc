"""A build that must be found out: SQLite tells of a commit before the disk has it. UNSYNCED names how little it waits.

Settings for processes that the fault tests start; nothing of the product knows of it.
"""

import os
from typing import Any, cast

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import DATABASES

options = cast(dict[str, Any], DATABASES["default"]["OPTIONS"])
options["init_command"] = f"PRAGMA journal_mode=WAL; PRAGMA synchronous={os.environ['UNSYNCED']};"
