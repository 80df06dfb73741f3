"""How right the analyses are on made-up studies whose exponent is known.

python tests/calibration.py [--studies 500] [--out FILE.csv]

Each study has 4, 6 or 8 networks over two decades of weights, 5 seeds and quarter-decade lambdas. Its curves of
validation loss are made up: a bowl in ln λ, steeper on the right, whose bottom follows N^α up to a scatter of
its own for each network (what α is not the whole truth of) and for each seed (its own split), each seed on its
own level, with noise on every loss. In the `edge` studies the grid ends where about a quarter of the optima lie
beyond it. In the `weak` studies the penalty gains so little over lambda 0 that many networks show no benefit.
"""

import argparse
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from regsearch.analysis.best_lambda import BOOTSTRAPS, find_best_lambdas
from regsearch.analysis.calibration import summarise
from regsearch.analysis.curves import SCORES, Architecture, Curve
from regsearch.analysis.scaling import fit_scaling
from regsearch.analysis.tables import Setting

SEEDS = 5
SCATTER, SEED_SCATTER, NOISE, LEVEL = 0.25, 0.5, 0.01, 0.3
DEPTH = 0.1
KINDS = ("whole", "edge", "weak")
WIDTHS = (4, 6, 8)
EXPONENTS = (0.0, -1.0)


def bowl(x):
    """0 at 0, quadratic near it and linear far away, half as steep again on the right."""
    return DEPTH * x**2 / (1 + np.abs(x)) * np.where(x > 0, 1.5, 1.0)


@cache
def lowest():
    """Where the bowl averaged over seeds is lowest: left of 0, since it is steeper on the right."""
    x, shifts = np.linspace(-1, 1, 2001), SEED_SCATTER * stats.norm.ppf((np.arange(999) + 0.5) / 999)
    return x[bowl(x[:, None] - shifts).mean(axis=1).argmin()]


def grid(exponent, kind):
    """Quarter-decade lambdas around the optima, which lie from 0.01·100^α to 0.01."""
    low, high = sorted((0.01 * 100**exponent, 0.01))
    low, high = low / 30, high * 30
    if kind == "edge" and exponent:
        low = 0.01 * 100 ** (0.75 * exponent) / 1.33  # the widest quarter's optima lie below
    elif kind == "edge":
        high = 0.0167  # the optima scatter about 0.01: a quarter of them are nearest to the last lambda
    points = np.arange(0, np.log10(high / low) + 1e-9, 0.25)
    return low * 10**points if exponent else high / 10 ** points[::-1]


def study(rng, widths, exponent, kind):
    """The curves of one made-up study, and ln λ where each is lowest over all seeds there could be."""
    weights = np.geomspace(1e3, 1e5, widths)
    lambdas = np.concatenate([[0.0], grid(exponent, kind)])
    gain = 0.08 if kind == "weak" else 0.5
    curves, bottoms = [], []
    for index, count in enumerate(weights):
        bottom = np.log(0.01) + exponent * np.log(count / 1e3) + SCATTER * rng.normal()
        bottoms.append(bottom + lowest())
        own = bottom + SEED_SCATTER * rng.normal(size=(SEEDS, 1))
        losses = np.hstack([np.full((SEEDS, 1), gain), np.minimum(bowl(np.log(lambdas[1:]) - own), 3.0)])
        losses += 1 + LEVEL * rng.normal(size=(SEEDS, 1)) + NOISE * rng.normal(size=losses.shape)
        architecture, setting = Architecture(f"w{index}", None, round(count), round(count)), Setting("l2", 0.1, 100)
        scores, no = dict.fromkeys(SCORES, losses), np.zeros(losses.shape, bool)
        curves.append(Curve(architecture, setting, lambdas, np.arange(SEEDS), scores, diverged=no, collapsed=no))
    return curves, np.array(bottoms)


def calibrate(studies, widths, exponent, kind, bootstraps=BOOTSTRAPS):
    """Bias, spread, coverage and verdicts over many made-up studies.

    `network_coverage` is how often the interval of a single network's best lambda holds the truth, where the
    optimum is inside the grid; without `bootstraps` there are no such intervals.
    """
    rng = np.random.default_rng([widths, KINDS.index(kind), int(exponent < 0)])
    fits, holds, censored = [], [], 0
    for _ in range(studies):
        curves, bottoms = study(rng, widths, exponent, kind)
        best = find_best_lambdas(curves, bootstraps)
        rows = fit_scaling(best)
        fits.append(rows[rows["against"] == "penalised_weights"])
        inside = best["best_lambda"].notna()
        low, high = np.log(best["best_lambda_low"]), np.log(best["best_lambda_high"])
        holds += ((low <= bottoms) & (bottoms <= high))[inside].tolist()
        censored += int((~inside).sum())
    summed = summarise(pd.concat(fits).assign(seeds=SEEDS), exponent)
    shares = {
        "censored_share": censored / (len(holds) + censored),
        "network_coverage": np.mean(holds) if bootstraps else np.nan,
    }
    return {"studies": kind, "networks": widths} | shares | summed


def main():
    """Writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [calibrate(arguments.studies, w, a, kind) for kind in KINDS for a in EXPONENTS for w in WIDTHS]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="%.3f"))
    if arguments.out:
        table.to_csv(arguments.out, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
