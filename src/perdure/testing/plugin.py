"""The pytest plugin that gives game authors the `perdure` fixture."""
