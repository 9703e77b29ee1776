"""sluice report: turns a profile and benchmark results into a page, plots and a Markdown summary.

Owns: the command line, exit codes, and writing the files. Reads the two files through results.py, and imports the
drawing modules late, so that --help and input errors need neither matplotlib nor jinja2.
"""

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
import warnings

from answer import answers, doubts, missing_parts, overview, summary
from comparison import compare, workloads
from landscapes import load_landscapes
from results import InputError, load_profile, load_results

OK, USAGE, CANNOT, FILE_PROBLEM, INTERRUPTED = 0, 2, 4, 5, 130

DESCRIPTION = """\
Write a report on what the gate of a feed-forward network costs on this machine.

Reads the profile of `sluice tune` and the results of `sluice bench`, and writes into the output directory:
  index.html   one self-contained page: the answer, plots, tables, the machine
  report.md    a summary for a pull request
  *.png, *.svg every plot"""

EXAMPLE = """\
example:
  sluice tune --model tinyllama --profile out/profile.json
  sluice bench --model tinyllama --kind relu,swiglu --profile out/profile.json --out out/results.json
  sluice report --profile out/profile.json --results out/results.json --out out/report

exit codes: 0 written, 2 wrong usage, 4 a Python module is missing, 5 a file is missing, unreadable, of a newer
schema or unwritable, 130 interrupted"""


class Arguments(argparse.ArgumentParser):
    """Says a usage error in one line."""

    def error(self, message):
        complain(f"{message}; see sluice report --help")
        raise SystemExit(USAGE)


def complain(message):
    print("sluice report: " + " ".join(message.split()), file=sys.stderr)


def parse(words):
    parser = Arguments(prog="sluice report",
                       usage="sluice report [--profile FILE] [--results FILE] [--journal FILE] [--out DIR] [--json]",
                       description=DESCRIPTION, epilog=EXAMPLE, allow_abbrev=False,
                       formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="out/profile.json", metavar="FILE", type=path_text,
                        help="tuned profile (default: %(default)s)")
    parser.add_argument("--results", default="out/results.json", metavar="FILE", type=path_text,
                        help="benchmark results (default: %(default)s)")
    parser.add_argument("--journal", metavar="FILE", type=path_text,
                        help="journal of `sluice tune --journal`: adds the tile landscape and the regret")
    parser.add_argument("--out", default="out/report", metavar="DIR", type=path_text,
                        help="directory of the report, made when missing (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print every ratio and the list of files as JSON")
    if words and words[0] in ("-h", "--help"):
        words = ["report", *words]
    if not words or words[0] != "report":
        parser.error(f"the verb is {words[0]!r}, expected report" if words else "no verb, expected report")
    return parser.parse_args(words[1:])


def path_text(text):
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a path, expected the name of a file or directory")
    return text


def write_files(directory, files):
    """Writes every file beside its target and renames all of them once all are complete."""
    finished = []
    try:
        for name, content in files.items():
            handle, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=directory)
            finished.append((temporary, os.path.join(directory, name)))
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(temporary, 0o666 & ~current_umask())
        for temporary, target in finished:
            os.replace(temporary, target)
    except BaseException:
        for temporary, _ in finished:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def short_summary(cells, comparisons, found, index):
    lines = [overview(cells, comparisons)]
    for answer in found:
        lines += ["", f"{answer.label}: {answer.heading}"] + [f"  {sentence}" for sentence in answer.sentences]
    return "\n".join([*lines, "", f"Report: {index}"])


def report(options):
    profile = load_profile(options.profile)
    results = load_results(options.results)
    landscapes = load_landscapes(options.journal) if options.journal else []
    # Made before the drawing, so that an unwritable place is told at once and not after the work.
    os.makedirs(options.out, exist_ok=True)
    if not os.access(options.out, os.W_OK | os.X_OK):
        raise PermissionError(13, "Permission denied", options.out)
    # A font cache to build or a glyph that is missing is no concern of the user: stderr carries errors, one line each.
    warnings.simplefilter("ignore")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import page

    cells = results.cells
    comparisons = compare(cells)
    shapes = workloads(cells)
    notes = missing_parts(profile, results, cells, comparisons)
    reasons = doubts(profile, results)
    files = page.build(profile, results, shapes, comparisons, notes, reasons, landscapes)
    write_files(options.out, files)
    for doubt in reasons:
        complain(f"warning: {doubt}")
    paths = [os.path.join(options.out, name) for name in files]
    if options.json:
        print(json.dumps(summary(comparisons, notes + reasons, paths), indent=2, allow_nan=False))
    else:
        print(short_summary(cells, comparisons, answers(shapes, cells, comparisons), paths[0]))
    sys.stdout.flush()


def main(words):
    # A terminal without the characters × or − gets a question mark instead of a failure.
    sys.stdout.reconfigure(errors="replace")
    try:
        report(parse(words))
        return OK
    except InputError as error:
        complain(str(error))
        return FILE_PROBLEM
    except ImportError as error:
        complain(f"the Python module {error.name or error} cannot be loaded, expected matplotlib and jinja2; "
                 "run apt-get install python3-matplotlib python3-jinja2")
        return CANNOT
    except BrokenPipeError:
        # The reader of the summary left early; the files are written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else "the output"
        complain(f"{place} cannot be written ({error.strerror}); choose a writable directory with --out")
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FILE_PROBLEM
    except KeyboardInterrupt:
        complain("interrupted; no file is half-written, run it again")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
