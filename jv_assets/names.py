"""The names of our assets and jobs, each spelled once. An asset, its module and its page share the name."""

PROFILES = "profiles"
PROFILE_EMBEDDINGS = "profile_embeddings"
MATCH_SCORES = "match_scores"
PUBLISHED_SCORES = "published_scores"

EMBEDDING_ISOLATION = "embedding_isolation"
MOMENTUM_BOTTLENECK = "momentum_bottleneck"
AGGREGATION_COMPARISON = "aggregation_comparison"
MOMENTUM_OPTIONS = "momentum_options"
TEXT_ROBUSTNESS = "text_robustness"
PRODUCTION_IMPACT = "production_impact"
EVALUATION = "evaluation"
DIAGNOSTIC_REPORT = "diagnostic_report"
TOP_MATCHES = "top_matches"

MATCH_CANDIDATES = "match_candidates"
CANDIDATE_ALLOCATION = "candidate_allocation"
SIMILARITY_CALIBRATION = "similarity_calibration"
TRIAL_SCORES = "trial_scores"

ASSETS = (
    *(PROFILES, PROFILE_EMBEDDINGS, MATCH_SCORES, PUBLISHED_SCORES),
    *(EMBEDDING_ISOLATION, MOMENTUM_BOTTLENECK, AGGREGATION_COMPARISON, MOMENTUM_OPTIONS, PRODUCTION_IMPACT),
    *(TEXT_ROBUSTNESS, EVALUATION, DIAGNOSTIC_REPORT, TOP_MATCHES, MATCH_CANDIDATES, CANDIDATE_ALLOCATION),
    *(SIMILARITY_CALIBRATION, TRIAL_SCORES),
)


class Group:
    """The groups of the assets, in the order in which the asset graph's arrows run from one to the next."""

    PRODUCTION = "production"
    PREPARE = "prepare"
    SCORE = "score"
    PUBLISH = "publish"
    DISCOVER = "discover"
    REPORTS = "reports"


GROUPS = (Group.PRODUCTION, Group.PREPARE, Group.SCORE, Group.PUBLISH, Group.DISCOVER, Group.REPORTS)


class Job:
    """The names of the jobs. They stand in Dagster's database, so a new name would lose the runs of the old one."""

    RESCORE = "rescore"
    EMBED = "embed"
    REFRESH = "refresh"
    NIGHTLY = "nightly"
    REPORT = "report"
    DISCOVER = "discover"
    CALIBRATE = "calibrate"
    UNDO = "undo"
    PURGE = "forget"


PUT_BACK = "put_back"
"""The op of the job `undo`: Dagster takes no op with the name of a job."""
JOBS = (Job.RESCORE, Job.EMBED, Job.REFRESH, Job.NIGHTLY, Job.REPORT, Job.DISCOVER, Job.CALIBRATE, Job.UNDO,
        Job.PURGE)  # fmt: skip
