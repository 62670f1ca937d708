"""How the model withstands those who mean harm."""
