"""Draw charts as SVG inside a page: no script, no font, no external picture, and the page's colours.

Each function takes records and the names of the fields to show. Altair and vl-convert are imported only here.
"""

import re
from collections.abc import Sequence
from typing import Any

from jv_scoring.analysis.tallies import Json

WIDTH = 400
"""Width of all charts: readable on a phone without much shrinking."""

# Placeholder colours, which the page's style sheet replaces for light and dark.
_TEXT, _LINE = "#010101", "#020202"
_SERIES = [f"#0{k}0{k}0{k}" for k in range(3, 8)]
_VARIABLES = {_TEXT: "var(--text)", _LINE: "var(--line)"} | {
    color: f"var(--series-{k})" for k, color in enumerate(_SERIES, start=1)
}
_FONT = "Arial, Helvetica, sans-serif"


def lines(records: Sequence[Json], x: str, y: str, series: str, titles: tuple[str, str]) -> str:
    """Return overlaid outlines of distributions, one per series. `x` is the middle of a bar, `y` a share."""
    alt: Any = _altair()
    chart = alt.Chart(alt.Data(values=list(records))).mark_area(fillOpacity=0.15, line=True, interpolate="monotone")
    return _svg(
        chart.encode(
            x=alt.X(f"{x}:Q", title=titles[0]),
            y=alt.Y(f"{y}:Q", title=titles[1], axis=alt.Axis(format="%"), stack=None),
            color=_color(alt, records, series),
        ).properties(width=WIDTH, height=220)
    )


def lines_with_rules(records: Sequence[Json], series: str, rules: Sequence[Json], titles: tuple[str, str]) -> str:
    """Return outlines of distributions, as `lines` draws `x` and `y`, with a vertical line at each rule's `at`.

    `rules` have a `label`, which stands at the top; one with `dashed` is drawn in dashes, its label lower.
    """
    alt: Any = _altair()
    outline = (
        alt.Chart(alt.Data(values=list(records)))
        .mark_area(fillOpacity=0.15, line=True, interpolate="monotone")
        .encode(
            x=alt.X("x:Q", title=titles[0], scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("y:Q", title=titles[1], axis=alt.Axis(format="%"), stack=None),
            color=_color(alt, records, series),
        )
    )
    layers = [outline]
    for dashed in (False, True):
        of = alt.Chart(alt.Data(values=[each for each in rules if each["dashed"] == dashed])).encode(x="at:Q")
        layers.append(of.mark_rule(color=_TEXT, size=1, strokeDash=[4, 3] if dashed else [1, 0]))
        height = 14 if dashed else 4
        layers.append(of.mark_text(color=_TEXT, fontSize=10, align="left", dx=2).encode(
            text="label:N", y=alt.value(height)))  # fmt: skip
    return _svg(alt.layer(*layers).properties(width=WIDTH, height=220))


def facets(records: Sequence[Json], x: str, y: str, facet: str, titles: tuple[str, str], *, series: str | None = None,
           ) -> str:  # fmt: skip
    """Return small charts of distributions over 0–10, one below the other for each value of `facet`."""
    alt: Any = _altair()
    names = _distinct(records, facet)
    mark = alt.Chart().mark_area(fillOpacity=0.2, line=True, interpolate="step")
    small = mark.encode(
        x=alt.X(f"{x}:Q", title=titles[0], scale=alt.Scale(domain=[0, 10.5], nice=False)),
        y=alt.Y(f"{y}:Q", title=titles[1], axis=alt.Axis(format="%", tickCount=3), stack=None),
        color=_color(alt, records, series) if series else alt.value(_SERIES[0]),
    ).properties(width=WIDTH - 70, height=70)
    header = alt.Header(labelAngle=0, labelOrient="top", labelAnchor="start", labelPadding=2)
    row = alt.Row(f"{facet}:N", sort=names, title=None, header=header)
    whole = small.facet(row=row, data=alt.Data(values=list(records)), spacing=8)
    return _svg(whole.resolve_scale(y="independent"), fit=False)


def columns(records: Sequence[Json], x: str, y: str, titles: tuple[str, str], *, share: bool, named: bool = True,
            ) -> str:  # fmt: skip
    """Return upright bars in the order of the records: for names, or (`named` false) for numbers along a scale."""
    alt: Any = _altair()
    labelled = _distinct(records, x)[:: -(-len(records) // 16)]
    names = alt.X(f"{x}:N", sort=None, title=titles[0], axis=alt.Axis(labelAngle=0, values=labelled))
    along = alt.X(f"{x}:Q", title=titles[0])
    chart = alt.Chart(alt.Data(values=list(records)))
    bar = chart.mark_bar() if named else chart.mark_area(interpolate="step", line=True, fillOpacity=0.3)
    return _svg(
        bar.encode(
            x=names if named else along,
            y=alt.Y(f"{y}:Q", title=titles[1], axis=alt.Axis(format="%" if share else ",d")),
            color=alt.value(_SERIES[0]),
        ).properties(width=WIDTH, height=220)
    )


def rows(records: Sequence[Json], y: str, x: str, title: str, *, series: str | None = None, stack: bool = False,
         share: bool = True, colors: Sequence[int] = (1, 2, 3, 4)) -> str:  # fmt: skip
    """Return lying bars, one per name, or per name and series; stacked or side by side. `colors`: of the page, in
    order.
    """
    alt: Any = _altair()
    kinds, names = _distinct(records, series) if series else [], _distinct(records, y)
    more: dict[str, Any] = {}
    if series:
        more["color"] = _color(alt, records, series, colors, WIDTH - _room(names))
        more["order"] = alt.Order("place:Q")
        if not stack:
            more["yOffset"] = alt.YOffset(f"{series}:N", sort=kinds)
    else:
        more["color"] = alt.value(_SERIES[0])
    values = [{**each, "place": kinds.index(each[series])} if series else each for each in records]
    axis = alt.Axis(format="%", tickCount=5) if share else alt.Axis()
    step = 26 if stack or not series else 14 * len(kinds) + 10
    return _svg(
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=_names(alt, y, names),
            x=alt.X(f"{x}:Q", title=title, axis=axis, stack="zero" if stack else None),
            **more,
        )
        .properties(width=WIDTH, height=step * len(names) + 70)
    )


def spans(records: Sequence[Json], y: str, title: str) -> str:
    """Return one distribution per row: a thin line from `min` to `max`, a thick one of a `sd` about the `mean`, a dot
    there.
    """
    alt: Any = _altair()
    values = [{**each, "low": each["mean"] - each["sd"], "high": each["mean"] + each["sd"]} for each in records]
    names = _distinct(records, y)
    base = alt.Chart(alt.Data(values=values)).encode(y=_names(alt, y, names))
    whole = base.mark_rule(color=_TEXT, strokeWidth=1).encode(x=alt.X("min:Q", title=title), x2="max:Q")
    middle = base.mark_bar(color=_SERIES[0], opacity=0.55, height=12).encode(x="low:Q", x2="high:Q")
    dot = base.mark_point(color=_TEXT, fill=_TEXT, size=35).encode(x="mean:Q")
    return _svg((whole + middle + dot).properties(width=WIDTH, height=30 * len(names) + 50))


def heat(records: Sequence[Json], x: str, y: str, titles: tuple[str, str]) -> str:
    """Return a field for each pair of names, darker for a higher `value`, with `shown` written into it."""
    alt: Any = _altair()
    across, down = _distinct(records, x), _distinct(records, y)
    base = alt.Chart(alt.Data(values=list(records))).encode(
        x=alt.X(f"{x}:N", sort=across, title=titles[0], axis=alt.Axis(labelAngle=0)), y=_names(alt, y, down)
    )
    low, high = (of(each["value"] for each in records) for of in (min, max))
    # Light enough for the text on it.
    shade = alt.Scale(domain=[low, high if high > low else low + 1], range=[0.04, 0.45])
    fields = base.mark_rect(color=_SERIES[0]).encode(opacity=alt.Opacity("value:Q", scale=shade, legend=None))
    shown = base.mark_text(color=_TEXT, fontSize=11).encode(text="shown:N")
    return _svg((fields + shown).properties(width=WIDTH, height=30 * len(down) + 50))


def intervals(records: Sequence[Json], y: str, title: str, *, series: str | None = None) -> str:
    """Return a dot at the `mean` of each name, or of each name and series, and a line from `low` to `high`."""
    alt: Any = _altair()
    names, kinds = _distinct(records, y), _distinct(records, series) if series else []
    more: dict[str, Any] = {"color": alt.value(_SERIES[0])}
    if series:
        more = {"color": _color(alt, records, series), "yOffset": alt.YOffset(f"{series}:N", sort=kinds)}
    base = alt.Chart(alt.Data(values=list(records))).encode(y=_names(alt, y, names), **more)
    line = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    dot = base.mark_point(filled=True, size=35).encode(x="mean:Q")
    zero = alt.Chart(alt.Data(values=[{"at": 0}])).mark_rule(color=_TEXT, strokeDash=[3, 3], size=1).encode(x="at:Q")
    step = 12 * len(kinds) + 10 if series else 26
    return _svg((zero + line + dot).properties(width=WIDTH, height=step * len(names) + 70))


def lorenz(records: Sequence[Json], x: str, y: str, series: str, titles: tuple[str, str]) -> str:
    """Return a curve for each series, and the straight line of perfect equality."""
    alt: Any = _altair()
    axes = {
        "x": alt.X(f"{x}:Q", title=titles[0], axis=alt.Axis(format="%")),
        "y": alt.Y(f"{y}:Q", title=titles[1], axis=alt.Axis(format="%")),
    }
    curve = alt.Chart(alt.Data(values=list(records))).mark_line(strokeWidth=1.6)
    even = alt.Chart(alt.Data(values=[{x: 0, y: 0}, {x: 1, y: 1}])).mark_line(color=_TEXT, strokeDash=[4, 4], size=1)
    colored = curve.encode(**axes, color=_color(alt, records, series))
    return _svg((colored + even.encode(**axes)).properties(width=WIDTH, height=300))


def multiples(records: Sequence[Json], x: str, y: str, facet: str) -> str:
    """Return a small line along dates for each value of `facet`, one below the other, each with its own scale."""
    alt: Any = _altair()
    small = (
        alt.Chart()
        .mark_line(point=True)
        .encode(
            x=alt.X(
                f"{x}:N",
                title=None,
                axis=alt.Axis(labelAngle=0, values=_distinct(records, x)[:: 1 + len(records) // 40]),
            ),
            y=alt.Y(f"{y}:Q", title=None, axis=alt.Axis(tickCount=3), scale=alt.Scale(zero=False)),
            color=alt.value(_SERIES[0]),
        )
        .properties(width=WIDTH - 70, height=55)
    )
    header = alt.Header(labelAngle=0, labelOrient="top", labelAnchor="start", labelPadding=2)
    row = alt.Row(f"{facet}:N", sort=_distinct(records, facet), title=None, header=header)
    whole = small.facet(row=row, data=alt.Data(values=list(records)), spacing=8)
    return _svg(whole.resolve_scale(y="independent"), fit=False)


def _distinct(records: Sequence[Json], name: str) -> list[Any]:
    return list(dict.fromkeys(each[name] for each in records))


def _names(alt: Any, y: str, names: Sequence[str]) -> Any:
    """Return the axis of names, with room for them in any font, because the reader's font is unknown."""
    room = _room(names)
    return alt.Y(f"{y}:N", sort=names, title=None, axis=alt.Axis(minExtent=room, labelLimit=room))


def _room(names: Sequence[str]) -> int:
    return 7 * max(map(len, names), default=0)


def _color(
    alt: Any, records: Sequence[Json], series: str, colors: Sequence[int] = (1, 2, 3, 4), width: int = WIDTH
) -> Any:
    names = _distinct(records, series)
    scale = alt.Scale(domain=names, range=[_SERIES[k - 1] for k in colors[: len(names)]])
    # Several lines of names where one would be wider than what the names of an axis leave.
    longest = max((len(str(name)) for name in names), default=1)
    columns = max(1, width // (7 * longest + 30))
    legend = alt.Legend(title=None, orient="top", symbolType="square", columnPadding=12, columns=columns)
    return alt.Color(f"{series}:N", scale=scale, legend=legend)


def _altair() -> Any:
    import altair

    return altair


def _svg(chart: Any, fit: bool = True) -> str:
    """Return the chart as an element of a page: transparent, in the page's colours."""
    import altair
    import vl_convert

    lined: Any = dict.fromkeys(("gridColor", "domainColor", "tickColor"), _LINE)
    lined |= dict.fromkeys(("labelColor", "titleColor"), _TEXT)
    config = altair.Config(
        background="transparent",
        font=_FONT,
        aria=False,
        axis=altair.AxisConfig(**lined, titleFontWeight="normal", labelFontSize=11, titleFontSize=11),
        mark=altair.MarkConfig(color=_SERIES[0]),
        view=altair.ViewConfig(stroke=None),
        header=altair.HeaderConfig(labelColor=_TEXT, labelFontSize=12),
        legend=altair.LegendConfig(labelColor=_TEXT, labelFontSize=12, labelLimit=220),
    )
    sized: Any = {"autosize": altair.AutoSizeParams(type="fit-x", contains="padding")} if fit else {}
    shown = chart.properties(config=config, **sized)
    version = ".".join(altair.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    # Skip validation of the whole: each part was validated when it was made.
    svg = str(vl_convert.vegalite_to_svg(shown.to_dict(validate=False), vl_version=version))
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, variable)
    return svg
