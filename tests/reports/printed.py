"""Finds every number that a page shows, and reports those that differ from what their sources give.

Owns: the walk over the visible text of the page, its labels, drawings and commands; the list of constants that belong
to definitions. Does not own: what a source gives (oracle.py).
"""

import csv
import io
import re
import shlex
import urllib.parse
from html.parser import HTMLParser

# Texts that hold numbers by definition. Any other number without a source is a fault.
DEFINITIONS = (
    "95 %", "at most 1 %", "at most 3 % from 1", "dashed line (1 %)", "±10 %", "10^9", "6·M·D·F",
    "4·M·D·F", "(D, 1.5·F)",
    "1.5× the FLOPs, ideal 1.5×", "ideal time ratio 1", "ideal 1.5", "÷ 1.5; ideal 1", "ideal 0", "minus 1",
    "1 at equal budget, 1.5 at equal width", "relu at 1.5·d_ff", "not contain 1", "contains 1", "contain 1",
    "below 1 the", "A mark at exactly 1", "over 1 thread", "section 4 has",
    "1. What the gate costs", "2. Measured roofline", "3. Share of the roof", "4. Tuned against", "5. Thread scaling",
    "6. Where the time goes", "7. Beside other", "8. Noise audit", "9. Machine", "1 Cost of the gate", "2 Roofline",
    "3 Share of the roof", "4 Tuning", "5 Threads", "6 Where the time goes", "7 Beside other", "8 Noise", "9 Machine")
INLINE = ("span", "a", "b", "code", "small", "strong", "button", "g", "text", "tspan")
VOID = ("meta", "link", "br", "path", "use", "rect", "circle", "img", "input")
LABELS = ("aria-label", "alt", "title")
OPTIONS = {"--d-model": "d_model", "--d-ff": "d_ff", "--m": "m", "--threads": "threads"}


def numbers(text):
    """The numbers of a text, each with half a unit of its last digit. Digits after a letter are part of a name."""
    found = re.findall(r"(?<![A-Za-z_\d.])[−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?",
                       text.replace("AVX-512", "").replace("×", " "))
    return [(float(one.replace("−", "-")), 0.5000001 * 10.0 ** -len(one.partition(".")[2].partition("e")[0]))
            for one in found]


def fact_numbers(key, value):
    """The numbers of a fact in words: sizes in binary units, shares in per cent."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in fact_numbers(key, part)]
    if isinstance(value, list):
        return [number for part in value for number in fact_numbers(key, part)]
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, str):
        return [number for number, _ in numbers(value)]
    if key in ("caches", "memory_bytes"):
        return [value / next((size for size in (2**30, 2**20, 2**10) if value >= size), 1)]
    return [100 * value if key.endswith("_share") else value]


class Printed(HTMLParser):
    """Collects what a reader sees: numbers with a source, text without one, labels, commands and CSV links."""

    def __init__(self, page):
        super().__init__()
        self.traced = []    # [source, text]
        self.bare = []      # text with traced parts cut out, a block each
        self.labels = []    # (text, sources)
        self.drawn = []     # text of drawings
        self.tables = []    # rows of each table, as text
        self.links = []     # (rows of the last table, CSV)
        self.open, self.words = [], ""
        # Lines and marks hold no text, and most of the bytes.
        self.feed(re.sub(r"<(path|use|clipPath|rect)\b[^>]*/>", "", page))
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        for name in LABELS:
            if attributes.get(name):
                self.labels.append((attributes[name], attributes.get("data-label-source") or ""))
        if (attributes.get("href") or "").startswith("data:text/csv"):
            text = urllib.parse.unquote(attributes["href"].partition(",")[2])
            self.links.append((self.tables[-1], list(csv.reader(io.StringIO(text)))))
        if tag in VOID:
            return
        if tag not in INLINE:
            self.flush()
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        source = attributes.get("data-source")
        if source:
            self.traced.append([source, ""])
        self.open.append((tag, source))

    def handle_startendtag(self, tag, attributes):
        if tag not in VOID:
            self.handle_starttag(tag, attributes)
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        while self.open and self.open[-1][0] != tag:
            self.open.pop()
        if self.open:
            self.open.pop()
        if tag not in INLINE or tag == "text":
            self.flush()

    def handle_data(self, data):
        tags = [tag for tag, _ in self.open]
        if "style" in tags or "script" in tags:
            return
        if "table" in tags and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data
        if any(source for _, source in self.open):
            self.traced[-1][1] += data
            self.words += "\0"
        elif "svg" in tags:
            self.drawn.append(data)
        else:
            self.words += data

    def flush(self):
        words = " ".join(self.words.split())
        if words:
            self.bare.append(words)
        self.words = ""


class Checker:
    """Holds a page against an oracle."""

    def __init__(self, oracle):
        self.oracle, self.known = oracle, {}
        entries = [*oracle.results["benchmarks"], *oracle.profile["plans"], *oracle.trials]
        self.fields = {name: {entry[name] for entry in entries if name in entry} for name in ("d_model", "d_ff", "m")}
        self.fields["threads"] = {entry.get("threads", entry.get("max_threads")) for entry in entries}
        # Texts of the files are on the page unchanged. Those without a letter are not excepted: they could hide numbers.
        texts = set(strings([oracle.results, oracle.profile]))
        texts |= {text.removeprefix("micro/") for text in texts}
        self.texts = sorted((" ".join(text.split()) for text in texts if re.search("[A-Za-z]", text) and len(text) > 2),
                            key=len, reverse=True)

    def faults(self, page):
        """The faults of the page, one line each."""
        printed = Printed(page)
        found = [fault for source, text in printed.traced for fault in self.wrong(source, text)]
        found += [f"no source: {text}" for text in printed.bare if self.has_number(text)]
        for text, sources in printed.labels:
            found += self.wrong_label(text, sources)
        found += [f"drawn: {text}" for text in printed.drawn if self.is_drawn_wrong(text)]
        found += [f"CSV unlike its table: {rows[:2]}" for rows, table in printed.links
                  if [[" ".join(cell.split()) for cell in row] for row in rows]
                  != [[" ".join(cell.split()) for cell in row] for row in table]]
        return found

    def expected(self, source):
        if source not in self.known:
            try:
                self.known[source] = self.oracle.expected(source)
            except (LookupError, ValueError, AttributeError, TypeError) as error:
                self.known[source] = f"{type(error).__name__}: {error}"
        return self.known[source]

    def wrong(self, source, text):
        expected, text = self.expected(source), text.strip()
        if isinstance(expected, str):
            return [] if " ".join(expected.split()) == " ".join(text.split()) else [f"{source}: {text}, not {expected}"]
        return self.unlike(source, numbers(text), expected)

    def unlike(self, source, printed, expected):
        if source.startswith("spread_") and len(printed) == 1:
            printed = printed * 2
        if len(printed) != len(expected):
            return [f"{source}: {[number for number, _ in printed]}, not {expected}"]
        for (number, tolerance), value in zip(printed, expected):
            # An intensity is printed with three significant digits, a size with four: their tolerances are relative.
            loose = {"intensity": 0.005, "fact": 0.0006}.get(source.partition(" ")[0], 0)
            if not abs(number - value) <= max(tolerance * 1.02, loose * abs(value)) + 1e-9 * abs(value):
                return [f"{source}: {number}, not {value}"]
        return []

    def wrong_label(self, text, sources):
        """The faults of a label, which must print the numbers of its sources in order, and otherwise constants and names."""
        if not sources:
            return [f"label without a source: {text}"] if self.has_number(text) else []
        printed, found = numbers(self.without_constants(text)), []
        for source in sources.split("; "):
            expected = self.expected(source)
            if isinstance(expected, str):
                return [f"label {text}: {source}: {expected}"]
            found += self.unlike(source, printed[:len(expected)], expected)
            printed = printed[len(expected):]
        return found + ([f"label {text}: {printed} without a source"] if printed else [])

    def without_constants(self, text):
        text = " ".join(text.split())
        for known in sorted(DEFINITIONS, key=len, reverse=True) + self.texts:
            if known in text:
                text = re.sub(rf"(?<!\w){re.escape(known)}(?!\w)", "_", text)
        return text

    def has_number(self, text):
        if text.startswith("sluice "):
            return not self.is_command(text)
        return bool(numbers(self.without_constants(text)))

    def is_command(self, text):
        """Whether a command selects nothing that was not measured."""
        words = shlex.split(text.replace("sluice bench", "").replace("sluice tune", ""))
        for option, value in zip(words, words[1:]):
            field = OPTIONS.get(option)
            if field and not {int(one) for one in value.split(",")} <= self.fields[field]:
                return False
            if not field and option.startswith("--") and numbers(self.without_constants(value)):
                return False
        return True

    def is_drawn_wrong(self, text):
        """Whether the words of a drawing name an M or a number of threads that was not measured. Bare numbers belong to
        an axis."""
        text = " ".join(text.split())
        if re.fullmatch(r"[−-]?[\d.]+|", text):
            return False
        for field, pattern in (("m", r"\bM (\d+)"), ("threads", r"(\d+) threads?\b")):
            if any(int(number) not in self.fields[field] for number in re.findall(pattern, text)):
                return True
            text = re.sub(pattern, "_", text)
        return bool(numbers(self.without_constants(text)))


def strings(value):
    """Every text in a document, keys left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []
