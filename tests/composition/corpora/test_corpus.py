"""A corpus as hashes: counts by hand and by brute force, what is bad in it, and memory that does not grow with it."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from obvert.composition.corpora import collisions
from obvert.composition.corpora.corpus import Corpus, Intake, Tallies, picture_hash, repeats
from obvert.core import ObvertError

DOG = ["a dog chases a cat", "a cat chases a dog", "A cat chases a dog.", "a dog and a cat", "a bird"]


def read(tmp_path: Path, captions: list[tuple[str, str]], **more: int) -> tuple[Corpus, Intake]:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    corpus = Corpus(folder)
    return corpus, corpus.read(captions, **more)


def test_by_hand(tmp_path: Path) -> None:
    corpus, intake = read(tmp_path, [("", text) for text in DOG])
    tallies = corpus.tallies()
    assert (intake.captions, intake.words, intake.grouped) == (5, 22, False)
    assert tallies.sequences == {1: 3, 2: 1}
    assert tallies.bags == {1: 2, 3: 1}
    assert tallies.rivals == {(0, 0): 2, (0, 2): 1, (1, 2): 2}
    assert tallies.partners == 3
    assert collisions.entropy(tallies) == pytest.approx((3 * math.log(3) - 2 * math.log(2)) / 5)
    assert collisions.entropy_corrected(tallies) == pytest.approx(collisions.entropy(tallies) + 1 / 10)
    assert collisions.coverage(tallies) == pytest.approx(3 / 5)
    assert collisions.order_varies(tallies) == pytest.approx(2 / 3)


def test_captions_of_one_picture_do_not_rival_each_other(tmp_path: Path) -> None:
    corpus, intake = read(tmp_path, list(zip(["one", "one", "two", "two", "two"], DOG, strict=True)))
    assert intake.grouped
    assert corpus.tallies().rivals == {(0, 0): 2, (0, 1): 1, (1, 1): 1, (1, 2): 1}
    assert corpus.tallies().partners == 3


@given(st.lists(st.tuples(st.sampled_from(["", "p", "q"]), st.lists(st.sampled_from("abc"), min_size=1, max_size=3))))
def test_counts_are_those_of_strings(tmp_path_factory: pytest.TempPathFactory, said: list[tuple[str, list[str]]]) -> None:
    said = [*said, ("", ["a"])]
    corpus, _ = read(tmp_path_factory.mktemp("x"), [(picture, " ".join(text)) for picture, text in said])
    tallies = corpus.tallies()
    names = [picture or str(i) for i, (picture, _) in enumerate(said)]
    rivals = Counter[tuple[int, int]]()
    for name, (_, text) in zip(names, said, strict=True):
        others = [other for who, (_, other) in zip(names, said, strict=True) if who != name]
        rivals[sum(o == text for o in others), sum(sorted(o) == sorted(text) for o in others)] += 1
    assert tallies.rivals == rivals
    assert tallies.sequences == Counter(Counter(tuple(text) for _, text in said).values())
    assert tallies.bags == Counter(Counter(tuple(sorted(text)) for _, text in said).values())


def test_what_it_holds(tmp_path: Path) -> None:
    corpus, _ = read(tmp_path, list(zip("aabbc", DOG, strict=True)))
    stranger, own = picture_hash("z", 0), picture_hash("a", 0)
    asked = ["a cat chases a dog", "a cat chases a dog", "a chases dog a cat", "a fish"]
    sequence, bag = corpus.holds(asked, [stranger, own, stranger, stranger])
    assert sequence.tolist() == [2, 1, 0, 0]
    assert bag.tolist() == [3, 1, 3, 0]


def test_repeats_counts_only_what_is_told() -> None:
    keys = np.array([3, 1, 3, 3, 2])
    assert repeats(keys).tolist() == [3, 1, 3, 3, 1]
    assert repeats(keys, among=np.array([True, True, False, True, False])).tolist() == [2, 1, 2, 2, 0]
    assert repeats(keys, np.array([0, 0, 0, 1, 0])).tolist() == [2, 1, 2, 1, 1]


@given(st.integers(1, 60), st.data())
def test_the_mean_is_that_of_the_hypergeometric(among: int, data: st.DataObject) -> None:
    marked, drawn = data.draw(st.integers(0, among)), data.draw(st.integers(0, among))
    exact = sum(hypergeom.pmf(n, among, marked, drawn) * math.log1p(n) for n in range(drawn + 1))
    assert collisions.expected(np.log1p, marked, among, drawn) == pytest.approx(exact, abs=1e-9)


def test_the_mean_of_large_numbers() -> None:
    assert collisions.expected(lambda n: n, 40_000, 1_000_000, 32_768) == pytest.approx(40_000 * 32_768 / 1e6, rel=1e-9)
    exact = hypergeom(1_000_000, 5, 32_768)
    assert collisions.expected(np.log1p, 5, 1_000_000, 32_768) == pytest.approx(exact.expect(np.log1p), rel=1e-9)


def test_batches_are_as_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    said = [" ".join(rng.permutation(["a", "b", rng.choice(list("cdefgh"))])) for _ in range(60)]
    tallies = read(tmp_path, [("", text) for text in said])[0].tallies()
    told, bags = collisions.batch(tallies, 16), [tuple(sorted(text)) for text in said]
    pairs, touched, gap = [], [], []
    for _ in range(4000):
        drawn = rng.choice(60, 16, replace=False)
        bag = np.array([[bags[i] == bags[j] for j in drawn] for i in drawn]).sum(1)
        same = np.array([[said[i] == said[j] for j in drawn] for i in drawn]).sum(1)
        pairs.append((bag - same).sum() / 2)
        touched.append((bag > same).mean())
        gap.append(np.log(bag / same).mean())
    for key, seen in (("pairs", pairs), ("touched", touched), ("loss_gap", gap)):
        assert told[key] == pytest.approx(np.mean(seen), abs=4 * np.std(seen) / 4000**0.5)
    assert collisions.batch(tallies, 60)["pairs"] == pytest.approx(
        sum(bags[i] == bags[j] and said[i] != said[j] for i in range(60) for j in range(i))
    )


def test_a_part_of_the_corpus_has_less_entropy_and_all_of_it_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tallies = read(tmp_path, [("", " ".join(rng.permutation(list("abcd")))) for _ in range(300)])[0].tallies()
    parts = [collisions.entropy_of_part(tallies, n) for n in (1, 10, 100, 300)]
    assert parts[0] == 0
    assert parts == sorted(parts)
    assert parts[-1] == pytest.approx(collisions.entropy(tallies))
    assert collisions.entropy(tallies) < math.log(24)
    assert abs(collisions.entropy_corrected(tallies) - math.log(24)) < 0.01


def test_what_is_odd_is_counted(tmp_path: Path) -> None:
    odd = [("", "  "), ("", "..."), ("", "größer"), ("", "“a” – cat"), ("", " ".join(["long"] * 76)), ("", "a cat")]
    intake = read(tmp_path, odd)[1]
    assert (intake.empty, intake.foreign, intake.long, intake.captions) == (2, 1, 1, 4)
    with pytest.raises(ObvertError, match="need captions with words in them, got 2 empty ones"):
        read(tmp_path, odd[:2])
    with pytest.raises(ObvertError, match="need a batch of 2 to 5 captions"):
        collisions.batch(read(tmp_path, [("", text) for text in DOG])[0].tallies(), 6)


def test_the_sample_is_even_and_seeded(tmp_path: Path) -> None:
    said = [("", f"caption {i}") for i in range(1000)]
    first, again, other = (read(tmp_path, said, sample=200, seed=seed)[1].sample for seed in (0, 0, 1))
    assert first == again != other
    assert len({caption for _, caption in first}) == 200
    places = [int(caption.split()[1]) for _, caption in first]
    assert places == sorted(places)
    assert abs(np.mean(places) - 499.5) < 4 * 1000 / (12 * 200) ** 0.5
    assert len(read(tmp_path, said, sample=5000)[1].sample) == 1000


MEASURE = """
import resource, sys
from pathlib import Path
from obvert.composition.corpora import corpus

corpus.CHUNK = 1 << 13
for name, count in (("small", int(sys.argv[2])), ("large", int(sys.argv[3]))):
    folder = Path(sys.argv[1]) / name
    folder.mkdir()
    read = corpus.Corpus(folder)
    read.read(("", f"w{i % 997} w{i % 1009} w{i // 2 % 50021} is left of w{i % 31}") for i in range(count))
    print(read.tallies().captions, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("counts", [(8_000, 80_000), pytest.param((100_000, 1_000_000), marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_corpus(counts: tuple[int, int], tmp_path: Path) -> None:
    argv = [sys.executable, "-c", MEASURE, str(tmp_path), *map(str, counts)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert (int(said[0]), int(said[2])) == counts
    assert (int(said[3]) - int(said[1])) / 1024 < 6, "megabytes for ten times as many captions; their text alone would take 10"


def test_tallies_say_what_they_are() -> None:
    none = Tallies(captions=3, sequences=Counter({1: 3}), bags=Counter({1: 3}), rivals=Counter({(0, 0): 3}), partners=0)
    assert collisions.entropy(none) == 0
    assert math.isnan(collisions.order_varies(none))
    assert collisions.batch(none, 3) == {"pairs": 0, "touched": 0, "loss_gap": 0, "loss_floor": 0}
