"""The reports as a program: `python3 reports`, or what `sluice report` and `sluice compare` run.

Owns: finding the package from its own folder. What is asked for is report_command.py's to say.
"""

import sys
from pathlib import Path

# The folder itself comes first where a folder is run; its rooms are to be found under its name alone.
sys.path[0] = str(Path(__file__).absolute().parents[1])

from reports.commands.report_command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
