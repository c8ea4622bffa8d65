"""Reports: blocks of results, written as one JSON file, one Markdown file and one self-contained page."""

from obvert.report.blocks import Block, Curves, Dots, Gallery, GalleryRow, Histograms, Report, Shares, Table, Text
from obvert.report.write import write

__all__ = ["Block", "Curves", "Dots", "Gallery", "GalleryRow", "Histograms", "Report", "Shares", "Table", "Text", "write"]
