"""The page of an audit: what a person sees first, the tables behind it, and how to read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from obvert.core import ContrastSet
from obvert.report import Block, Dots, Shares, Table, Text
from obvert.tasks._audit_answers import SIDES, Pairs
from obvert.tasks._audit_compare import COMPARED, MEASURES, Scores, series
from obvert.tasks._audit_probes import MOVED, ORDER
from obvert.tasks._audit_rows import (
    ACCURACY,
    CHANCE,
    PAIRS,
    PARAPHRASES,
    RECOVERED,
    UNDECIDABLE,
    blind_chance,
    grouped,
    label,
)
from obvert.tasks._contrast_scores import BENCHMARK

Rows = Sequence[dict[str, Any]]
COLOURS = {"sees": 2, "outweighed": 5, "misaligned": 4, "visual-blind": 3, "text-blind": 1, "blind": 7}
"""Of each verdict: green where it sees, light blue where it nearly does."""


def figures(contrasts: ContrastSet, found: Pairs | None, scores: Sequence[Scores], rows: Rows) -> list[Block]:
    """What is seen at once: which operators a model cannot tell and which side fails, and several models side by side."""
    blocks: list[Block] = []
    if found:
        blocks.append(_sides([row for row in rows if row["task"] == PAIRS and row["operator"] != "all"]))
    for measure, asked in scores[0].asked().items():
        if len(scores) == 1 and found:
            continue
        cells = {name: [asked[i] for i in places] for name, places in grouped(contrasts.items, asked).items()}
        told = {one.model: series(one, measure, cells) for one in scores}
        task = PAIRS if measure == "group" else ACCURACY
        limits = {_name(row): row["bag_of_words"] for row in rows if row["task"] == task}
        chance = CHANCE if measure == "group" else blind_chance([contrasts.items[row] for row in asked])
        blocks.append(
            Dots(
                title=f"{MEASURES[measure].capitalize()} by operator and atom",
                labels=[label(name) for name in cells],
                series={model: values for model, (values, _) in told.items()},
                intervals={model: ranges for model, (_, ranges) in told.items()},
                lines={"chance": chance},
                remarks=[f"bag of words {limits[label(name)]:.2f}" for name in cells],
                note=DOTS,
            )
        )
    return blocks


def _name(row: dict[str, Any]) -> str:
    return label((row["operator"], row["atom"], row["depth"]))


def _sides(rows: Rows) -> Shares:
    return Shares(
        title="What it tells apart, and which side fails",
        labels=[_name(row) for row in rows],
        series={side: [row[side.replace("-", "_")] for row in rows] for side in SIDES},
        colours=COLOURS,
        remarks=[f"{row['verdict']}, group {row['group']:.2f}" for row in rows],
        note=VERDICTS,
    )


def tables(rows: Rows) -> list[Block]:
    """The tables for which there are rows."""
    blocks: list[Block] = []
    for task, title, columns, group, note in TABLES:
        own = [column for column in columns if column not in KIND]
        mine = [row for row in rows if row["task"] == task and any(column in row for column in own)]
        intervals = {column: f"{column}_interval" for column in columns if any(f"{column}_interval" in row for row in mine)}
        named = ["model"] if len({row["model"] for row in mine}) > 1 else []
        if mine:
            blocks.append(Table(title=title, rows=mine, columns=[*named, *columns], intervals=intervals, group=group, note=note))
    return blocks


def brief(rows: Rows) -> list[dict[str, Any]]:
    """Of each row what the first table of its kind shows."""
    shown: dict[str, Sequence[str]] = {}
    for task, _, columns, _, _ in TABLES:
        shown.setdefault(task, ("task", *columns))
    several = {row["task"] for row in rows if row.get("model", rows[0]["model"]) != rows[0]["model"]}
    named = {task: ("task", "model", *keys[1:]) if task in several else keys for task, keys in shown.items()}
    return [{key: row[key] for key in named.get(row["task"], row) if key in row} for row in rows]


def lead(name: str, rows: Rows) -> str:
    """The main finding."""
    cells = [row for row in rows if row["task"] == PAIRS and row["operator"] != "all"]
    whole = {row["atom"]: row for row in rows if row["task"] == ACCURACY and row["operator"] == "all"}
    order = next((row for row in rows if row["task"] == ORDER and row["order_variance"] is not None), None)
    told = []
    if cells:
        by = {side: [_name(row) for row in cells if row["verdict"] == side] for side in SIDES}
        told.append(f"{name} tells {len(by['sees'])} of {len(cells)} kinds of pairs apart.")
        told += [f"{side.capitalize()}: {', '.join(names)}." for side, names in by.items() if side != "sees" and names]
    elif whole:
        of = whole["micro"]
        told.append(
            f"{name} chooses the right text of {of['accuracy']:.1%} of the pictures, a bag of words {of['bag_of_words']:.1%}."
        )
    elif order:
        told.append(f"{name}: the order of the words makes up {order['order_variance']:.1%} of what sets two captions apart.")
    if UNDECIDABLE in whole:
        told.append(
            f"Where only the order of the words tells, the right text is chosen of {whole[UNDECIDABLE]['accuracy']:.1%} of the "
            f"pictures; by chance it were {whole[UNDECIDABLE]['bag_of_words']:.1%}."
        )
    return " ".join(told)


def reading(measured_alone: bool) -> Text:
    """How to read the page."""
    return Text(title="How to read this", lines=[*(() if measured_alone else READ_PICTURES), *READ_TEXTS])


VERDICTS = (
    "Shares of pairs, in per cent. Sees: both texts and both pictures are told apart (group score). Of the others: text-blind or "
    "visual-blind, the two texts or the two pictures lie less than a tenth as far apart as unrelated ones; blind, both do; "
    "misaligned, both differ, but not along each other; outweighed, both differ and meet, but by less than what else sets the "
    "scores apart. The verdict: sees from a half on, below it what most others are."
)
DOTS = (
    "With Wilson's 95 % intervals. Bag of words: what a scorer reaches that knows every word and no order, ties at their chance."
)
TWO = (
    "Text: of both pictures the right text is nearer; image: of both texts the right picture; group: both. Chance is 1/4, 1/4 "
    "and 1/6, which ties count. Bag of words: the group score of a scorer that knows every word and no order."
)
MOVE = (
    "Root mean square distance of the two texts, and of the two pictures, as a share of that between unrelated ones; their "
    "cosine as a share of that of unrelated pairs; the interaction s11 + s22 - s12 - s21, which no constant gap changes."
)
MAP = (
    "Group score with one matrix on the text side or on the image side, fitted on other pairs. A jump means that the "
    "information was there and only misaligned. The control learns from texts that are exchanged at random."
)
CHOICE = (
    "A tie counts a half (one of k counts 1/k); intervals are Wilson's over contrasts. Bag of words: the ceiling of every "
    "encoder that does not read order. Decidable by words: right and wrong text hold other words. Macro: the plain mean over "
    "categories."
)
SCORED = (
    "A tie counts its chance; as wrong: as most published code has it. Bag of words: what knows every word and no order reaches."
)
PAIRED = "Differences are paired, contrast by contrast, with a 95 % bootstrap interval."
RATIO = (
    "1 - cos of a text and what an operator makes of it, as a share of that of two unrelated texts; bootstrap intervals. A "
    "swap that moves a text less than a paraphrase does is not read."
)
AGAIN = (
    "False alarms: the second of two right texts is scored below a wrong one, ties counting a half; of the first: the same of "
    "the first. Nearest to each other: the two texts that say the same, against the wrong one (TOT of SugarCrepe++)."
)
ORDERED = (
    "Order variance: variance over orders of a text's words, as a share of the variance between texts; 0 is a bag of words. "
    "Words, neighbours: held-out R^2 of a ridge regression of the features on counts of words, and of words and "
    "neighbouring pairs."
)
READ_PICTURES = (
    "An encoder can pass a benchmark of hard negatives without composition: most wrong texts hold another word, and a tower that "
    "has learned to reject odd captions needs no picture. Two by two it cannot: each text is right once and wrong once.",
    "Text-blind: no picture and no map on the image side can help, the text tower must change. Visual-blind: the image tower "
    "must. Misaligned: one linear map may do.",
)
READ_TEXTS = ("Scores are cosines of the features in fp32, multiplied in float64; scores nearer than a millionth are ties.",)
KIND = ("operator", "atom", "depth")
TABLES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        PAIRS,
        "Two by two: each text with its own picture",
        (*KIND, "verdict", "group", "text", "image", "bag_of_words", "ties", "pairs"),
        ("operator",),
        TWO,
    ),
    (
        PAIRS,
        "How far the sides move, and whether they meet",
        (*KIND, "texts_differ", "pictures_differ", "they_meet", "interaction"),
        ("operator",),
        MOVE,
    ),
    (
        RECOVERED,
        "What one linear map brings back",
        (*KIND, "native", "text_map", "text_gain", "image_map", "image_gain", "control_map"),
        ("operator",),
        MAP,
    ),
    (
        ACCURACY,
        "Which text is right of a picture",
        (*KIND, "accuracy", "bag_of_words", "ties", "ties_as_wrong", "pictures", "contrasts"),
        ("operator",),
        CHOICE,
    ),
    (
        BENCHMARK,
        "As its publishers score it",
        ("measure", "category", "accuracy", "bag_of_words", "ties", "ties_as_wrong", "items"),
        ("measure",),
        SCORED,
    ),
    (COMPARED, "Compared", ("against", "measure", *KIND, "here", "there", "difference", "contrasts"), ("against",), PAIRED),
    (MOVED, "How far a text moves, without pictures", (*KIND, "ratio", "texts"), ("operator",), RATIO),
    (
        PARAPHRASES,
        "The same said in other words",
        ("said_again", "false_alarms", "of_the_first", "nearest_to_each_other", "contrasts"),
        (),
        AGAIN,
    ),
    (ORDER, "How much order is in a text", ("order_variance", "words", "neighbours", "gain"), (), ORDERED),
)
"""Task of the rows, title, columns, what groups them, and how to read them."""
