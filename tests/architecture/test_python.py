"""The Python sources are of the oldest Python that the reports run on."""

import ast
import os
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("SLUICE_SOURCE", Path(__file__).resolve().parents[2])).resolve()
OLDEST = (3, 9)


def faults(text):
    """What an older Python would not read: its grammar, and unions of types in annotations that are evaluated."""
    try:
        tree = ast.parse(text, feature_version=OLDEST)
    except SyntaxError as error:
        return [f"line {error.lineno}: {error.msg}"]
    if any(isinstance(node, ast.Match) for node in ast.walk(tree)):
        return ["a match statement"]
    if any(isinstance(node, ast.ImportFrom) and node.module == "__future__"
           and any(name.name == "annotations" for name in node.names) for node in tree.body):
        return []
    annotations = [getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns")]
    return [f"line {part.lineno}: a union in an annotation, without `from __future__ import annotations`"
            for annotation in annotations if annotation is not None
            for part in ast.walk(annotation) if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr)]


class OldestPython(unittest.TestCase):
    def test_the_reports_are_for_it(self):
        files = sorted((SOURCE / "reports").rglob("*.py"))
        self.assertGreater(len(files), 20)
        self.assertEqual([(str(file), fault) for file in files for fault in faults(file.read_text(encoding="utf-8"))],
                         [])

    def test_planted_faults_are_found(self):
        for text in ("def f(x: int | None): pass", "def f() -> int | None: pass", "x: dict[str, int | str] = {}",
                     "match x:\n    case 1: pass"):
            self.assertTrue(faults(text), text)
        self.assertEqual(faults("from __future__ import annotations\ndef f(x: int | None): pass"), [])


if __name__ == "__main__":
    unittest.main()
