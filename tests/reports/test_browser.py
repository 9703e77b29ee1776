"""The three pages in a real browser: silent, without the network, sortable, as wide as the window, readable without
pictures, light and dark.

Needs Debian's chromium, chromium-driver and python3-selenium (scripts/dependencies.sh browser); skipped without them.
"""

import importlib.util
import json
import os
import shutil
import unittest

import fixtures
from fixtures import Desk
from journal import journal_lines

MISSING = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
if not importlib.util.find_spec("selenium"):
    MISSING.append("selenium")
WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")


def setUpModule():
    """One desk with all pages, and one browser."""
    if MISSING:
        return
    Browser.desk = Desk(fixtures.profile([fixtures.plan(m=m, threads=threads) for m in (1, 64, 256)
                                          for threads in (1, 2)]), results(fixtures.GATED, peers=True))
    unittest.addModuleCleanup(Browser.desk.close)
    Browser.desk.write("journal.jsonl", "\n".join(journal_lines()))
    for folder, seed in (("first", 1), ("second", 2)):
        (Browser.desk.root / "out" / folder).mkdir()
        Browser.desk.write(f"{folder}/results.json", results(("swiglu",), seed=seed))
    for verb, words in (("report", ("--journal", "out/journal.jsonl")),
                        ("report", ("--fleet", "out/first", "out/second", "--out", "out/fleet")),
                        ("compare", ("out/first/results.json", "out/second/results.json", "--out", "out/compare"))):
        outcome = Browser.desk.run(*words, verb=verb)
        if outcome.returncode:
            raise AssertionError(outcome.stderr)
    Browser.browser = start(Browser.desk.root / "browser")
    unittest.addModuleCleanup(Browser.browser.quit)


def results(kinds, peers=False, seed=0):
    own = [entry | {"phases": fixtures.phases(0.02)} for m in (1, 64, 256) for threads in (1, 2)
           for entry in fixtures.group(2048, 5632, m, "avx512", threads, kinds, ("tinyllama",), seed=seed)]
    return fixtures.results(own + [fixtures.peer(entry, "openblas", 1.3) for entry in own if peers])


def start(folder):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for option in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   f"--user-data-dir={folder}"):
        options.add_argument(option)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    browser.set_page_load_timeout(120)
    return browser


class Browser:
    """The checks; each class below is a page."""

    desk, browser = None, None      # of the module
    PAGE = ""                       # its file, from the desk
    TABLE, COLUMN = "", 0           # a table and a column of numbers that are not in order
    PICTURES = 0                    # at least

    @classmethod
    def setUpClass(cls):
        cls.show(1440)
        cls.browser.get((cls.desk.root / cls.PAGE).as_uri())

    @classmethod
    def show(cls, width, scheme="light"):
        cls.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        cls.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})

    def column(self):
        return [float(value) for value in self.browser.execute_script(
            f"return [...document.querySelectorAll('#{self.TABLE} tbody tr')]"
            f".map(row => row.cells[{self.COLUMN}].dataset.value)")]

    def heading(self):
        return self.browser.execute_script(f"return document.querySelectorAll('#{self.TABLE} thead th')[{self.COLUMN}]")

    def open_details(self):
        self.browser.execute_script("document.querySelectorAll('details').forEach(part => { part.open = true; })")

    def test_nothing_is_logged_and_nothing_is_fetched(self):
        # Requests that the browser made before it opened the page do not count.
        self.browser.get_log("performance")
        self.browser.get_log("browser")
        self.browser.refresh()
        # The page brings its own icon for the tab.
        self.assertEqual([entry["message"] for entry in self.browser.get_log("browser")], [])
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        asked = [message["params"]["request"]["url"] for message in messages
                 if message["method"] == "Network.requestWillBeSent"]
        self.assertTrue(asked)
        self.assertEqual([url for url in asked if not url.startswith(("file:", "data:"))], [])

    def test_a_click_sorts_and_a_second_turns_the_order_round(self):
        self.open_details()
        before = self.column()
        button = self.heading().find_element("tag name", "button")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", button)
        button.click()
        self.assertEqual((self.column(), self.heading().get_attribute("aria-sort")), (sorted(before), "ascending"))
        self.assertNotEqual(before, sorted(before))
        button.click()
        self.assertEqual(self.column(), sorted(before, reverse=True))
        self.assertEqual(self.heading().get_attribute("aria-sort"), "descending")

    def test_the_keyboard_sorts_too(self):
        self.open_details()
        button = self.heading().find_element("tag name", "button")
        # Sort by another column first, so that the key starts from another order.
        self.browser.execute_script(f"document.querySelectorAll('#{self.TABLE} thead button')[0].click()")
        self.browser.execute_script("arguments[0].focus()", button)
        self.browser.switch_to.active_element.send_keys("\n")
        self.assertEqual(self.column(), sorted(self.column()))
        self.assertEqual(self.heading().get_attribute("aria-sort"), "ascending")

    def test_the_page_is_no_wider_than_its_window(self):
        self.open_details()
        for scheme in SCHEMES:
            for width in WIDTHS:
                self.show(width, scheme)
                inner, page = self.browser.execute_script(
                    "return [innerWidth, document.documentElement.scrollWidth]")
                self.assertEqual((inner, page <= width), (width, True), (scheme, width, page))

    def test_every_picture_has_an_alternative_text(self):
        texts = self.browser.execute_script(
            "return [...document.querySelectorAll('svg, img')].map(one => one.getAttribute('alt') || "
            "one.getAttribute('aria-label') || '')")
        self.assertGreaterEqual(len(texts), self.PICTURES)
        self.assertEqual([text for text in texts if len(text) < 20], [])

    def test_the_dark_page_is_dark(self):
        """And its text is light: told from the paper by WCAG's contrast of 4.5 in both schemes."""
        for scheme in SCHEMES:
            self.show(1440, scheme)
            paper, ink, drawn = self.browser.execute_script(
                "const style = getComputedStyle(document.body);"
                "return [style.backgroundColor, style.color, getComputedStyle("
                "document.querySelector('svg text, svg tspan')).fill]")
            levels = [luminance(colour) for colour in (paper, ink, drawn)]
            self.assertEqual(levels[0] > 0.5, scheme == "light")
            for level in levels[1:]:
                contrast = (max(level, levels[0]) + 0.05) / (min(level, levels[0]) + 0.05)
                self.assertGreater(contrast, 4.5, (scheme, paper, ink, drawn))


def luminance(colour):
    """Relative luminance of "rgb(r, g, b)"."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1:-1].split(",")[:3]]
    return sum(weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
               for weight, part in zip((0.2126, 0.7152, 0.0722), parts))


WANTED = f"needs {', '.join(MISSING)}; scripts/dependencies.sh browser installs it"


@unittest.skipIf(MISSING, WANTED)
class Report(Browser, unittest.TestCase):
    PAGE, TABLE, COLUMN, PICTURES = "out/report/index.html", "table-budget", 6, 9

    def test_the_first_screen_answers(self):
        """What SwiGLU costs, how far from the roof the machine runs and which plan to use: without scrolling."""
        for width in WIDTHS:
            self.show(width)
            self.browser.execute_script("scrollTo(0, 0)")
            shown = self.browser.execute_script(
                "return [...document.querySelectorAll('.tile')].filter("
                "tile => tile.getBoundingClientRect().bottom <= innerHeight).map(tile => tile.innerText)")
            for words in ("SwiGLU costs", "against ReLU of equal budget", "of the measured roof", "plan to use"):
                self.assertTrue(any(words in text for text in shown), (width, words, shown))


@unittest.skipIf(MISSING, WANTED)
class Compare(Browser, unittest.TestCase):
    PAGE, TABLE, COLUMN, PICTURES = "out/compare/index.html", "table-pairs", 1, 1


@unittest.skipIf(MISSING, WANTED)
class Fleet(Browser, unittest.TestCase):
    PAGE, TABLE, COLUMN, PICTURES = "out/fleet/index.html", "table-cells", 4, 4


if __name__ == "__main__":
    unittest.main()
