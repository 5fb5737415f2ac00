"""The version, on the ground floor: pictures carry it, and what draws them may not import the public names."""

__version__ = "0.1.0"
