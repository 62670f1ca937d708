"""What shows whether attributions can be trusted: numbers about them, of any explainer, many rows at a time."""
