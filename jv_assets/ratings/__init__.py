"""Ratings by people: a blind sheet of pairs is drawn, rated in a browser, and loaded. The analysis is in jv_scoring."""
