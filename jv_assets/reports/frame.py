"""The frame of all our HTML pages: it loads nothing from elsewhere and runs nothing."""

_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}</body>
</html>
"""


def framed(title: str, style: str, body: str) -> str:
    """Return the page. `title` and `body` are HTML; text of others is escaped."""
    return _FRAME.format(title=title, style=style, body=body)
