"""Named trainings: what takes longer than a chapter has, one command each.

    python -m unrolled.trainings.NAME --help

A chapter loads what the command made, and says what it cost. Nothing below imports from here.
"""
