"""The static predictions in the report: labelled as such, separate from measurements, and checked."""

import json
import unittest

from fixtures import Desk, bare_documents

from reports.data.documents import InputError
from reports.pages.static import load_static


def document(**change):
    prediction = {"core": "neoverse-n1", "isa": "neon", "compiler": "g++", "form": "packed", "mr": 6, "nr": 16,
                  "cycles_per_k": 12.25, "fma_bound_fraction": 0.9796, "loads_per_fma": 0.23, "registers": 29,
                  "stack_references": 0}
    return {"schema": "sluice-static", "schema_version": 1, "predictor": "llvm-mca 19.1.7",
            "predictions": [prediction, prediction | {"core": "<core>", "form": "wide-2", "mr": 2}],
            "no_usable_model": [{"core": "apple-m1", "isa": "neon", "reason": "2 FMAs, the core 4"}]} | change


class StaticSection(unittest.TestCase):
    def setUp(self):
        self.desk = Desk(*bare_documents())
        self.addCleanup(self.desk.close)

    def test_is_marked_as_predicted(self):
        self.desk.write("static.json", document())
        outcome = self.desk.run("--static", "out/static.json")
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        page = self.desk.page()
        for words in ("Predicted, not measured", "table-static", "predicted % of FMA bound", "12.25", "98.0 %",
                      "apple-m1, NEON: 2 FMAs, the core 4", "&lt;core&gt;", "llvm-mca 19.1.7"):
            self.assertIn(words, page)
        self.assertNotIn("<core>", page)
        summary = (self.desk.out / "report.md").read_text(encoding="utf-8")
        self.assertIn("## Predicted, not measured", summary)
        self.assertIn("neoverse-n1", summary)

    def test_is_left_out_where_there_is_none(self):
        self.assertEqual(self.desk.run().returncode, 0)
        self.assertNotIn("table-static", self.desk.page())
        self.assertNotIn("Predicted", (self.desk.out / "report.md").read_text(encoding="utf-8"))

    def test_a_missing_file_is_named(self):
        outcome = self.desk.run("--static", "none.json")
        self.assertEqual((outcome.returncode, outcome.stdout), (5, ""))
        self.assertEqual(outcome.stderr.count("\n"), 1)
        self.assertIn("none.json", outcome.stderr)
        self.assertIn("analyze.sh", outcome.stderr)
        self.assertFalse(self.desk.out.exists())

    def test_wrong_values_are_named(self):
        good = document()["predictions"][0]
        for change, words in (({"schema": "sluice-profile"}, "sluice-static"), ({"schema_version": 2}, "2"),
                              ({"predictor": 7}, "predictor is 7"), ({"predictions": {}}, "predictions"),
                              ({"predictions": [3]}, "predictions[0] is 3"),
                              ({"predictions": [good | {"mr": -1}]}, "predictions[0].mr is -1"),
                              ({"predictions": [good | {"core": None}]}, "predictions[0].core is null"),
                              ({"no_usable_model": [{"core": "x"}]}, "no_usable_model[0].isa")):
            with self.subTest(change=change), self.assertRaises(InputError) as caught:
                self.desk.write("static.json", json.dumps(document(**change)))
                load_static(str(self.desk.root / "out" / "static.json"))
            self.assertIn(words, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
