"""Unrolled: sequences, from n-grams to transformers. The tested library behind the course book.

Start with `unrolled.model`: one interface and one law hold for every model of the book.
"""

__version__ = "0.1.0"
