"""Opens the JSON files that the reports read.

Owns: the check that a file exists, is JSON and has a known version; the one line that refuses it. Does not own: the
contents of a profile or of results (results.py).
"""

import json

SCHEMA_VERSION = 1
LARGEST = 1e30  # no value of a machine is larger, and arithmetic beyond may overflow
DEEPEST = 8     # levels of objects and lists in the context


class InputError(Exception):
    """A file is missing, unreadable, truncated, of a newer schema, or holds a value of the wrong form."""


class WrongValue(InputError):
    """A value of the wrong form; `finding` says which, without the file's name and the advice."""

    def __init__(self, path, finding):
        super().__init__(f"{path}: {finding}; write the file anew")
        self.finding = finding


def known(value, depth=0):
    """Replaces NaN, numbers that are too large and parts that are nested too deeply by None, which means unknown."""
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        return {key: known(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [known(part, depth + 1) for part in value]
    if isinstance(value, (int, float)) and not abs(value) <= LARGEST:
        return None
    return value


def refuse_constant(word):
    raise ValueError(f"{word} is not a JSON number")


def read_json(path, maker, constant=refuse_constant):
    """The object in the file. `maker` is the command that writes such a file; `constant` converts NaN and infinity."""
    try:
        with open(path, encoding="utf-8") as stream:
            document = json.load(stream, parse_constant=constant)
        # Refuses half a surrogate pair, which no page could show.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} does not exist, expected a JSON file; write one with {maker}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}), perhaps truncated; write it anew with {maker}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} holds a JSON {type(document).__name__}, expected an object; write it with {maker}")
    return document


def shown(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_version(path, version, required):
    if version is None and not required:
        return
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InputError(f"{path}: schema_version is {shown(version)}, expected {SCHEMA_VERSION}; write the file anew")
    if version > SCHEMA_VERSION:
        raise InputError(f"{path}: schema_version is {version}, this sluice reads up to {SCHEMA_VERSION}; "
                         "update sluice or write the file with this version")
