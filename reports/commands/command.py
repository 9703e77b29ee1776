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


def open_standard_streams():
    """Opens those of the descriptors 0 to 2 that the parent left closed, so that no file of ours gets such a number and
    is written to as standard error. Writing to a stream that was closed still fails."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)    # for reading only; it gets the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")


def complain(program, message):
    # What cannot be said is not said; the exit code stands.
    with contextlib.suppress(OSError):
        print(f"{program}: " + " ".join(message.split()), file=sys.stderr, flush=True)


def give_up_lost_messages():
    """Lets what standard error did not take be lost. Python would try again at its end, and exit with 120."""
    try:
        sys.stderr.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


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
    """Writes every file beside its target and renames all of them once all are complete. A file that replaces another
    one has its owner and permissions; what root creates in a user's directory belongs to that user."""
    finished = []
    try:
        for name, content in files.items():
            target = os.path.realpath(os.path.join(directory, name))    # renaming would replace a link itself
            handle, temporary = tempfile.mkstemp(prefix=".sluice-", suffix=".tmp", dir=os.path.dirname(target))
            finished.append((temporary, target))
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            place(temporary, target)
        for temporary, target in finished:
            os.replace(temporary, target)
    except BaseException:
        for temporary, _ in finished:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise


def place(temporary, target):
    """Gives a file the owner and the permissions that it has at its target."""
    here = os.stat(os.path.dirname(target))
    try:
        present = os.stat(target)
    except FileNotFoundError:
        present = None
    mode = present.st_mode & 0o7777 if present else 0o666 & ~current_umask()
    owner = present or here
    private = present or (os.geteuid() == 0 and not here.st_mode & 0o002)
    if private:
        with contextlib.suppress(OSError):  # without the right to give it away it stays ours
            os.chown(temporary, owner.st_uid, owner.st_gid)
    os.chmod(temporary, mode)


def current_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def run(program, work):
    """Returns the exit code that `work()` returns; every failure becomes one line on stderr and a code of its own."""
    open_standard_streams()
    # A terminal without the characters × or − gets a question mark instead of a failure.
    sys.stdout.reconfigure(errors="replace")
    try:
        try:
            code = work()
        except SystemExit as end:   # of argparse, after --help or a usage error
            code = end.code
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
    finally:
        give_up_lost_messages()
