"""How right the analyses are on made-up curves and studies whose answer is known.

python tests/calibration.py [--networks 500] [--studies 500] [--out FOLDER]

Writes three tables:

made_up_networks.csv: the interval of a network's best lambda, for each family of curves (tests/made_up_curves.py), number
    of seeds and lambdas a decade. Six networks make a study, whose grid begins anywhere within a step.
made_up_studies.csv: the exponent of N, or of n, over two decades of weights. Each network's bottom scatters about the
    line; the seeds, which all networks share, have bottoms and slopes of their own. The families take turns.
made_up_gains.csv: how often a gain over lambda 0 is claimed, on curves without one and with one of 1 nat.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np
import pandas as pd
from made_up_curves import FAMILIES, find_lowest, make_curve, make_lambdas

from regsearch.analysis.best_lambda import find_best_lambdas, resample_optima
from regsearch.analysis.calibration import VERDICTS
from regsearch.analysis.scaling import fit_scaling

DECADE = np.log(10)
SEEDS, PER_DECADE = (3, 5, 10), (2, 4)
WIDTHS, SLOPES, EXPONENTS = (4, 6, 8), (0.0, 0.1, 0.2), (0.0, -1.0, -0.4, -0.15, 0.5)
SCATTER = 0.25
"""The standard deviation of each network's ln λ* about the line."""


def judge_networks(family, seeds, per_decade, count):
    """How often intervals hold the lowest point of the family's mean curve, and how wide they are."""
    rng = np.random.default_rng([list(FAMILIES).index(family), seeds, per_decade])
    kind, lowest, tables = FAMILIES[family], DECADE * find_lowest(family), []
    for _ in range(-(-count // 6)):
        curves = []
        for index in range(6):
            x = make_lambdas(-3, 2, 1 / per_decade, rng)
            own = kind.own * rng.standard_normal((seeds, 1))
            curves.append(make_curve(f"w{index}", x, kind.draw(x / DECADE, own, rng), 100 * 4**index))
        tables.append(find_best_lambdas(curves))
    table = pd.concat(tables)[:count]
    low, high = (np.log(table[f"best_lambda_{end}"]).to_numpy() for end in ("low", "high"))
    low, high = np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)
    grid = np.log(table["best_grid_lambda"])
    error = (np.log(table["best_lambda"]) - lowest).dropna() / DECADE
    return {
        "curves": family,
        "seeds": seeds,
        "per_decade": per_decade,
        "networks": len(table),
        "coverage": ((low <= lowest) & (lowest <= high)).mean(),
        "median_decades": np.median((high - low) / DECADE),
        "open_share": (~np.isfinite(high - low)).mean(),
        "without_own_best": ((grid < low) | (grid > high)).mean(),
        "mean_error": error.mean(),
        "error_spread": error.std(ddof=1),
    }


def make_study(rng, family, widths, exponent, slopes, per_decade, seeds=5, bend=0.0, sizes=(0.0,), whole=True):
    """The curves of a study over two decades of weights, and of training images where there are several sizes.

    Where the grid is not whole it ends where about a quarter of the best lambdas lie beyond.
    """
    kind, positions = FAMILIES[family], np.linspace(-1, 1, widths)
    reach = abs(exponent) + bend + 1
    x = make_lambdas(-2 - reach, 1 + reach, 1 / per_decade, rng)
    if not whole:
        x = x[x / DECADE > -0.5 * abs(exponent) - 0.1]
    shared, slope = rng.standard_normal((seeds, 1)), slopes * rng.standard_normal((seeds, 1))
    scatter = SCATTER / DECADE * rng.standard_normal(widths)
    curves = []
    for place, own_bottom in zip(positions, scatter, strict=True):
        for size in sizes:
            along = size if len(sizes) > 1 else place
            bottom = exponent * along + own_bottom + bend * abs(place)
            own = kind.own * np.sqrt(0.5) * (shared + rng.standard_normal((seeds, 1))) + slope * along
            losses = kind.draw(x / DECADE - bottom, own, rng)
            weights, images = round(1e4 * 10**place), round(1000 * 10**size)
            curves.append(make_curve(f"w{weights}", x, losses, weights, train_size=images))
    return curves


def judge_studies(against, widths, slopes, exponent, per_decade, count, bend=0.0, whole=True):
    """How often the exponent's interval holds the truth, and what the verdicts are."""
    rng = np.random.default_rng([widths, int(10 * slopes), int(100 * abs(exponent)), per_decade, int(10 * bend)])
    sizes = (0.0,) if against == "penalised_weights" else (-0.3, 0.0, 0.3)
    rows = []
    for family in islice(cycle(FAMILIES), count):
        named = {"bend": bend, "sizes": sizes, "whole": whole}
        curves = make_study(rng, family, widths, exponent, slopes, per_decade, **named)
        best = find_best_lambdas(curves)
        table = fit_scaling(best, resample_optima(curves, best))
        rows.append(table[table["against"] == against].iloc[:1])
    table = pd.concat(rows)
    fitted = table[table["exponent_low"].notna()]
    low, high = fitted["exponent_low"], fitted["exponent_high"]
    return {
        "against": against,
        "widths": widths,
        "slopes": slopes,
        "per_decade": per_decade,
        "exponent": exponent,
        "bend": bend,
        "grid": "whole" if whole else "ends early",
        "studies": count,
        "fitted": len(fitted),
        "coverage": ((low <= exponent) & (exponent <= high)).mean(),
        "median_width": (high - low).median(),
        "censored_share": (table["censored"] / table["points"]).mean(),
        "bias": fitted["exponent"].mean() - exponent,
        **{verdict: int((table["verdict"] == verdict).sum()) for verdict in VERDICTS},
    }


def judge_gains(gain, seeds, per_decade, count):
    """How often a best lambda is claimed to be better than lambda 0, whose loss is `gain` above the others' best."""
    rng = np.random.default_rng([int(gain), seeds, per_decade])
    statuses = []
    for _ in range(-(-count // 6)):
        curves = []
        for index in range(6):
            x = make_lambdas(-3, 2, 1 / per_decade, rng)
            rise = 0.1 * (x / DECADE) ** 2 if gain else np.zeros_like(x)
            losses = 1 + np.concatenate([[gain], rise]) + 0.2 / np.sqrt(2) * rng.standard_normal((seeds, len(x) + 1))
            curves.append(make_curve(f"w{index}", np.concatenate([[-np.inf], x]), losses, 100 * 4**index))
        statuses += find_best_lambdas(curves)["status"].tolist()
    statuses = pd.Series(statuses[:count])
    return {
        "gain": gain,
        "seeds": seeds,
        "per_decade": per_decade,
        "networks": len(statuses),
        "claimed": (~statuses.isin(["unsure", "no_benefit"])).mean(),
        "no_benefit": (statuses == "no_benefit").mean(),
    }


def main():
    """Writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=500, help="of each cell")
    parser.add_argument("--studies", type=int, default=500, help="of each cell")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    networks, studies = arguments.networks, arguments.studies
    whole, early = {"count": studies}, {"count": studies, "whole": False}
    tables = {
        "networks": [partial(judge_networks, *cell, count=networks) for cell in product(FAMILIES, SEEDS, PER_DECADE)],
        "gains": [partial(judge_gains, *cell, count=networks) for cell in product((0.0, 1.0), SEEDS, PER_DECADE)],
        "studies": [
            *(
                partial(judge_studies, "penalised_weights", *cell, **whole)
                for cell in product(WIDTHS, SLOPES, EXPONENTS, PER_DECADE)
            ),
            *(partial(judge_studies, "train_size", *cell, -1.0, 4, **whole) for cell in product(WIDTHS, SLOPES)),
            *(partial(judge_studies, "penalised_weights", widths, 0.0, -1.0, 4, **early) for widths in WIDTHS),
            partial(judge_studies, "penalised_weights", 8, 0.0, 0.0, 4, bend=np.log10(3), **whole),
        ],
    }
    with ProcessPoolExecutor() as pool:
        for name, cells in tables.items():
            table = pd.DataFrame(pool.map(_call, cells))
            print(table.to_string(index=False, float_format="%.3f"), flush=True)
            if arguments.out:
                table.to_csv(arguments.out / f"made_up_{name}.csv", index=False, float_format="%.4g")


def _call(cell):
    return cell()


if __name__ == "__main__":
    main()
