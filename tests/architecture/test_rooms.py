"""The rooms of each folder: an include goes only to what the build links with; folders and files stay small."""

import os
import re
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("SLUICE_SOURCE", Path(__file__).resolve().parents[2])).resolve()

# The kernels are one library for their users, so the order of their rooms is listed here: each may include the rooms
# before it.
KERNELS = ("element_types", "model", "microkernels", "instruction_sets", "threads", "weights", "plans", "call")
# The rooms of the Python package, likewise.
REPORTS = ("data", "statistics", "findings", "figures", "pages", "commands")
# Programs of their own, for the libraries that Sluice is compared with. They may include the kernels and each other.
PEERS = "bench/peers"
MOST_FILES = 20
MOST_LINES = 400

INCLUDE = re.compile(r'^#include "((?:kernels|tuner|bench)/[^"]+)"', re.MULTILINE)
IMPORT = re.compile(r"^\s*(?:from|import) (reports\.\w+)", re.MULTILINE)
ROOM = re.compile(r"^sluice_room\((\w+) (\w+) NEEDS ([^)]*?)\s+SOURCES", re.MULTILINE)


def known_rooms(root):
    """{room: the rooms that its files may include}, a room being "tuner/base": what its library is linked with."""
    kernels = {f"kernels/{room}" for room in KERNELS}
    known = {f"kernels/{room}": {f"kernels/{lower}" for lower in KERNELS[:at + 1]} for at, room in enumerate(KERNELS)}
    for folder in ("tuner", "bench"):
        text = (root / folder / "CMakeLists.txt").read_text(encoding="utf-8")
        for owner, room, needs in ROOM.findall(text):
            name = f"{owner}/{room}"
            known[name] = {name}
            for need in needs.split():
                if need in ("sluice_kernels", "sluice_verification"):
                    known[name] |= kernels
                elif need.startswith("sluice_"):
                    known[name] |= known["/".join(need.split("_", 2)[1:])]
    return known


def room_of(path):
    return "/".join(path.split("/")[:2])


def sources(root):
    return sorted(str(path.relative_to(root)) for folder in ("kernels", "tuner", "bench")
                  for path in (root / folder).rglob("*") if path.suffix in (".cpp", ".hpp"))


def faults(root):
    """[(file, what is wrong with it)]"""
    known = known_rooms(root)
    kernels = {f"kernels/{room}" for room in KERNELS}
    # The public headers include only each other, as "sluice/….hpp".
    known |= {PEERS: kernels | {PEERS}, "kernels/include": set()}
    found = []
    for name in sources(root):
        if room_of(name) not in known:
            found.append((name, "is in no room"))
            continue
        found += [(name, f"includes {other}") for other in INCLUDE.findall((root / name).read_text(encoding="utf-8"))
                  if room_of(other) not in known[room_of(name)]]
    return found


def import_faults(root):
    """The same for the imports of the package."""
    lower = {f"reports.{room}": {f"reports.{other}" for other in REPORTS[:at + 1]} for at, room in enumerate(REPORTS)}
    found = []
    for path in sorted((root / "reports").glob("*/*.py")):
        room = f"reports.{path.parent.name}"
        if room not in lower:
            found.append((str(path.relative_to(root)), "is in no room"))
            continue
        found += [(str(path.relative_to(root)), f"imports {other}")
                  for other in IMPORT.findall(path.read_text(encoding="utf-8")) if other not in lower[room]]
    return found


def foreign_headers(root, programs):
    """[(file, header)]: the headers that are not of standard C++, in the files and in what they include of the tuner."""
    found, seen, waiting = [], set(), list(programs)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        text = (root / name).read_text(encoding="utf-8")
        found += [(name, header) for header in re.findall(r"^#include <(.*\..*)>", text, re.MULTILINE)]
        waiting += [other for other in INCLUDE.findall(text) if not other.startswith("kernels/")]
    return sorted(found)


class Rooms(unittest.TestCase):
    def test_the_verification_needs_no_library_but_the_kernels(self):
        listed = re.search(r"add_library\(sluice_verification STATIC ([^)]+)\)",
                           (SOURCE / "tuner/CMakeLists.txt").read_text(encoding="utf-8"))
        self.assertEqual(foreign_headers(SOURCE, [f"tuner/{name}" for name in listed[1].split()]), [])
        self.assertIn(("tuner/base/spelling.cpp", "fmt/ranges.h"),
                      foreign_headers(SOURCE, ["tuner/base/spelling.cpp"]))

    def test_every_include_goes_down(self):
        self.assertGreater(len(sources(SOURCE)), 150)
        self.assertEqual(faults(SOURCE), [])

    def test_planted_faults_are_found(self):
        with tempfile.TemporaryDirectory() as keeper:
            root = Path(keeper)
            for name, text in (
                    ("tuner/CMakeLists.txt", "sluice_room(tuner base NEEDS fmt::fmt SOURCES d.cpp)\n"
                                             "sluice_room(tuner side NEEDS sluice_tuner_base\n"
                                             "            SOURCES s.cpp)\n"
                                             "sluice_room(tuner search NEEDS sluice_tuner_base sluice_kernels\n"
                                             "            SOURCES g.cpp)\n"),
                    ("bench/CMakeLists.txt", "sluice_room(bench session NEEDS sluice_tuner_search SOURCES i.cpp)\n"),
                    ("kernels/plans/a.cpp", '#include "kernels/model/b.hpp"\n#include "sluice/plan.hpp"\n'),
                    ("kernels/model/b.hpp", '#include "kernels/plans/c.hpp"\n'),
                    ("kernels/plans/c.hpp", '#include "tuner/base/d.hpp"\n'),
                    ("kernels/include/sluice/e.hpp", '#include "kernels/model/b.hpp"\n'),
                    ("tuner/base/d.hpp", '#include "tuner/base/f.hpp"\n'),
                    ("tuner/base/f.hpp", '#include "tuner/search/g.hpp"\n'),
                    ("tuner/search/g.hpp", '#include "kernels/call/h.hpp"\n#include "bench/session/i.hpp"\n'
                                           '#include "tuner/side/s.hpp"\n'),
                    ("tuner/loose.cpp", ""),
                    ("bench/session/i.hpp", '#include "tuner/base/d.hpp"\n#include "kernels/model/b.hpp"\n'),
                    ("bench/peers/j.cpp", '#include "bench/peers/k.hpp"\n#include "tuner/base/d.hpp"\n')):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            self.assertEqual(faults(root), [
                ("bench/peers/j.cpp", "includes tuner/base/d.hpp"),
                ("kernels/include/sluice/e.hpp", "includes kernels/model/b.hpp"),
                ("kernels/model/b.hpp", "includes kernels/plans/c.hpp"),
                ("kernels/plans/c.hpp", "includes tuner/base/d.hpp"),
                ("tuner/base/f.hpp", "includes tuner/search/g.hpp"),
                ("tuner/loose.cpp", "is in no room"),
                ("tuner/search/g.hpp", "includes bench/session/i.hpp"),
                ("tuner/search/g.hpp", "includes tuner/side/s.hpp")])

    def test_every_import_goes_down(self):
        self.assertGreater(len(list((SOURCE / "reports").glob("*/*.py"))), 30)
        self.assertEqual(import_faults(SOURCE), [])

    def test_planted_imports_are_found(self):
        with tempfile.TemporaryDirectory() as keeper:
            root = Path(keeper)
            for name, text in (("data/a.py", "from reports.data.b import c\nfrom reports.statistics import d\n"),
                               ("figures/e.py", "def late():\n    import reports.pages.f\n"),
                               ("commands/g.py", "from reports.data.a import b\n"),
                               ("drawings/h.py", "")):
                (root / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
                (root / "reports" / name).write_text(text, encoding="utf-8")
            self.assertEqual(import_faults(root), [("reports/data/a.py", "imports reports.statistics"),
                                                   ("reports/drawings/h.py", "is in no room"),
                                                   ("reports/figures/e.py", "imports reports.pages")])

    def test_folders_can_be_read(self):
        for top in ("kernels", "tuner", "bench", "reports", "scripts"):
            for folder, _, names in os.walk(SOURCE / top):
                if "samples" in Path(folder).parts or "__pycache__" in folder:
                    continue
                self.assertLessEqual(len(names), MOST_FILES, folder)

    def test_units_are_short(self):
        for top in ("kernels", "tuner", "bench", "reports", "scripts", "tests"):
            for path in (SOURCE / top).rglob("*"):
                if path.suffix in (".cpp", ".hpp", ".py", ".sh"):
                    self.assertLessEqual(len(path.read_text(encoding="utf-8").splitlines()), MOST_LINES, path)


if __name__ == "__main__":
    unittest.main()
