"""The page in a real browser: silent, without the network, sortable, as wide as its window, readable without pictures.

Needs Debian's chromium, chromium-driver and python3-selenium (scripts/dependencies.sh browser); skipped without them.
"""

import importlib.util
import json
import os
import shutil
import unittest

import fixtures
from fixtures import Desk
from test_traces import journal_lines

MISSING = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
if not importlib.util.find_spec("selenium"):
    MISSING.append("selenium")
WIDTHS = (390, 1440)


@unittest.skipIf(MISSING, f"needs {', '.join(MISSING)}; scripts/dependencies.sh browser installs it")
class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        own = [entry | {"phases": fixtures.phases(0.02)} for m in (1, 64, 256) for threads in (1, 2)
               for entry in fixtures.group(2048, 5632, m, "avx512", threads, fixtures.GATED, ("tinyllama",))]
        peers = [fixtures.peer(entry, "openblas", 1.3) for entry in own]
        plans = [fixtures.plan(m=m, threads=threads) for m in (1, 64, 256) for threads in (1, 2)]
        cls.desk = Desk(fixtures.profile(plans), fixtures.results(own + peers))
        cls.addClassCleanup(cls.desk.close)
        cls.desk.write("journal.jsonl", "\n".join(journal_lines()))
        outcome = cls.desk.run("--journal", "out/journal.jsonl")
        if outcome.returncode:
            raise AssertionError(outcome.stderr)
        options = webdriver.ChromeOptions()
        for option in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                       f"--user-data-dir={cls.desk.root / 'browser'}"):
            options.add_argument(option)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        cls.browser = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        cls.addClassCleanup(cls.browser.quit)
        cls.browser.set_page_load_timeout(120)
        cls.show(1440)
        cls.browser.get((cls.desk.out / "index.html").as_uri())

    @classmethod
    def show(cls, width, scheme="light"):
        cls.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        cls.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})

    def column(self):
        return [float(value) for value in self.browser.execute_script(
            "return [...document.querySelectorAll('#table-budget tbody tr')].map(row => row.cells[6].dataset.value)")]

    def heading(self):
        return self.browser.execute_script("return document.querySelectorAll('#table-budget thead th')[6]")

    def test_nothing_is_logged_and_nothing_is_fetched(self):
        # What the browser did of its own before it opened the page is no concern of it.
        self.browser.get_log("performance")
        self.browser.refresh()
        # The wish for an icon of the tab is answered by the page itself.
        self.assertEqual([entry["message"] for entry in self.browser.get_log("browser")], [])
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        asked = [message["params"]["request"]["url"] for message in messages
                 if message["method"] == "Network.requestWillBeSent"]
        self.assertTrue(asked)
        self.assertEqual([url for url in asked if not url.startswith(("file:", "data:"))], [])

    def test_a_click_sorts_and_a_second_turns_the_order_round(self):
        before = self.column()
        button = self.heading().find_element("tag name", "button")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
        button.click()
        self.assertEqual((self.column(), self.heading().get_attribute("aria-sort")), (sorted(before), "ascending"))
        self.assertNotEqual(before, sorted(before))
        button.click()
        self.assertEqual(self.column(), sorted(before, reverse=True))
        self.assertEqual(self.heading().get_attribute("aria-sort"), "descending")

    def test_the_keyboard_sorts_too(self):
        button = self.heading().find_element("tag name", "button")
        # Away from here first, so that the key starts from another order.
        self.browser.execute_script("document.querySelectorAll('#table-budget thead button')[0].click()")
        self.browser.execute_script("arguments[0].focus()", button)
        self.browser.switch_to.active_element.send_keys("\n")
        self.assertEqual(self.column(), sorted(self.column()))
        self.assertEqual(self.heading().get_attribute("aria-sort"), "ascending")

    def test_the_page_is_no_wider_than_its_window(self):
        self.browser.execute_script("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                self.show(width, scheme)
                inner, page = self.browser.execute_script(
                    "return [innerWidth, document.documentElement.scrollWidth]")
                self.assertEqual((inner, page <= width), (width, True), (scheme, width, page))

    def test_every_picture_has_an_alternative_text(self):
        texts = self.browser.execute_script(
            "return [...document.querySelectorAll('svg, img')].map(one => one.getAttribute('alt') || "
            "one.getAttribute('aria-label') || '')")
        self.assertGreater(len(texts), 8)
        self.assertEqual([text for text in texts if len(text) < 20], [])

    def test_the_dark_page_is_dark(self):
        levels = []
        for scheme in ("light", "dark"):
            self.show(1440, scheme)
            colour = self.browser.execute_script("return getComputedStyle(document.body).backgroundColor")
            levels.append(sum(int(part) for part in colour[colour.index("(") + 1:-1].split(",")[:3]))
        self.assertGreater(levels[0], 700)
        self.assertLess(levels[1], 150)


if __name__ == "__main__":
    unittest.main()
