"""Puts words and numbers together without losing where the numbers come from.

Owns: Prose, a text that remembers its parts. As a str it is the plain sentence, for a terminal and for Markdown; the
page prints its parts one by one, each traced number with its source. Does not own: the numbers (traces.py) or what is
said of them (answer.py, gaps.py, the figures).
"""


class Prose(str):
    """A text and the parts it is made of; those that are traced have a `source`."""

    parts: tuple

    def __new__(cls, parts):
        self = super().__new__(cls, "".join(parts))
        self.parts = tuple(parts)
        return self


def prose(*parts):
    """One text of several, some of them traced or themselves prose."""
    return Prose([leaf for part in parts for leaf in leaves(part)])


def joined(separator, texts):
    """As str.join, with the sources kept."""
    return prose(*(part for index, text in enumerate(texts) for part in ((separator, text) if index else (text,))))


def leaves(text):
    return getattr(text, "parts", (text,))


def sources(text):
    """The sources of a text in the order of its numbers, for an attribute, which cannot hold elements."""
    return "; ".join(part.source for part in leaves(text) if hasattr(part, "source"))
