"""The client of OCI and Docker registries (OCI distribution-spec; engine.md D5)."""
