"""How soon the ways to choose trials reach a target, on simulated surfaces, as JSON.

    python benchmarks/samplers.py [--surfaces 60] [--trials 15] [--easiest 1.0]

A surface says what a point of the space is truly worth and how long it trains; a trial sees that
with the noise of 541 prompts (a binomial draw). Surfaces are drawn at random around two facts of
small models (docs/LOG.md): what matters of rate and batch is mostly their ratio, best somewhere
from 3e-7 to 2e-5, and too high a rate diverges. They know nothing of where the shipped strategies
stand. Every way uses the tool's own code to choose (`study.next_trial`, `study.optuna_study`).

A way reaches the target when a trial's measured score does; what is counted are its trials and its
hours until then (all of them where it never does), over surfaces on which some point truly reaches
it. With `--easiest 0.05` only on those where one point of twenty does. A minute for 120 surfaces.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from autotune.config.load import GPU_PROFILE, find_profile
from autotune.config.study import StudyChoice
from autotune.protocol.plan import SEARCH, Strategy
from autotune.protocol.space import Space, Value
from autotune.run.trial_summary import TrialSummary
from autotune.score.stats import wilson
from autotune.study.next_trial import Begin, Limits, Stage, Stop, next_trial
from autotune.study.optuna_study import draw

TARGET = 0.25
PROMPTS = 541
PROBES = 4000
"""Random points by which it is found whether a surface reaches the target at all."""
HOURS_AN_EPOCH = 0.3
"""Of a training; and so much for the scores of its checkpoints. Only ratios are reported."""
SCORING_HOURS = 0.4


@dataclass(frozen=True)
class Surface:
    """What points are worth: the best there is, where it lies, how fast it falls off."""

    top: float
    floor: float
    ratio: float
    rate: float
    epochs: float
    rounds: float
    width: float
    cliff: float
    noise_helps: float
    average_helps: float

    @classmethod
    def drawn(cls, chance: random.Random) -> "Surface":
        """One at random."""
        return cls(
            top=chance.uniform(0.22, 0.34),
            floor=chance.uniform(0.10, 0.16),
            ratio=math.exp(chance.uniform(math.log(3e-7), math.log(2e-5))),
            rate=math.exp(chance.uniform(math.log(5e-5), math.log(9e-4))),
            epochs=chance.uniform(1.5, 5.5),
            rounds=chance.uniform(0.0, 1.0),
            width=chance.uniform(0.6, 1.6),
            cliff=chance.uniform(7e-4, 3e-3),
            noise_helps=chance.uniform(-0.01, 0.02),
            average_helps=chance.uniform(-0.005, 0.015),
        )

    def worth(self, point: dict[str, Value]) -> float:
        """The true share of prompts that a training at this point would pass."""
        number = {k: float(v) for k, v in point.items() if isinstance(v, int | float)}
        rate, epochs = number["learning_rate"], number["num_train_epochs"]
        ratio = rate / number["batch_size"]
        far = (math.log(ratio / self.ratio) / self.width) ** 2
        far += (math.log(rate / self.rate) / (3 * self.width)) ** 2
        far += (math.log(epochs / self.epochs) / 0.9) ** 2
        kept = {2: 0.0, 4: 0.25, 6: 0.5, 8: 0.75}.get(point["max_rounds"], 1.0)  # type: ignore[call-overload]
        far += 0.3 * (kept - self.rounds) ** 2
        far += ((number["warmup_ratio"] - 0.12) / 0.5) ** 2 + number["weight_decay"] ** 2
        found = self.floor + (self.top - self.floor) * math.exp(-far / 2)
        found += self.noise_helps * (number["neftune_noise_alpha"] > 0)
        found += self.average_helps * (number["average_checkpoints"] > 0)
        if rate > self.cliff:
            found = min(found, 0.05)
        return min(max(found, 0.0), 1.0)


def hours(point: dict[str, Value]) -> float:
    """How long a trial at this point takes."""
    return HOURS_AN_EPOCH * float(point["num_train_epochs"]) + SCORING_HOURS


@dataclass(frozen=True)
class Way:
    """Exact points first, then draws."""

    name: str
    strategies: tuple[Strategy, ...]
    study: StudyChoice


def ways() -> list[Way]:
    """The ways that are compared; the one that is shipped is last."""
    profile = find_profile(GPU_PROFILE)
    regular = tuple(s for s in profile.strategies if not s.fallback)
    shipped = profile.study
    tpe10 = shipped.model_copy(update={"startup_trials": 10})
    chance = shipped.model_copy(update={"sampler": "random"})
    return [
        Way("A, B, then random", regular[:2], chance),
        Way("random only", (), chance),
        Way("A, B, C, D, then random", regular, chance),
        Way("A, B, then TPE", regular[:2], shipped),
        Way("A, B, C, D, then TPE after 10", regular, tpe10),
        Way("A, B, C, D, then TPE (shipped)", regular, shipped),
    ]


def reached(way: Way, surface: Surface, most: int, seed: int, space: Space) -> tuple[int, float]:
    """The trials and hours until a score reaches the target, of at most `most`."""
    chance = random.Random(seed)
    stages = [*(Stage(s.name) for s in way.strategies), Stage(SEARCH, None)]
    trials: list[TrialSummary] = []
    spent = 0.0
    while not isinstance(
        begin := next_trial(trials, stages, Limits(TARGET, max_trials=most)), Stop
    ):
        assert isinstance(begin, Begin)
        exact = next((s.point for s in way.strategies if s.name == begin.stage), None)
        point = dict(exact) if exact else draw(trials, space, way.study, seed)
        truth = surface.worth(point)
        passes = sum(chance.random() < truth for _ in range(PROMPTS))
        score = passes / PROMPTS
        spent += hours(point)
        trials.append(
            TrialSummary(
                len(trials), begin.stage, point, "COMPLETE", score, score >= TARGET, score, score
            )
        )
    return len(trials), spent


def reaching(surface: Surface, space: Space, seed: int) -> float:
    """The share of the space that truly reaches the target."""
    chance = random.Random(seed)
    return fmean(surface.worth(anywhere(space, chance)) >= TARGET for _ in range(PROBES))


def anywhere(space: Space, chance: random.Random) -> dict[str, Value]:
    """A point of the space at random, as the random sampler draws it."""
    point: dict[str, Value] = {}
    for key, ends in space.items():
        if key in ("batch_size", "max_rounds", "neftune_noise_alpha", "average_checkpoints"):
            point[key] = chance.choice(ends)
        elif key == "num_train_epochs":
            point[key] = chance.randint(int(ends[0]), int(ends[1]))
        elif key == "learning_rate":
            low, high = (math.log(float(end)) for end in ends)
            point[key] = math.exp(chance.uniform(low, high))
        else:
            point[key] = chance.uniform(float(ends[0]), float(ends[1]))
    return point


def row(way: Way, found: Sequence[tuple[int, float]], most: int) -> dict[str, Any]:
    """A way's line: means with their standard errors, and how often it got there."""
    trials, spent = [t for t, _ in found], [h for _, h in found]
    there = sum(t < most for t in trials)
    return {
        "way": way.name,
        "trials": round(fmean(trials), 2),
        "trials_median": median(trials),
        "trials_error": round(error_of(trials), 2),
        "hours": round(fmean(spent), 2),
        "within": there,
        "of": len(found),
        "within_interval": [round(end, 3) for end in wilson(there, len(found))],
    }


def error_of(values: Sequence[float]) -> float:
    """The standard error of a mean."""
    middle = fmean(values)
    return math.sqrt(sum((v - middle) ** 2 for v in values) / (len(values) - 1) / len(values))


def compared(
    surfaces: int, most: int, seed: int, easiest: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """All ways on the same surfaces, with the same seeds for their noise."""
    search = find_profile(GPU_PROFILE).study.search
    assert search is not None
    chance = random.Random(seed)
    drawn: list[Surface] = []
    tried = 0
    while len(drawn) < surfaces:
        tried += 1
        surface = Surface.drawn(chance)
        if 0 < reaching(surface, search.space, seed + tried) <= easiest:
            drawn.append(surface)
    rows = []
    for way in ways():
        begin = time.perf_counter()
        found = [reached(way, s, most, seed + n, search.space) for n, s in enumerate(drawn)]
        rows.append(row(way, found, most))
        say(f"{way.name}: {rows[-1]['trials']} trials, {time.perf_counter() - begin:.0f} s")
    first = rows[0]
    for each in rows:
        each["trials_ratio"] = round(each["trials"] / first["trials"], 3)
        each["hours_ratio"] = round(each["hours"] / first["hours"], 3)
    return {
        "target": TARGET,
        "prompts": PROMPTS,
        "trials_at_most": most,
        "surfaces": surfaces,
        "surfaces_drawn": tried,
        "share_that_reaches_at_most": easiest,
        "seed": seed,
        "ways": rows,
    }


def main() -> None:
    """Compare and print."""
    import sys

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--surfaces", type=int, default=60)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--easiest", type=float, default=1.0, help="share of the space that may reach the target"
    )
    asked = parser.parse_args()
    say = lambda line: print(line, file=sys.stderr)  # noqa: E731
    print(
        json.dumps(compared(asked.surfaces, asked.trials, asked.seed, asked.easiest, say), indent=1)
    )


if __name__ == "__main__":
    main()
