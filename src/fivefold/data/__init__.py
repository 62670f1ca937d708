"""Examples from files, frames and bundled sets."""
