"""What private training does besides clipping and noise."""
