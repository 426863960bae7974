"""Measures of a set of molecules: those of MOSES and GuacaMol, and checks against copying.

`evaluation` puts them together against a `reference`; the others hold one idea each.
"""
