"""The documents: every link leads to a file, and the first page leads to all others."""

import os
import re
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("SLUICE_SOURCE", Path(__file__).resolve().parents[2])).resolve()
FOLDERS = ("kernels", "tuner", "bench", "reports", "tests")
# The examples in C++ that a test compiles and runs, to the letter.
EXAMPLES = (("kernels/README.md", "tests/kernels/weights/ffn_packer.cpp"),)
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")


def documents():
    return [SOURCE / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
        SOURCE / folder / "README.md" for folder in FOLDERS]


def links(document):
    """The files that a document links to."""
    return [(document.parent / target).resolve() for target in LINK.findall(document.read_text(encoding="utf-8"))
            if not re.match(r"[a-z]+:", target)]


class Documents(unittest.TestCase):
    def test_links_lead_to_files(self):
        for document in documents():
            found = links(document)
            if document.name != "CHANGELOG.md":
                self.assertTrue(found, document)
            for target in found:
                self.assertTrue(target.exists(), f"{document.relative_to(SOURCE)} links to {target}")

    def test_the_first_page_leads_to_each_folders_page(self):
        first = links(SOURCE / "README.md")
        for folder in FOLDERS:
            self.assertIn(SOURCE / folder / "README.md", first, folder)

    def test_each_room_has_its_row(self):
        for folder in FOLDERS:
            text = (SOURCE / folder / "README.md").read_text(encoding="utf-8")
            rooms = [path.name for path in (SOURCE / folder).iterdir()
                     if path.is_dir() and path.name not in ("__pycache__", "include")]
            self.assertTrue(rooms, folder)
            for room in rooms:
                self.assertIn(f"[{room}/]({room})", text, folder)

    def test_examples_are_what_is_tested(self):
        for document, test in EXAMPLES:
            examples = re.findall(r"^```cpp\n(.*?)^```", (SOURCE / document).read_text(encoding="utf-8"), re.S | re.M)
            self.assertTrue(examples, document)
            for example in examples:
                self.assertIn(example, (SOURCE / test).read_text(encoding="utf-8"), document)


if __name__ == "__main__":
    unittest.main()
