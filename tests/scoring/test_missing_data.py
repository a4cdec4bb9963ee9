"""What missing data costs each profile: what raising it in the waterfall gives, in a plain loop over breakdowns."""

from collections import defaultdict
from typing import Any

import pandas as pd
import pytest

from jv_scoring import POLICIES
from jv_scoring.analysis.missing_data import COLUMNS, costliest, costs
from jv_scoring.analysis.stored import GROUPS
from jv_scoring.analysis.waterfall import BEST
from jv_scoring.factors import NO_DATA
from jv_scoring.policy import DIMENSION_WEIGHTS, DIMENSIONS, aggregate
from jv_scoring.reference import score_pair, weighted_mean
from tests.support.score_rows import population, scored_rows

LACKS = {
    "Audience Engagement": "audience_engagement_score", "Social Reach": "social_reach",
    "Active Projects": "current_projects", "List Size": "list_size", "JV History": "jv_history",
    "Booking Link": "booking_link", "Website": "website", "Revenue Known": "revenue_tier",
    "Contact Available": "contact",
}  # fmt: skip
SAID = ("0 past partnerships", "No booking link", "No website", "Revenue tier unknown", "No contact", NO_DATA)
COUNTED = ("profile_investment", "profile_completeness", "enrichment_quality")


def plain(seed: int) -> dict[str, dict[str, list[float]]]:
    """By target and field, what each of its directions loses, under harmonic/impute."""
    profiles, places = population(seed, 5)
    tops = {n: weighted_mean([BEST[f.column] for f in g], [f.weight for f in g]) for n, g in GROUPS.items()}
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for a, b in places:
        scored = score_pair(profiles[a], profiles[b])
        for target, breakdown in ((b, scored.breakdown_ab), (a, scored.breakdown_ba)):
            of_target = found[f"p{target}"]
            of_target["all"].append(0)
            scores = {name: breakdown[name]["score"] for name in DIMENSIONS}
            whole = aggregate(list(tops.values()), "harmonic") - aggregate(list(scores.values()), "harmonic")
            parts = {n: DIMENSION_WEIGHTS[n] * max(0, 1 / scores[n] - 1 / tops[n]) for n in DIMENSIONS}
            for name, group in GROUPS.items():
                factors = list(zip(group, breakdown[name]["factors"], strict=True))
                short = [f.weight * max(0, BEST[f.column] - of["score"]) for f, of in factors]
                for (factor, of), part in zip(factors, short, strict=True):
                    field = factor.column if factor.column in COUNTED else LACKS.get(factor.name, "")
                    if field and sum(short) and (field in COUNTED or of["detail"] in SAID):
                        of_target[field].append(whole * parts[name] / sum(parts.values()) * part / sum(short))
    return found


@pytest.mark.parametrize("seed", [1, 7])
def test_each_profile_costs_what_a_plain_loop_gives(seed: int) -> None:
    rows = scored_rows(*population(seed, 5))
    pieces = [costs(rows.iloc[:3]), costs(rows.iloc[3:]), costs(rows.iloc[:0])]
    found = costliest(pieces[2] + pieces[1] + pieces[0], 100)
    assert found.equals(costliest(costs(rows[COLUMNS]), 100))
    expected = plain(seed)
    assert len(found) == len(expected)
    for row in found.to_dict("records"):
        of: Any = expected[row["profile_id"]]
        assert row["directions"] == len(of["all"])
        for field in (*LACKS.values(), *COUNTED):
            assert row[f"lost_by_{field}"] == pytest.approx(sum(of[field]) / len(of["all"]), abs=2e-3), field
        assert row["points_lost"] == pytest.approx(sum(map(sum, of.values())) / len(of["all"]), abs=0.01)
    whole = found["points_lost"] * found["directions"]
    assert whole.is_monotonic_decreasing


def test_the_top_is_taken_and_complete_profiles_are_left_out() -> None:
    rows = scored_rows(*population(3))
    assert len(costliest(costs(rows), 2)) == 2
    assert costliest(costs(rows.iloc[:0]), 5).empty
    complete = pd.DataFrame([dict.fromkeys(COLUMNS, 10.0)]).assign(
        policy=next(iter(POLICIES)), profile_id="a", suggested_profile_id="b"
    )
    assert costliest(costs(complete), 5).empty
