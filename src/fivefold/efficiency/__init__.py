"""What the model costs to keep and to run."""
