"""The diagnostic report: from the tallies of all ranges to numbers, and from numbers to a page and a text.

`tallies` keeps and merges, `numbers` makes the one dict that everything shown comes from, the modules named after a
question turn it into sections, and `page` and `text` show these. Altair and vl-convert are imported only to draw.
"""
