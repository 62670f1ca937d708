"""Per-example gradients of a whole batch in one backward pass."""
