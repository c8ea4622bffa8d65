"""Watermarks, one scheme a file; `obvert.registry.find("watermarks", name)` gives its class."""
