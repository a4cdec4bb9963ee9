"""An explanation as a page."""

from html import escape

from jv_assets.explain.explanation import Explanation
from jv_assets.explain.tables import Table, summary, tables
from jv_assets.reports.frame import framed


def to_html(explanation: Explanation) -> str:
    """Return the page of an explanation. It loads nothing and runs nothing."""
    items = "".join(f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in summary(explanation))
    notes = "".join(f"<p class=note>{escape(note)}" for note in explanation.notes)
    body = f"<dl>{items}</dl>\n{notes}\n{''.join(map(_table, tables(explanation)))}"
    return framed(escape(f"Match {explanation.match_id}"), _STYLE, body)


def _table(table: Table) -> str:
    kinds = ["t" if is_text else "n" for is_text in table.texts]
    columns = zip(kinds, table.columns, strict=True)
    head = "".join(f"<th scope=col class={kind}>{escape(name)}" for kind, name in columns)
    rows = []
    for number, row in enumerate(table.rows):
        style = "head" if number in table.heads else "part" if row[0].startswith("  ") else "row"
        first = f"<th scope=row class=t>{escape(row[0].strip())}"
        cells = "".join(f"<td class={kind}>{escape(cell)}" for kind, cell in zip(kinds[1:], row[1:], strict=True))
        rows.append(f"<tr class={style}>{first}{cells}{_bar(*table.bars[number]) if table.bars else ''}")
    head += "<td>" if table.bars else ""
    return (
        f"<section><h2>{escape(table.title)}</h2><div class=wide><table><thead><tr>{head}</thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></section>\n"
    )


def _bar(start: float, end: float) -> str:
    bar = f'<i style="margin-left:{start:.2f}%;width:{max(0.0, end - start):.2f}%"></i>'
    return f"<td class=bar aria-hidden=true>{bar}"


_STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --page: #fff; --faint: #60646c; --line: #d9dde2; --bar: #2f6fbd;
  --note: #fff4d6; }
@media screen and (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --page: #15181c; --faint: #a0a6ae;
  --line: #363c44; --bar: #6ea8ea; --note: #3a3116; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 64rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.25rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.note { background: var(--note); padding: .4rem .7rem; border-radius: .3rem; margin: .6rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); }
th { font-weight: normal; } thead th { color: var(--faint); } .head th, .head td { font-weight: 600; }
.t { text-align: left; } td.t { white-space: nowrap; } .n { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; } .part th { padding-left: 1.7rem; }
.bar { width: 14rem; min-width: 8rem; } .bar i { display: block; height: .8rem; background: var(--bar); }
"""
