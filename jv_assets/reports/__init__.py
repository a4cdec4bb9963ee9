"""The diagnostic report: from the tallies of all partitions to numbers, and from numbers to a page and a text.

`tallies` stores and merges them. `numbers` makes the one dict that everything is shown from. Modules named after an
asset turn it into sections, and `page` and `text` show these. Altair and vl-convert are imported only to draw.
"""
