"""The metadata keys that the reference lists, by asset."""

from docs.metadata_keys import KEYS, OF_EVERY_RANGE


def documented(asset: str) -> set[str]:
    return {name for names in KEYS[asset] for name in names.split()}


def undocumented(asset: str, shown: set[str]) -> set[str]:
    """What differs between the keys that an asset showed and those of the reference."""
    every = {*documented(OF_EVERY_RANGE), "dagster/partition_row_count"}
    return (shown - every) ^ (documented(asset) - every)
