"""The commands, one file each; every module's face is its attribute ``command``."""
