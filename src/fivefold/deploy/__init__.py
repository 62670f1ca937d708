"""What ships, and how it is checked before it is used."""

from fivefold.deploy.bundle import Bundle, load_bundle, verify_bundle, write_bundle

__all__ = ["Bundle", "load_bundle", "verify_bundle", "write_bundle"]
