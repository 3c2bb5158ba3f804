"""Log aggregation over Redis streams: the core, which knows no drain and no command line."""

__version__ = "0.1.0"
