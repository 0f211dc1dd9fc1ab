"""Goals beside what was measured: the last lines of every benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A figure and the range, ends included, in which it should lie."""

    what: str
    measured: float
    at_most: float
    at_least: float = 0.0
    unit: str = ""

    @property
    def reached(self) -> bool:
        return self.at_least <= self.measured <= self.at_most

    @property
    def text(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.at_least > 0.0:
            return f"{self.what} {self.at_least:g} to {self.at_most:g}{unit}"
        return f"{self.what} <= {self.at_most:g}{unit}"


def verdict(reached: bool) -> str:
    return "reached" if reached else "MISSED"


def print_goals(goals: Sequence[Goal]) -> None:
    """One line ``goal | measured | reached`` or ``MISSED`` for each."""
    width = max(len(goal.text) for goal in goals)
    print(f"\n{'goal':{width}} | {'measured':>9} | verdict")
    for goal in goals:
        print(f"{goal.text:{width}} | {goal.measured:>9.4g} | {verdict(goal.reached)}")
