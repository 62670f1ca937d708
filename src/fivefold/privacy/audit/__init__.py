"""What a private training run with canaries in it proves against its own promise."""
