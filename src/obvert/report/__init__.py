"""Reports: blocks of results, written as one JSON file, one Markdown file and one self-contained page."""

from obvert.report.blocks import Block, Curves, Gallery, GalleryRow, Histograms, Report, Table, Text
from obvert.report.write import write

__all__ = ["Block", "Curves", "Gallery", "GalleryRow", "Histograms", "Report", "Table", "Text", "write"]
