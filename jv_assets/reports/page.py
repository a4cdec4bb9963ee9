"""The report as one page that loads nothing and runs nothing."""

import re
from html import escape

from jv_assets.reports.figures import Figure, Section, Table
from jv_assets.reports.frame import framed
from jv_assets.reports.sections import TITLE, headlines, sections, summary, warnings
from jv_scoring.analysis.tallies import Json

Pairs = list[tuple[str, str]]
"""Names and shown values."""


def to_html(report: Json) -> str:
    """Return the whole report as a page."""
    return page(TITLE, summary(report), warnings(report), headlines(report), sections(report))


def page(title: str, summary: Pairs, warnings: list[str], headlines: Pairs, sections: list[Section]) -> str:
    """Return a page of these sections: charts are inline SVG in the page's own colours, light or dark."""
    notes = "".join(f"<p class=note>{escape(warning)}</p>\n" for warning in warnings)
    contents = "".join(f'<li><a href="#q{n}">{escape(each.title)}</a></li>' for n, each in enumerate(sections, 1))
    body = (
        f"{_pairs('summary', summary)}\n{notes}{_pairs('headlines', headlines)}\n<nav><ul>{contents}</ul></nav>\n"
        + "".join(_section(number, each) for number, each in enumerate(sections, start=1))
    )
    return framed(escape(title), _STYLE, body)


def _pairs(kind: str, pairs: Pairs) -> str:
    shown = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f"<dl class={kind}>{shown}</dl>"


def _section(number: int, section: Section) -> str:
    figures = "".join(map(_figure, section.figures))
    return (
        f'<section id="q{number}">\n<h2>{escape(section.title)}</h2>\n<p class=answer>{escape(section.answer)}</p>\n'
        f"{figures}</section>\n"
    )


def _figure(figure: Figure) -> str:
    note = f"<p class=about>{escape(figure.note)}</p>\n" if figure.note else ""
    chart = f"<div class=chart>{_chart(figure.question, figure.draw())}</div>\n" if figure.draw else ""
    return (
        f"<article>\n<h3>{escape(figure.question)}</h3>\n{note}<div class=beside>\n{chart}"
        f"{_table(figure.table)}</div>\n</article>\n"
    )


def _chart(question: str, svg: str) -> str:
    """Return the SVG with the question as its name, and with unique ids."""
    own = re.sub(r"\W+", "-", question.lower())
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{own}", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(question)}" ', 1)


def _table(table: Table) -> str:
    if not table.rows:
        return "<p class=about>Nothing to show.</p>\n"
    kinds = ["t" if k in table.texts else "n" for k in range(len(table.columns))]
    head = "".join(
        f"<th scope=col class={kind}>{escape(name)}</th>" for kind, name in zip(kinds, table.columns, strict=True)
    )
    rows = "".join(f"<tr>{_cells(kinds, row)}</tr>" for row in table.rows)
    return f'<div class=wide tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n'


def _cells(kinds: list[str], row: tuple[str, ...]) -> str:
    return "".join(f"<td class={kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))


LIGHT = """--text: #1c2024; --page: #fff; --faint: #60646c; --line: #d9dde2; --note: #fff4d6; --card: #f6f8fa;
  --series-1: #2f6fbd; --series-2: #d9730d; --series-3: #3f8f4f; --series-4: #b0405f; --series-5: #7b5cc4;"""
_DARK = """--text: #e6e8eb; --page: #15181c; --faint: #a0a6ae; --line: #3a4048; --note: #3a3116; --card: #1d2126;
  --series-1: #6ea8ea; --series-2: #f0a35a; --series-3: #74c285; --series-4: #e88aa3; --series-5: #b39ae8;"""
_STYLE = (
    f":root {{ color-scheme: light dark; {LIGHT} }}\n"
    f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}\n"
    """body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 66rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; } h2 { font-size: 1.3rem; margin: 2.6rem 0 .3rem; }
h3 { font-size: 1.02rem; margin: 1.8rem 0 .2rem; }
a { color: var(--series-1); } nav ul { margin: 1rem 0; padding-left: 1.2rem; }
dl { margin: 0; } dt { color: var(--faint); font-size: .85rem; } dd { margin: 0; }
.summary { display: flex; flex-wrap: wrap; gap: .2rem 1.6rem; }
.summary div { display: flex; gap: .5rem; align-items: baseline; }
.summary dd { overflow-wrap: anywhere; font-size: .85rem; }
.headlines { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .6rem; margin: 1rem 0; }
.headlines div { background: var(--card); border-radius: .4rem; padding: .5rem .8rem; }
.headlines dd { font-variant-numeric: tabular-nums; font-weight: 600; }
.note { background: var(--note); padding: .5rem .8rem; border-radius: .3rem; overflow-wrap: anywhere; }
.answer { font-size: 1.05rem; max-width: 48rem; }
.about { color: var(--faint); margin: .1rem 0 .5rem; max-width: 48rem; }
.beside { display: flex; flex-wrap: wrap; gap: .5rem 2rem; align-items: flex-start; }
.chart { flex: 0 1 auto; max-width: 100%; } svg { display: block; max-width: 100%; height: auto; overflow: visible; }
.wide { flex: 1 1 22rem; min-width: 0; max-width: 100%; max-height: 26rem; overflow: auto; }
table { border-collapse: collapse; font-size: .87rem; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: normal; color: var(--faint); position: sticky; top: 0; background: var(--page); }
th.n { white-space: normal; }
.t { text-align: left; } .n { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 32rem) { th, td { padding: .2rem .35rem; } table { font-size: .82rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  .chart { flex: 0 0 46%; } .wide { flex: 1 1 max-content; max-height: none; overflow: visible; }
  table { font-size: 7.5pt; } th, td { padding: .1rem .3rem; } td.t { white-space: normal; }
  article, .headlines div { break-inside: avoid; }
  h2, h3, .answer { break-after: avoid; } th { position: static; } }
"""
)
