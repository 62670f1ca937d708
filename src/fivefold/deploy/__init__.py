"""What ships: signed bundles."""
