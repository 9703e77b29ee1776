"""Reads what scripts/analyze.sh predicted and lays it out.

Owns: the file of static predictions and its tables. They stand in a section of their own, marked as predicted, and
enter no comparison with measured figures.
"""

from dataclasses import dataclass

from reports.data.documents import InputError, check_version, read_json, shown
from reports.data.results import Reader
from reports.findings.answer import isa_name
from reports.findings.traces import percent
from reports.pages.tables import Table, decimal, entry

MAKER = "scripts/analyze.sh --out FILE"
FORMS = {"packed": "packed", "in_place": "in place"}


@dataclass(frozen=True)
class Static:
    """The section of the page."""

    predictor: str
    predictions: Table
    silences: list      # sentences: which core has no usable model, and why


def load_static(path):
    document = read_json(path, MAKER)
    if document.get("schema") != "sluice-static":
        raise InputError(f"{path} has schema {shown(document.get('schema'))}, expected \"sluice-static\"; "
                         f"write one with {MAKER}")
    check_version(path, document.get("schema_version"), required=True)
    reader = Reader(path)
    if not isinstance(document.get("predictor"), str):
        reader.fail("predictor", document.get("predictor"), "text")
    rows, silences = [], []
    for index, one in enumerate(reader.listed(document, "predictions", "", required=True)):
        rows.append(prediction_row(reader, one, f"predictions[{index}]."))
    for index, one in enumerate(reader.listed(document, "no_usable_model", "", required=True)):
        core, isa, reason = texts(reader, one, f"no_usable_model[{index}].", ("core", "isa", "reason"))
        silences.append(f"{core}, {isa_name(isa)}: {reason}")
    columns = ["core", "ISA", "compiler", "A", "tile", "predicted cycles per k", "predicted % of FMA bound",
               "loads per FMA", "registers", "on the stack"]
    return Static(document["predictor"], Table("table-static", "Predicted microkernels", columns, rows), silences)


def texts(reader, one, place, keys):
    if not isinstance(one, dict):
        reader.fail(place.rstrip("."), one, "an object")
    for key in keys:
        if not isinstance(one.get(key), str):
            reader.fail(place + key, one.get(key), "text")
    return [one[key] for key in keys]


def prediction_row(reader, one, place):
    core, isa, compiler, form = texts(reader, one, place, ("core", "isa", "compiler", "form"))
    for key in ("mr", "nr", "cycles_per_k", "fma_bound_fraction", "loads_per_fma", "registers", "stack_references"):
        value = one.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
            reader.fail(place + key, value, "a number from 0 on")
    return [entry(core), entry(isa_name(isa)), entry(compiler), entry(FORMS.get(form, form)),
            entry(f"{one['mr']}x{one['nr']}"), decimal(one["cycles_per_k"], 2),
            entry(percent(one["fma_bound_fraction"]), one["fma_bound_fraction"]), decimal(one["loads_per_fma"], 2),
            entry(one["registers"], one["registers"]), entry(one["stack_references"], one["stack_references"])]
