"""The command line: verbs, each a few lines over a Python call.

Exit codes: 0 ok, 1 internal error, 2 usage, 3 bad input or recipe, 4 gate failed, 5 damaged or forged,
6 missing extra, 7 resource or time limit, 130 interrupted.
"""
