"""The cut of the partitions as it is kept in the schema jv."""

from jv_assets.partition_cut import Cut, equal_cut
from jv_assets.resources.database import Database


def read_cut(database: Database, count: int) -> Cut:
    """Return the cut into `count` partitions; tables that were never cut on purpose have partitions of equal width."""
    return equal_cut(count)
