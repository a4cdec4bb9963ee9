"""Make the reference pages from the code when the site is built, so that they always match the code."""

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.metadata_keys import KEYS, OF_EVERY_RANGE
from jv_assets import settings
from jv_assets.cli import app
from jv_assets.definitions import defs

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
COMMITS = 4
"""How many of the last results the page has, beside each other."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs: add the pages."""
    for name, lines in (
        ("cli", cli()),
        ("configuration", configuration()),
        ("assets", assets()),
        ("metadata", metadata()),
        ("benchmarks", benchmarks()),
    ):
        files.append(File.generated(config, f"reference/{name}.md", content="\n".join(lines)))
    return files


def cli() -> Iterator[str]:
    """Every command with its arguments and options, as `--help` has them."""
    yield "# The command line\n"
    yield "Exit code 0: all is done. 1: a range failed. 2: a wrong call, or a database that cannot be used.\n"
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        arguments = [_argument(each) for each in command.params if each.param_type_name == "argument"]
        yield f"## jv {name}\n"
        yield f"    jv {' '.join([name, *arguments, '[OPTIONS]'])}\n"
        yield f"{inspect.cleandoc(command.help)}\n"
        rows = [(f"`{_flag(each)}`", each.help or "", _default(each)) for each in command.params]
        yield from _table(("", "", "default"), rows)


def configuration() -> Iterator[str]:
    """Every environment variable that `jv_assets.settings` reads, in the words of the function that reads it."""
    yield "# Configuration\n"
    yield "All of it is in the environment, where every process must see the same. A value that cannot be is refused in"
    yield "one line, which says what can be.\n"
    yield "| Variable | |\n|---|---|"
    for _, function in inspect.getmembers(settings, inspect.isfunction):
        words = " ".join((function.__doc__ or "").split())
        if found := re.match(r"`(JV_\w+)`(.*)", words):
            yield f"| `{found[1]}` | {_cell(found[2].lstrip(':; '))} |"


def assets() -> Iterator[str]:
    """Every asset with its checks, jobs, schedules and sensors, as the Dagster UI has them."""
    graph, repository = defs.resolve_asset_graph(), defs.get_repository_def()
    yield "# Assets, checks, jobs\n"
    yield "The Dagster UI shows the same on the page of each.\n"
    for key in graph.toposorted_asset_keys:
        node = graph.get(key)
        yield f"## {key.to_user_string()}\n\n{(node.description or '').strip()}\n"
        yield from _table(("", ""), _summary(node))
        if config := _config(repository, node):
            yield f"Config:\n\n{config}\n"
        schema = node.metadata.get("dagster/column_schema")
        if schema:
            yield "Columns:\n"
            rows = [(f"`{column.name}`", column.type, column.description or "") for column in schema.columns]
            yield from _table(("", "type", ""), rows)
        checks = [graph.get(check) for check in sorted(graph.get_check_keys_for_assets({key}))]
        if checks:
            yield "Checks:\n"
            rows = [(f"`{check.key.name}`", "stops the run" if check.blocking else "warns", check.description or "")
                    for check in checks]  # fmt: skip
            yield from _table(("", "", ""), rows)
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    groups: list[tuple[str, Iterable[Any]]] = [
        ("Jobs", jobs),
        ("Schedules", repository.schedule_defs),
        ("Sensors", repository.sensor_defs),
    ]
    for title, members in groups:
        yield f"## {title}\n"
        rows = [(f"`{each.name}`", each.description) for each in sorted(members, key=lambda each: each.name)]
        yield from _table(("", ""), rows)


def metadata() -> Iterator[str]:
    """The metadata keys of every asset."""
    yield "# Metadata keys\n"
    yield "The metadata of each materialization; the UI plots the numbers over the nights. A partitioned asset has"
    yield f"its own keys and those of *{OF_EVERY_RANGE}* for each partition. `diagnostic_report` also has five"
    yield "charts, under the questions that they answer.\n"
    for asset, keys in KEYS.items():
        yield f"## {asset}\n"
        rows = [(", ".join(f"`{name}`" for name in names.split()), meaning) for names, meaning in keys.items()]
        yield from _table(("", ""), rows)


def benchmarks() -> Iterator[str]:
    """What `make bench` and `make bench-large` measured, by commit."""
    yield "# Benchmarks\n"
    yield "What `make bench` and `make bench-large` printed, as they keep it in `benchmarks/results`, the newest first."
    yield "Machines differ, and one differs from day to day: compare ratios, and seconds within one column.\n"
    for title, large in (("make bench", False), ("make bench-large", True)):
        paths = [path for path in RESULTS.glob("*.json") if path.stem.endswith("-large") == large]
        results = sorted((json.loads(path.read_text(encoding="utf-8")) for path in paths), key=lambda each: each["at"])
        results = results[: -COMMITS - 1 : -1]
        if not results:
            continue
        figures = [_by_name(result["rows"]) for result in results]
        heads = ["", "target", "", *(f"{result['commit']}, {result['at'][:10]}" for result in results)]
        yield f"## {title}\n"
        yield from _table(
            heads,
            [
                (row["name"], row["target"] or "", row["unit"], *(_value(each.get(name)) for each in figures))
                for name, row in figures[0].items()
            ],
        )


def _by_name(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """A name that begins with "…" is told from the same one elsewhere by the last name before it that does not."""
    named, above = {}, ""
    for row in rows:
        above = above if row["name"].startswith("…") else row["name"]
        named[above, row["name"]] = row
    return named


def _value(row: Mapping[str, Any] | None) -> str:
    """Return a figure with three digits or more, and without an exponent: 349,000, not 3.49e+05."""
    if not row:
        return ""
    value = float(f"{row['value']:.3g}")
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.6f}".rstrip("0").rstrip(".")


def _summary(node: Any) -> Iterator[tuple[str, str]]:
    parents = [f"[{key.to_user_string()}](#{_anchor(key)})" for key in sorted(node.parent_keys)]
    yield "made from", ", ".join(parents) or "nothing of the pipeline's"
    yield "group, kinds", ", ".join([node.group_name, *sorted(node.kinds)])
    yield "owner", ", ".join(node.owners)
    yield "cut into ranges", "yes" if node.partitions_def else "no"


def _config(repository: Any, node: Any) -> str:
    """The docstring of the asset's config, with every field in it."""
    if not node.is_executable or not node.is_materializable:
        return ""
    function = node.assets_def.op.compute_fn.decorated_fn
    for parameter in inspect.signature(function).parameters.values():
        if inspect.isclass(parameter.annotation) and issubclass(parameter.annotation, dg.Config):
            fields = [f"`{name}` ({field.default!r})" for name, field in parameter.annotation.model_fields.items()]
            return (
                f"{inspect.cleandoc(parameter.annotation.__doc__ or '')}\n\nWith their defaults: {', '.join(fields)}."
            )
    return ""


def _argument(argument: Any) -> str:
    return str(argument.metavar or argument.name.removesuffix("_id").upper())


def _flag(param: Any) -> str:
    if param.param_type_name == "argument":
        return _argument(param)
    value = "" if param.is_flag else f" {param.metavar or param.type_descriptor.annotation.__name__.upper()}"
    return f"{', '.join(param.opts)}{value}"


def _default(param: Any) -> str:
    return "" if param.default in (None, False) else str(param.default)


def _anchor(key: dg.AssetKey) -> str:
    return "".join(key.path)


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    lines = [f"| {' | '.join(_cell(str(cell)) for cell in row)} |" for row in rows]
    if lines:
        heads = list(heads)
        yield "\n".join([f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *lines, ""])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
