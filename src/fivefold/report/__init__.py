"""Matrix, policy gate, page and model card."""
