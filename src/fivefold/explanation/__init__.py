"""Why the model answers as it does."""
