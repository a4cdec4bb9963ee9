"""The page of a rating sheet: one file that loads and sends nothing, and hides the source of each pair."""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from string import Template
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from jv_assets.errors import UserError
from jv_assets.ratings.drawing import Sheet
from jv_assets.resources.database import Database
from jv_assets.tables import selected

SHOWN = {
    "what_you_do": "What they do",
    "who_you_serve": "Whom they serve",
    "offering": "Offering",
    "seeking": "Seeking",
    "niche": "Niche",
    "audience_type": "Audience",
    "signature_programs": "Programs",
    "current_projects": "Current projects",
    "list_size": "List size",
    "social_reach": "Social reach",
    "revenue_tier": "Revenue tier",
    "bio": "About",
}
"""By column of a profile, its name on the sheet. Addresses are left out, because a rater does not need them."""
_PROFILES = (
    f"SELECT id::text, {selected('profiles', ('name', *SHOWN))} FROM profiles WHERE id = ANY(CAST(:ids AS uuid[]))"  # noqa: S608
)


def read_profiles(database: Database, sheet: Sheet) -> Mapping[str, Mapping[str, Any]]:
    """Return, by id, what the page shows of each profile, as it is now. UserError if one was deleted meanwhile."""
    ids = sorted({name for pair in sheet.pairs for name in (pair.profile_id, pair.candidate_id)})

    def work(connection: Connection) -> dict[str, Mapping[str, Any]]:
        return {row["id"]: _profile(row) for row in connection.execute(text(_PROFILES), {"ids": ids}).mappings()}

    profiles = database.run(work)
    if gone := len(ids) - len(profiles):
        raise UserError(
            f"{gone:,} profiles that were drawn are gone from the database; type: jv rescore, then jv discover"
        )
    return profiles


def to_html(sheet: Sheet, profiles: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page of a sheet; `profiles` as `read_profiles` returns them."""
    pairs = [
        {"pair": pair.pair, "a": profiles[pair.profile_id], "b": profiles[pair.candidate_id]} for pair in sheet.pairs
    ]
    script = _resource("sheet.js")
    return Template(_resource("sheet.html")).substitute(
        sheet=sheet.name,
        # This is inside of a script element, which nothing in the data may end.
        data=json.dumps({"name": sheet.name, "pairs": pairs}).replace("<", "\\u003c"),
        script=script,
        script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
    )


def _profile(row: RowMapping) -> Mapping[str, Any]:
    fields = [(name, str(row[column])) for column, name in SHOWN.items() if row[column] not in (None, "", "0")]
    return {"name": row["name"] or "(no name)", "fields": fields}


def _resource(name: str) -> str:
    return files("jv_assets.ratings").joinpath(name).read_text(encoding="utf-8")
