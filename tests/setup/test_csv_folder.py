"""Reading the two tables from CSV files: all of it is right, or every error is named."""

import csv
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jv_assets.errors import UserError
from jv_assets.setup.loading import CsvErrors, read_csv_folder

ID = "0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9"
OTHER = "1b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9"
PROFILES = f"id,name\n{ID},Kelsol\n"
MATCHES = "id,profile_id,suggested_profile_id\n"


def write(folder: Path, profiles: str | bytes = PROFILES, matches: str | bytes = MATCHES) -> Path:
    for name, text in (("profiles.csv", profiles), ("match_suggestions.csv", matches)):
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def errors_of(folder: Path) -> list[tuple[str, int, str, str]]:
    with pytest.raises(CsvErrors) as raised:
        read_csv_folder(folder)
    assert raised.value.count == len(raised.value.errors)
    return [(error.file, error.line, error.column, error.reason) for error in raised.value.errors]


def one_profile(folder: Path, **cells: str) -> Path:
    row = {"id": ID, "name": "Kelsol"} | cells
    with (folder / "profiles.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    (folder / "match_suggestions.csv").write_text(MATCHES)
    return folder


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("bio", "", None),
        ("bio", "  ", "  "),
        ("bio", "多 – ünï\nnext line", "多 – ünï\nnext line"),
        ("id", ID.upper(), ID),
        ("list_size", "-12", -12),
        ("social_reach", " 2147483647 ", 2147483647),
        ("audience_engagement_score", "5e-1", 0.5),
        ("audience_engagement_score", "Infinity", math.inf),
        ("tags", '["a", "b, c"]', ["a", "b, c"]),
        ("tags", "[]", []),
        ("jv_history", '[{"year": 2024, "ok": true}]', [{"year": 2024, "ok": True}]),
        ("jv_history", '"a string"', "a string"),
        ("content_platforms", '{"blog": "\\u00e9\\ud83d\\ude42"}', {"blog": "é🙂"}),
        ("created_at", "2026-02-17 21:04:11.5+00", datetime(2026, 2, 17, 21, 4, 11, 500_000, UTC)),
        ("created_at", "2026-02-17T23:04:11+02:00", datetime(2026, 2, 17, 21, 4, 11, 0, UTC)),
    ],
)
def test_a_cell_becomes_what_its_column_holds(tmp_path: Path, column: str, cell: str, value: Any) -> None:
    assert read_csv_folder(one_profile(tmp_path, **{column: cell})).profiles[column].tolist() == [value]


def test_not_a_number_is_a_number_that_the_rules_know(tmp_path: Path) -> None:
    (value,) = read_csv_folder(one_profile(tmp_path, audience_engagement_score="NaN")).profiles[
        "audience_engagement_score"
    ]
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("id", "0b1c2d3e", "not a uuid: '0b1c2d3e'"),
        ("id", "", "empty, but must be there"),
        ("name", "", "empty, but must be there"),
        ("bio", "a\0b", "NUL"),
        ("list_size", "12k", "not a whole number: '12k'"),
        ("list_size", "1.5", "not a whole number"),
        ("list_size", "2147483648", "beyond what an integer column holds"),
        ("list_size", "9" * 5000, "not a whole number: '9999999999999999999999999999999999999999…'"),
        ("audience_engagement_score", "0,5", "not a number: '0,5'"),
        ("audience_engagement_score", "1_0", "not a number"),
        ("audience_engagement_score", "1e999", "beyond what a double precision column holds"),
        ("tags", "{a,b}", 'such as ["a", "b"]'),
        ("tags", '["a", 1]', "a JSON list of strings"),
        ("tags", '["a\\u0000"]', "NUL"),
        ("jv_history", "[{", "not JSON: Expecting property name"),
        ("jv_history", "[NaN]", "not JSON: NaN is not a JSON value"),
        ("jv_history", "[1e999]", "not JSON: too large a number"),
        ("jv_history", '{"a\\u0000b": 1}', "NUL"),
        ("jv_history", '["\\ud800"]', "half a surrogate pair"),
        ("jv_history", "[" * 100_000, "nested too deep"),
        ("jv_history", "[" * 500 + "]" * 500, "nested too deep"),
        ("created_at", "yesterday", "not a timestamp such as"),
        ("created_at", "2026-02-30 10:00:00+00", "not a timestamp such as"),
        ("created_at", "2026-02-17 21:04:11", "without its offset from UTC"),
    ],
)
def test_a_bad_cell_is_named_with_its_reason(tmp_path: Path, column: str, cell: str, reason: str) -> None:
    ((file, line, where, why),) = errors_of(one_profile(tmp_path, **{column: cell}))
    assert (file, line, where) == ("profiles.csv", 2, column)
    assert reason in why
    assert "\n" not in why


@pytest.mark.parametrize("cell", ["1000", "63.271", "NaN", "Infinity", "x", "-1000", "1_0"])
def test_a_match_score_has_two_decimals(tmp_path: Path, cell: str) -> None:
    header = MATCHES.strip() + ",match_score\n"
    write(tmp_path, matches=f"{header}{ID},{ID},{OTHER},63.270\n{OTHER},{ID},{OTHER},{cell}\n")
    ((file, line, column, _),) = errors_of(tmp_path)
    assert (file, line, column) == ("match_suggestions.csv", 3, "match_score")


def test_the_line_is_the_one_in_the_file(tmp_path: Path) -> None:
    """Cells and rows may span lines, lines may end in either way, and there may be blank ones."""
    profiles = (
        "\ufeffid,name,list_size,bio\r\n"
        f'{ID},Kelsol,1,"three\nlines\r\nof text"\r\n'
        "\r\n"
        f"{OTHER},Mavdor,many,short\r\n"
        f'2{ID[1:]},"two\nlines",more,short'
    )
    found = errors_of(write(tmp_path, profiles))
    assert [(line, column) for _, line, column, _ in found] == [(6, "list_size"), (7, "list_size")]


def test_every_error_of_both_files_is_told_at_once(tmp_path: Path) -> None:
    profiles = f"id,name,list_size\n{ID},Kelsol,x\n{ID},,7\n{OTHER},Mavdor\n"
    matches = f"{MATCHES}{ID},{ID},\n{ID},x,{OTHER}\n"
    assert errors_of(write(tmp_path, profiles, matches)) == [
        ("profiles.csv", 2, "list_size", "not a whole number: 'x'"),
        ("profiles.csv", 3, "name", "empty, but must be there"),
        ("profiles.csv", 3, "id", "the same id as in line 2"),
        ("profiles.csv", 4, "", "2 cells, but the header has 3"),
        ("match_suggestions.csv", 2, "suggested_profile_id", "empty, but must be there"),
        ("match_suggestions.csv", 3, "profile_id", "not a uuid: 'x'"),
        ("match_suggestions.csv", 3, "id", "the same id as in line 2"),
    ]


def test_errors_are_counted_but_not_all_kept(tmp_path: Path) -> None:
    write(tmp_path, "id,name\n" + "x,Kelsol\n" * 5000)
    with pytest.raises(
        CsvErrors, match=r"^nothing was loaded: profiles.csv, line 2, column id: .* \(and 4,999 more\)$"
    ) as e:
        read_csv_folder(tmp_path)
    assert (e.value.count, len(e.value.errors)) == (5000, 100)
    assert str(e.value.errors[1]) == "profiles.csv, line 3, column id: not a uuid: 'x'"


def test_another_separator_is_named(tmp_path: Path) -> None:
    for separator, name in ((";", '";"'), ("\t", "a tab"), ("|", '"|"')):
        header = separator.join(("id", "name", "bio"))
        ((file, line, where, why),) = errors_of(write(tmp_path, f"{header}\n"))
        assert (file, line, where) == ("profiles.csv", 1, "")
        assert why == f"the separator looks like {name}; save the file with commas between the cells"
        ((_, line, _, why),) = errors_of(write(tmp_path, f"sep={separator}\n{header}\n"))
        assert line == 2
        assert f"looks like {name};" in why
        quoted = separator.join(('"id"', '"name"', '"bio"'))
        ((_, _, _, why),) = errors_of(write(tmp_path, f"{quoted}\n"))
        assert f"looks like {name};" in why


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("ID;Name;Bio", '";"'),
        ("id; name", '";"'),
        ("id;nmae", '";"'),
        ("id:name:bio", '":"'),
        ("id name bio", "a blank"),
    ],
)
def test_another_separator_is_named_whatever_the_names_are(tmp_path: Path, header: str, name: str) -> None:
    ((_, line, where, why),) = errors_of(write(tmp_path, f"{header}\n"))
    assert (line, where) == (1, "")
    assert why == f"the separator looks like {name}; save the file with commas between the cells"


def test_blanks_in_a_header_with_commas_are_no_separator(tmp_path: Path) -> None:
    found = errors_of(write(tmp_path, "id, name, bio\n"))
    assert {why for *_, why in found if "unknown" not in why} == {"column missing in the header row"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_utf_16_is_named(tmp_path: Path, encoding: str, separator: str) -> None:
    """Excel's "Unicode text" is that, with tabs."""
    ((_, line, where, why),) = errors_of(write(tmp_path, PROFILES.replace(",", separator).encode(encoding)))
    assert (line, where, why) == (1, "", "the file looks like UTF-16; save the file as UTF-8")


def test_the_line_by_which_excel_names_the_separator_is_skipped(tmp_path: Path) -> None:
    plain = read_csv_folder(write(tmp_path))
    named = read_csv_folder(write(tmp_path, f"sep=,\n{PROFILES}", f"sep=,\r\n{MATCHES}"))
    assert named.profiles.equals(plain.profiles)
    assert list(named.profiles["id"]) == [ID]


@pytest.mark.parametrize(
    ("header", "column", "reason"),
    [
        ("id,name,nmae", "nmae", "unknown column"),
        ("id,name,", "", "unknown column"),
        ("id,name,bio,bio", "bio", "there twice"),
        ("id,bio", "name", "missing in the header"),
        ("id,name,embedding_seeking", "embedding_seeking", "remove the column"),
        ("id,name,embeddings_model", "embeddings_model", "remove the column"),
        ("id,name,embeddings_updated_at", "embeddings_updated_at", "remove the column"),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: str, column: str, reason: str) -> None:
    ((file, line, where, why),) = errors_of(write(tmp_path, f"{header}\n"))
    assert (file, line, where) == ("profiles.csv", 1, column)
    assert reason in why


@pytest.mark.parametrize("column", ["score_ab", "score_ba", "harmonic_mean", "match_context"])
def test_scores_are_not_loaded(tmp_path: Path, column: str) -> None:
    ((_, line, where, why),) = errors_of(write(tmp_path, matches=f"{MATCHES.strip()},{column}\n"))
    assert (line, where) == (1, column)
    assert "remove the column" in why


def test_what_is_not_csv_in_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    ((_, line, _, why),) = errors_of(write(tmp_path, b"id,name\n" + ID.encode() + b",K\xe4the\n"))
    assert (line, why) == (2, "not UTF-8: byte 0xe4; save the file as UTF-8")
    ((_, line, _, why),) = errors_of(write(tmp_path, f'{PROFILES}{OTHER},"never closed\n'))
    assert line == 3
    assert "not CSV" in why
    found = errors_of(write(tmp_path, ""))
    assert [(line, column) for _, line, column, _ in found] == [(1, "id"), (1, "name")]


def test_a_missing_file_is_one_line_that_names_it(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "match_suggestions.csv").unlink()
    with pytest.raises(UserError, match=r"match_suggestions\.csv: No such file or directory; the folder must hold .*$"):
        read_csv_folder(tmp_path)


def test_a_match_may_name_a_profile_that_is_gone(tmp_path: Path) -> None:
    write(tmp_path, matches=f"{MATCHES}{ID},{ID},{OTHER}\n")
    population = read_csv_folder(tmp_path)
    assert population.matches["suggested_profile_id"].tolist() == [OTHER]
    assert population.matches["harmonic_mean"].tolist() == [None]


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    bio = "word " * 100_000
    folder = one_profile(tmp_path, bio=bio, enrichment_metadata=json.dumps({"text": bio}))
    population = read_csv_folder(folder)
    assert population.profiles["bio"].tolist() == [bio]
    assert population.profiles["enrichment_metadata"].tolist() == [{"text": bio}]
