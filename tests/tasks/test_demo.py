"""The demo, made small: every part is there, choices come from validation, rows carry what programs rely on."""

from __future__ import annotations

import pytest

from obvert.tasks import demo


def test_the_demo_says_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "CURVE", (0, 2, 150))
    monkeypatch.setattr(demo, "TOKENS", (1,))
    monkeypatch.setattr(demo, "zoo", lambda: ["zoo/clip"])
    report = demo.demonstrate(size=demo.Size(pictures=128, captions=4, ovi_steps=2))
    assert {row["task"] for row in report.rows} == {"image-to-image", "text-to-text", "zero-shot classification"}
    assert any(row["features"].startswith("oti R=1, ") for row in report.rows)
    assert any("The paper reports a drop" in line for line in report.blocks[0].lines)
    assert set(report.meta["chosen_steps"]) == {"1"}
    for row in report.rows:
        assert row["model"] == "zoo/clip"
        score = row.get("map", row.get("accuracy"))
        assert 0 <= score <= 1


@pytest.mark.parametrize("wrong", [{"pictures": 0}, {"captions": 1}, {"ovi_steps": -1}])
def test_a_size_that_is_none_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="need 128 pictures"):
        demo.Size(**wrong)
