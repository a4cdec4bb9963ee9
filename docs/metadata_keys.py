"""The metadata keys of each asset: a page of the reference, which tests hold against what runs show."""

OF_EVERY_RANGE = "every partition"

KEYS: dict[str, dict[str, str]] = {
    OF_EVERY_RANGE: {
        "rows": "of the partition; Dagster shows it as the row count too (`dagster/partition_row_count`)",
        "seconds": "how long the partition took",
        "file_bytes": "the size of its Parquet file, where it has one",
    },
    "profiles": {
        "with_audience_engagement with_social_reach with_active_projects with_list_size": (
            "profiles with data for that factor of Momentum"
        ),
        (
            "blank_texts unknown_roles unknown_tiers jv_history_not_a_list numbers_without_meaning "
            "engagement_over_1 texts_without_content texts_in_other_scripts list_size_0 social_reach_0"
        ): ("values that are allowed but irregular, by kind"),
    },
    "profile_embeddings": {
        "embedded_texts distinct_texts": (
            "texts whose vector was written, and how many different ones the model was given"
        ),
        "truncated_texts": "longer than the model reads",
        "current adopted": "unchanged vectors: made from this text, or adopted from before the first run",
        "older_than_edit overwritten": (
            "of the texts to embed: vectors from before the first run whose profile was written to since, and vectors "
            "that another program wrote over ours"
        ),
        "not_finite not_finite_texts": "texts of which the model made a NaN or an infinity, and which ones",
        "cleared": "vectors removed, because the text is gone or too short",
        "edited_meanwhile deleted_meanwhile": (
            "texts edited and profiles deleted during the run; the next run embeds the edited texts"
        ),
        "skipped": "profiles without usable text",
    },
    "match_scores": {
        "scored skipped": "matches that could be scored, and that could not",
        "reused": "of those scored: reused rows, whose inputs and stored row are unchanged",
        "skipped_profile_gone skipped_matched_with_itself": "skipped matches by reason, if there are any",
        "semantic word_overlap": "comparisons of texts by either method; three a match",
        "stored_comparisons stored_word_overlap": (
            "comparisons of texts of which the stored scores name the method, and those of them by word overlap"
        ),
        "null_before": "matches that had no score in production when this was scored",
        "mean p10 p50 p90": "of `harmonic_mean`, 0–100",
        "policy embedding_model": "what the scores were made under and with",
    },
    "published_scores": {
        "written unchanged": "rows that differed from what was stored, and that did not",
        "kept": "had a score, and `only_missing` was asked for",
        "deleted moved": "not written: the match is gone, or names other profiles than when it was scored",
        "overtaken": (
            "not written: reused because production held this score; production has changed since; the next run checks "
            "it again"
        ),
    },
    "embedding_isolation": {
        "mean mean_change_by_embeddings": "of `harmonic_mean`, and how much lower it would be by word overlap alone",
        "random_pairs mean_change_of_random_pairs": (
            "pairs at random that were scored too, and how much lower their mean would be by word overlap alone"
        ),
        "fallback_share": "of the comparisons that were by word overlap, 0–1",
    },
    "momentum_bottleneck": {
        "profiles": "that were counted",
        "momentum_mean momentum_bottleneck_share floor_share": (
            "the mean of Momentum; the share of directions of which it is the lowest; the share of "
            "those with no data at all in it"
        ),
        "lost_intent lost_synergy lost_momentum lost_context": (
            "points of 100 that the dimension costs a direction, on average"
        ),
    },
    "aggregation_comparison": {
        (
            "mean_harmonic_impute mean_harmonic_redistribute mean_geometric_impute "
            "mean_geometric_redistribute mean_arithmetic_impute mean_arithmetic_redistribute"
        ): ("the mean score under each policy"),
    },
    "production_impact": {
        "same policy version new gone": (
            "matches that were scored before under the same policy and version, under another policy,"
            " under another version; that were not scored before; that no longer are"
        ),
        "raised lowered tiers_up tiers_down rescued": (
            "of the first kind: how many moved, changed their tier, or came to 60 and over from below"
        ),
        "since": "the first moment that is compared; until, where it was asked for, is the second",
        "log_begins log_begins_later": (
            "from when on the log of published scores tells what this range held, and whether that is after the first "
            "moment: it is then told by what the last runs replaced"
        ),
        "cause_not_known_any_more": "changed matches whose old inputs are no longer kept",
    },
    "evaluation": {
        "exposed acted dismissed": "matches that somebody saw, acted upon or dismissed",
        "stood": "exposed matches of which a score stood in production when they were seen",
        "unknown_status unmapped_feedback": "words of `status` and `user_feedback` that nobody knows",
        "missing_columns": "columns of `match_suggestions` that could not be read, which count as empty",
    },
    "momentum_options": {
        "json": "where all its numbers are",
        "decision": "the table of options",
        "matches repeats": "that it was made of, and how often each option was drawn",
    },
    "text_robustness": {
        "json": "where all its numbers are",
        "profiles matches": "that were compared again",
        "not_made": "why nothing was measured, if nothing was",
    },
    "diagnostic_report": {
        "page html txt json": "where the report is",
        "matches profiles mean median sd excellent good fair poor": (
            "of `harmonic_mean`, and how many matches are in each tier"
        ),
        "change_by_embeddings": "how much lower the mean would be by word overlap alone",
        "embeddings_beyond_random": "that change, less the change of pairs of profiles at random",
        (
            "fallback_share momentum_bottleneck_share floor_share lost_intent lost_synergy lost_momentum lost_context"
        ): "as above, of all matches",
        "target_share": "the share of the variance of score A→B that the suggested profile explains alone, 0–1",
        "congestion_gini": "how unevenly places in others' best 10 are spread, 0 (evenly) to 1",
        (
            "acted_used acted_positive acted_auc_within acted_low acted_high "
            "feedback_used feedback_positive feedback_auc_within feedback_low feedback_high"
        ): (
            "of `evaluation`, by label: matches with the label, those with label 1, and AUC within profiles of the "
            "current policy with its 95 % interval; of the prospective analysis, once it has matches, the same with "
            "`prospective_` before it"
        ),
        "missing_ranges": "that are not in the report, because they were never made",
        "seconds_profiles seconds_profile_embeddings seconds_match_scores seconds_published_scores": (
            "what each stage took, all ranges together, when each was last made"
        ),
        "embedded_texts rows_written without_a_score": (
            "what was embedded and written then, and how many matches had no score"
        ),
    },
    "match_candidates": {
        "profiles": "of the partition that have candidates",
        "mean_value": "of the candidates' `harmonic_mean`, 0–100",
        "stored stale_deleted": (
            "rows of the partition written to `jv.match_candidates`, and rows of earlier runs deleted there"
        ),
        "not_stored": "why nothing was written there",
        "search_seconds": "of the whole run: how long the search took, without reading and writing",
        "profiles_changed": (
            "of the whole run: profiles that changed since the lists that it updated; missing if it searched all pairs"
        ),
        "pairs_possible pairs_looked_at share_looked_at": (
            "of the whole run: candidate pairs, those that went into matrix products, and their share, 0–1"
        ),
        "share_suggested": (
            "of the whole run: of each profile's best pairs among all pairs, the share that exists as matches, 0–1"
        ),
        "gini": "of the whole run: how unevenly eligible profiles are named: 0 all alike, towards 1 a few alone",
        "policy embedding_model as_of": "what the values were made under and with, and the age of their oldest input",
    },
    "candidate_allocation": {
        "rows cap": "accepted pairs, and in how many of them a profile may be",
        "mean_value": "of the accepted pairs' `harmonic_mean`, 0–100",
        "gini": "how unevenly eligible profiles are named: 0 all alike, towards 1 a few alone",
        "list_length ran_out": (
            "above 20,000 profiles: candidates of each that it ranged over, and how many profiles ran out of theirs"
        ),
        "allocation_seconds": "how long it took, without reading and writing",
        "stored not_stored": (
            "rows of `jv.match_candidates` that were written with their `accepted`, or why nothing was written there"
        ),
        "policy embedding_model as_of": "what the values were made under and with, and the age of their oldest input",
        "file_bytes": "the size of its Parquet file",
    },
    "similarity_calibration": {
        "json": "where the file with all figures is",
        "steps": "a table of the steps in force beside the proposed ones",
        "embedding_model profiles": "the measured model, and how many profiles were drawn",
        "offering_seeking_pairs audience_alignment_pairs": "random pairs of each factor",
        "offering_seeking_mean audience_alignment_mean": "the mean cosine of random pairs",
        "offering_seeking_first_step_rate audience_alignment_first_step_rate": (
            "the share of random pairs that reach the lowest step in force, 0–1"
        ),
        "offering_seeking_labels audience_alignment_labels": "matches whose outcome and cosine are known",
        "offering_seeking_drift audience_alignment_drift": (
            "the greatest difference from the last measurement's distribution, 0–1"
        ),
        "offering_seeking_auc_random_pairs audience_alignment_auc_random_pairs": (
            "how often a paraphrase has a higher cosine than a random pair, 0–1"
        ),
        "offering_seeking_auc_near_misses audience_alignment_auc_near_misses": (
            "how often a paraphrase has a higher cosine than a near miss, 0–1"
        ),
    },
    "trial_scores": {
        "trials": "trials that go on",
        "criteria_pass criteria_fail criteria_not_enough": "criteria of all trials by their state",
        "criteria": "a table of each criterion, its figures and its state",
    },
    "top_matches": {
        "csv": "where the file is",
        "without_score not_scorable": "matches left out: without a score, and scored once but never again",
        "best_score least_score": "of those in it",
    },
}
"""By asset: keys, with blanks between, and what they say. Those of charts are their questions, and not here."""
