"""What the verbs of the reports share at the command line.

Owns: exit codes, errors in one line, the checks of paths, and writing files whole or not at all. Does not own: options
and outputs of a verb (report_command.py, compare_command.py, fleet_command.py).
"""

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import warnings

from reports.data.documents import InputError

OK, USAGE, REGRESSION, CANNOT, FILE_PROBLEM, INTERRUPTED = 0, 2, 3, 4, 5, 130


class Arguments(argparse.ArgumentParser):
    """Prints a usage error in one line; `prog` is "sluice VERB"."""

    def error(self, message):
        complain(self.prog, f"{message}; see {self.prog} --help")
        raise SystemExit(USAGE)


def complain(program, message):
    print(f"{program}: " + " ".join(message.split()), file=sys.stderr)


def path_text(text):
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a path, expected the name of a file or directory")
    return text


def prepare(directory):
    """Makes the output directory before anything is drawn, so that an unwritable place is reported at once."""
    os.makedirs(directory, exist_ok=True)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(13, "Permission denied", directory)
    # Messages about font caches and missing glyphs do not help the user. stderr carries errors, one line each.
    warnings.simplefilter("ignore")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


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


def run(program, work):
    """Returns the exit code that `work()` returns; every failure becomes one line on stderr and a code of its own."""
    # A terminal without the characters × or − gets a question mark instead of a failure.
    sys.stdout.reconfigure(errors="replace")
    try:
        code = work()
        sys.stdout.flush()
        return code
    except InputError as error:
        complain(program, str(error))
        return FILE_PROBLEM
    except ImportError as error:
        complain(program, f"the Python module {error.name or error} cannot be loaded, expected matplotlib, jinja2 and "
                 "scipy; run apt-get install python3-matplotlib python3-jinja2 python3-scipy")
        return CANNOT
    except BrokenPipeError:
        # The reader of the summary closed the pipe early; the files are written by then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else "the output"
        complain(program, f"{place} cannot be written ({error.strerror}); choose a writable directory with --out")
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FILE_PROBLEM
    except KeyboardInterrupt:
        complain(program, "interrupted; no file is half-written, run it again")
        return INTERRUPTED
