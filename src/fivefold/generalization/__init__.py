"""Whether the model holds away from its training data."""
