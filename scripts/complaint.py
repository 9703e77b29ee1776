"""Owns: how the analysis fails: an exit code and one line for the user. Does not own: printing it (analysis.py)."""

OK, BELOW, USAGE, CANNOT, FILE_PROBLEM, INTERRUPTED = 0, 1, 2, 4, 5, 130


class Complaint(Exception):
    """One line for the user, and the exit code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
