"""The reports as a program: `python3 reports`, or what `sluice report` and `sluice compare` run.

Owns: finding the package from its own folder. Does not own: the verbs and their options (report_command.py).
"""

import sys
from pathlib import Path

# Python puts the folder that it runs first on the path. The rooms must be found under the package's name alone.
sys.path[0] = str(Path(__file__).absolute().parents[1])

if sys.version_info < (3, 9):
    sys.stderr.write("sluice report: this is Python %d.%d, expected 3.9 or newer; set SLUICE_PYTHON to one\n"
                     % sys.version_info[:2])
    sys.exit(4)

from reports.commands.report_command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
