"""Draw some of the report's charts as small pictures, for the metadata on Dagster's pages."""

import re
import struct
import zlib
from base64 import b64encode

from jv_assets.reports.figures import Section
from jv_assets.reports.frame import light_colors

PICTURED = (
    "How are match scores distributed, with and without embeddings?",
    "Where are the points lost?",
    "How many matches would be in each tier?",
    "Which single field is worth most?",
    "How evenly are places in others' best 10 spread?",
)
"""The questions of those charts."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def pictures(sections: list[Section]) -> dict[str, str]:
    """Return, by question, Markdown with the picture; charts that the report lacks are left out."""
    figures = {figure.question: figure for section in sections for figure in section.figures}
    images = {}
    for question in PICTURED:
        draw = figures[question].draw if question in figures else None
        if draw:
            images[question] = f"![{question}](data:image/png;base64,{b64encode(png(draw())).decode()})"
    return images


def png(svg: str) -> bytes:
    """Return a chart in its light colours on white, for any background."""
    import vl_convert

    colors = light_colors()
    svg = re.sub(r"var\((--[\w-]+)\)", lambda match: colors[match[1]], svg)
    start = svg.index(">") + 1
    white = f'<rect width="100%" height="100%" fill="{colors["--page"]}"/>'
    svg = svg[:start].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + white + svg[start:]
    return _packed(bytes(vl_convert.svg_to_png(svg)))


def _packed(data: bytes) -> bytes:
    """Return a PNG with its pixels compressed as far as possible, a third of the converter's size."""
    at, pixels, chunks = len(_SIGNATURE), b"", []
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        at += 12 + size
        if kind == b"IDAT":
            pixels += body
        else:
            chunks.append((kind, body))
    chunks.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
