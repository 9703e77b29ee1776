"""Turns a matplotlib figure into an inline SVG that follows the page's colours, and a PNG.

Owns: the palette, the style, the M axis, the Figure record. Does not own what is drawn (figures.py).

Every colour is defined only here and has one use, so it can be found in the SVG text and replaced by a CSS variable;
one drawing serves the light and the dark page. The series colours are a darkened Okabe-Ito palette, which people with
any common colour blindness can tell apart; markers and dashes repeat the distinction.
"""

import io
import re
from dataclasses import dataclass

from reports.figures.matplotlib_defaults import matplotlib

# isort: split
from matplotlib import figure as matplotlib_figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.findings.prose import sources

INK, MUTED, GRID, PAPER = "#1f2329", "#626b77", "#d8dde4", "#fffffe"
SERIES = ("#d45500", "#0071b2", "#00845e", "#b3528a", "#3994ca", "#a87400", "#7a5fc0", "#8b4a2b")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)))
CSS_NAMES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"} | {
    colour: f"series-{index}" for index, colour in enumerate(SERIES)}
WIDTH = 4.6     # inches: small enough that 9-point labels stay readable on a phone
PNG_DPI = 160
SOURCE_MARK = "source:"     # begins the id of a number in a drawing; inline_svg makes it a data-source

STYLE = {
    "font.family": "sans-serif", "font.size": 9, "axes.titlesize": 9.5, "axes.titlelocation": "left",
    "axes.titleweight": "bold", "legend.fontsize": 8, "legend.frameon": False, "legend.handlelength": 2.6,
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "axes.edgecolor": MUTED,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": GRID, "grid.linewidth": 0.8, "lines.linewidth": 1.6, "lines.markersize": 5.5,
    "axes.facecolor": "none", "figure.facecolor": PAPER, "axes.unicode_minus": True,
    # Names of models come from files: a dollar sign in one must not start a formula.
    "text.parse_math": False,
    # Text stays text (selectable, searchable, small), and equal input gives an equal file.
    "svg.fonttype": "none", "svg.hashsalt": "sluice",
}
matplotlib.rcParams.update(STYLE)   # for the whole process, which draws only this report


@dataclass(frozen=True)
class Figure:
    """A drawing with everything a reader who cannot see it needs."""

    name: str           # file name without extension
    title: str
    caption: str        # what the marks mean
    alternative: str    # alt text
    columns: list       # of the data table
    rows: list
    command: str        # that measures it again
    svg: str            # for the page
    drawing: bytes      # an SVG file of its own
    png: bytes


def canvas(rows=1, height=3.4, **arguments):
    """A matplotlib figure with `rows` axes, without pyplot's global state."""
    drawing = matplotlib_figure.Figure(figsize=(WIDTH, height), layout="constrained")
    return drawing, list(drawing.subplots(rows, 1, squeeze=False, **arguments)[:, 0])


def finish(drawing, name, title, caption, alternative, columns, rows, command=""):
    svg, png = pictures(drawing)
    return Figure(name, title, caption, alternative, columns, rows, command, inline_svg(svg, name, alternative),
                  svg_file(svg), png)


def pictures(drawing):
    """The text of an SVG, and a PNG."""
    svg, png = io.StringIO(), io.BytesIO()
    drawing.savefig(svg, format="svg", transparent=True,
                    metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    # The layout is known by now; computing it again for the PNG would take as long as drawing it.
    drawing.set_layout_engine("none")
    drawing.savefig(png, format="png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None})
    return svg.getvalue(), png.getvalue()


def svg_file(text):
    """The drawing on white, so that it can be read on a dark page too."""
    text = re.sub(rf' id="{SOURCE_MARK}[^"]*"', "", text)
    return re.sub(r"(<svg[^>]*>)", r'\1<rect width="100%" height="100%" fill="#ffffff"/>', text, count=1).encode()


def inline_svg(text, name, alternative):
    """The svg element alone: no prologue, no foreign names, ids unique in the page, colours as CSS variables."""
    text = text[text.index("<svg"):]
    text = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = text.replace(f' id="{SOURCE_MARK}', ' data-source="')
    used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", text))
    text = re.sub(r"\s+id=\"([^\"]+)\"",
                  lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", text)
    text = re.sub(r"(?:xlink:)?href=\"#", f'href="#{name}-', text).replace("url(#", f"url(#{name}-")
    for colour, css_name in CSS_NAMES.items():
        text = text.replace(colour, f"var(--{css_name})")
    view_box = re.search(r"viewBox=\"[^\"]+\"", text)[0]
    label, of_label = escape_attribute(alternative), escape_attribute(sources(alternative))
    return re.sub(r"<svg[^>]*>", lambda _: f'<svg {view_box} role="img" aria-label="{label}" '
                  f'data-label-source="{of_label}">', text, count=1).strip()


def escape_attribute(text):
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def file_name(*parts):
    """A short file name of lower-case letters, digits and dashes, whatever the parts hold."""
    text = "-".join(str(part) for part in parts).lower().replace("×", "x")
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")[:100]


def compact(value, _position=None):
    return f"{value:g}"


def set_m_axis(axes, ms, label=True):
    """A log axis whose ticks are the measured M (their powers of two, when they are too many to print)."""
    ms = sorted(set(ms))
    ticks = ms
    if len(ticks) > 9:
        ticks = [m for m in ms if m & (m - 1) == 0] or ms
    if len(ticks) > 11:
        ticks = ticks[::2]
    axes.set_xscale("log", base=2)
    axes.set_xlim(ms[0] / 1.35, ms[-1] * 1.35)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(compact))
    if label:
        axes.set_xlabel("M (tokens per call)")


def set_log_axis(axis):
    """A log axis with plain numbers, whose labels stay few over many decades and present within one."""
    axis.set_major_formatter(FuncFormatter(compact))
    low, high = axis.get_view_interval()
    steps = [1, 1.2, 1.5, 2, 3, 5, 7] if high / low < 8 else [1, 2, 5] if high / low < 300 else [1]
    ticks = [step * 10.0**decade for decade in range(-9, 16) for step in steps]
    # The layout measures every tick, visible or not.
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low / 2 <= tick <= 2 * high]))
    axis.set_minor_locator(NullLocator())


def dodge(m, index, count):
    """M moved aside by a few percent, so that the intervals of several series at one M do not cover each other."""
    return m * min(1.07, 1.4 ** (1 / max(count - 1, 1))) ** (index - (count - 1) / 2)


def legend_above(axes, columns=3):
    entries = len(axes.get_legend_handles_labels()[0])
    if entries:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncol=min(columns, entries), borderaxespad=0.2,
                    columnspacing=1.2)
