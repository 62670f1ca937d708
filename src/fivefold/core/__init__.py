"""The nouns every floor speaks: examples, models, steps, probes, evidence."""
