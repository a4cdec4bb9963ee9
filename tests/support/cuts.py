"""The partitions that tests have by default: all of the same width."""

from jv_assets.partition_cut import equal_width
from jv_assets.partitions import ID_RANGES

_CUT = equal_width(len(ID_RANGES.get_partition_keys()))
bounds, key_of = _CUT.bounds, _CUT.key_of
