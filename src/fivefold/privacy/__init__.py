"""What the model gives away about the people it learnt from."""
