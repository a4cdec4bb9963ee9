"""Every HTML page of ours but the rating sheet: one template, one style sheet. It loads nothing and runs nothing."""

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from jv_assets.reports.figures import Answer, Figure, Section

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

Pairs = Sequence[tuple[str, str]]
"""Names and what is shown of each."""


def page(
    title: str,
    summary: Pairs,
    notes: Sequence[str],
    headlines: Pairs | None,
    sections: Sequence[Section],
    *,
    answers: Sequence[Answer] = (),
) -> str:
    """Return a page of these sections, with charts as inline SVG in the page's own colours, light or dark.

    Without `headlines` it has no list of contents either. With `answers`, a box at the top shows them, and each section
    shows its first figure; a click opens the others.
    """
    places = {section.title: f"#q{number}" for number, section in enumerate(sections, start=1)}
    return _template().render(
        title=title, summary=summary, notes=notes, headlines=headlines, sections=sections, chart=_chart, style=_style(),
        answers=answers, places=places,
    )  # fmt: skip


def light_colors() -> dict[str, str]:
    """Return the colours of the style sheet by name, such as `--text`, as in a light page."""
    return dict(re.findall(r"(--[\w-]+): (#\w+);", _resource("style.css").partition("@media")[0]))


def _chart(figure: Figure) -> "Markup":
    """Return the SVG, with the question as its name, and ids that no other chart has."""
    from markupsafe import Markup  # Imported here, because checks load this module and draw nothing.

    assert figure.draw
    own = re.sub(r"\W+", "-", figure.question.lower())
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{own}", figure.draw())
    named = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(figure.question)}" ', 1)
    return Markup(named)


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_resource("page.html"))


def _style() -> "Markup":
    from markupsafe import Markup

    return Markup(_resource("style.css"))


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
