"""Write a report: `report.json` for machines, `report.md` for a terminal, `report.html` for people.

All three are rendered before any is written, and put in place by a rename: a failure leaves what was there before.
"""

from __future__ import annotations

import json
import math
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from obvert.report.blocks import DASH, Block, Curves, Dots, Gallery, Histograms, Report, Shares, Table, Text

if TYPE_CHECKING:
    from jinja2 import Template

FORMAT = 1


def write(report: Report, folder: str | Path) -> Path:
    """Write a report's three files.

    Args:
        report: what to write.
        folder: where; made if missing.

    Returns:
        The path of the page, `report.html`.
    """
    texts = {"report.json": to_json(report), "report.md": to_markdown(report), "report.html": to_html(report)}
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drafts = {folder / f".{name}.{os.getpid()}": folder / name for name in texts}
    try:
        for draft, text in zip(drafts, texts.values(), strict=True):
            draft.write_text(text, encoding="utf-8", newline="\n")
        for draft, final in drafts.items():
            os.replace(draft, final)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    return folder / "report.html"


def to_json(report: Report) -> str:
    """The report as strict JSON, without its pictures; NaN and infinity become null."""
    content = {"format": FORMAT, **vars(report), "blocks": [_facts(block) for block in report.blocks]}
    return json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _facts(block: Block) -> dict[str, Any]:
    facts = {"kind": type(block).__name__.lower(), **vars(block)}
    if isinstance(block, Gallery):
        facts["queries"] = [
            {
                "query": row.query if isinstance(row.query, str) else None,
                "label": row.label,
                "results": {
                    name: [{"caption": caption, "right": right} for _, caption, right in found]
                    for name, found in row.results.items()
                },
            }
            for row in block.queries
        ]
    return facts


def _plain(value: Any) -> Any:
    """Nothing but JSON's own types; arrays and tensors become lists or numbers."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, range)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, bool, int)) else str(value)


def to_markdown(report: Report) -> str:
    """The report's words and tables as Markdown; figures and galleries by name only."""
    parts = [f"# {_md(report.title)}", _md(report.lead), *(f"> **Warning:** {_md(warning)}" for warning in report.warnings)]
    for block in report.blocks:
        parts.append(f"## {_md(block.title)}")
        if isinstance(block, Table):
            parts.append(_md_table(block))
        elif isinstance(block, Text):
            parts.extend(_md(line) for line in block.lines)
        else:
            parts.append("Drawn in `report.html`.")
        parts.append(_md(getattr(block, "note", "")))
    if report.meta:
        parts += ["## How it was made", "\n".join(f"- {_md(key)}: {_md(_brief(value))}" for key, value in report.meta.items())]
    return "\n\n".join(part for part in parts if part) + "\n"


def _md_table(table: Table) -> str:
    heads = table.heads()
    if not heads:
        return ""
    rows = [[_md(head.replace("_", " ")) for head in heads], ["---:" if table.is_numeric(head) else "---" for head in heads]]
    for _, cells in table.lines():
        rows.append([" ".join(filter(None, (f"**{_md(c.text)}**" if c.best else _md(c.text), c.interval))) for c in cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _md(text: str) -> str:
    text = re.sub(r"([\\`*_|])", r"\\\1", " ".join(str(text).split()))
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _brief(value: Any) -> str:
    value = _plain(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def to_html(report: Report) -> str:
    """The report as one page that asks for nothing from outside."""
    from markupsafe import Markup

    from obvert.report.figures import draw, legend
    from obvert.report.media import axes_of, image_uri, sound_uri

    colours: dict[str, int] = {}
    blocks = []
    for number, block in enumerate(report.blocks):
        parts: dict[str, Any] = {"kind": type(block).__name__.lower(), "id": f"b{number}", "block": block}
        if isinstance(block, Curves | Histograms | Dots | Shares):
            parts["keys"] = legend(block, colours)
        if isinstance(block, Curves | Histograms):
            parts["svg"] = Markup(draw(block, parts["keys"], prefix=parts["id"]))
        blocks.append(parts)
    given = {"report": report, "blocks": blocks, "meta": _plain(report.meta), "dash": DASH}
    return _template().render(given, image_uri=image_uri, sound_uri=sound_uri, axes_of=axes_of) + "\n"


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    page = Environment(
        loader=PackageLoader("obvert.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters["minus"] = lambda text: text.replace("-", "−")
    return page.get_template("template.html.jinja")
