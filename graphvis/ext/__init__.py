"""Thin adapters to other tools: Sphinx, superfences, IPython, pytest."""
