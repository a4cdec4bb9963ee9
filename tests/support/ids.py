"""Ids as other databases have them: v1 of one node, v7 of one year."""

from uuid import UUID, uuid1

V1_START, V7_START = 138_000_000_000_000_000, 1_700_000_000_000
"""In November 2023: units of 100 ns since 1582, and milliseconds since 1970."""


def v1(ticks: int) -> int:
    """Of one node and one clock, `ticks` units of 100 ns after the start: all end alike."""
    at = V1_START + ticks
    fields = uuid1(node=0x0242AC110002, clock_seq=77).fields
    return UUID(fields=(at & 0xFFFFFFFF, at >> 32 & 0xFFFF, at >> 48 & 0xFFF | 0x1000, *fields[3:])).int


def v7(milliseconds: int, rest: int) -> int:
    """As RFC 9562 has it: 48 bits of time, the version, 12 random bits, the variant, 62 random bits."""
    high, low = rest >> 62 & 0xFFF, rest & (2**62 - 1)
    return V7_START + milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low
