"""Made-up trials and tables of best lambdas whose answer is known."""

import numpy as np
import pandas as pd

LAMBDAS = 10.0 ** np.arange(-4, 1.1, 0.5)
WEIGHTS = np.array([300, 1000, 3000, 10_000, 30_000, 100_000])
NOISE = np.array([0.05, -0.08, 0.06, 0.03, -0.07, 0.01])


def make_trials(loss, lambdas=LAMBDAS, seeds=5, noise=0.0, level=0.5, zero=2.0, penalty="l2"):
    """A ledger of one network: loss(λ) + what the seed adds to all lambdas + noise; NaN is a divergence."""
    rng = np.random.default_rng(1)
    rows = []
    for seed in range(seeds):
        shift = level * rng.normal()
        for lam in [0.0, *lambdas]:
            value = (zero if lam == 0 else loss(lam)) + shift + noise * rng.normal()
            rows.append(
                {
                    "architecture": "w2", "width": 2, "trainable_weights": 20, "penalised_weights": 18,
                    "penalty": penalty if lam else "none", "lambda": lam, "learning_rate": 0.1, "train_size": 50,
                    "seed": seed, "status": "diverged" if np.isnan(value) else "completed",
                    "validation_loss": value, "validation_accuracy": 0.5, "test_loss": value + 1, "test_accuracy": 0.4,
                    "train_loss": value, "guessing_loss": np.nan,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def bowl(best, depth=0.1):
    return lambda lam: 1 + depth * np.log(lam / best) ** 2


def make_optima(exponent, noise=NOISE, weights=WEIGHTS, status="interior", **columns):
    """A table of best lambdas ∝ N^exponent, with what scatters about it."""
    best = 0.01 * (weights / weights[0]) ** exponent * np.exp(noise[: len(weights)])
    rows = pd.DataFrame(
        {
            "architecture": [f"w{n}" for n in weights], "width": np.sqrt(weights), "penalty": "l2",
            "trainable_weights": weights, "penalised_weights": weights - 10, "learning_rate": 0.1, "train_size": 500,
            "best_lambda": best, "best_lambda_low": best / 2, "best_lambda_high": best * 2, "best_grid_lambda": best,
            "one_se_low": best / 1.5, "one_se_high": best * 1.5, "grid_step": 1.0, "status": status, "seeds": 5,
            "estimate": "curve",
        }
    )  # fmt: skip
    return rows.assign(**columns)


def make_resampled(best, slopes=0.0, resamples=200):
    """ln λ* of a table's rows in resamples of seeds, whose own exponents differ by so much."""
    x = np.log(best["trainable_weights"].to_numpy(float))
    drawn = slopes / np.sqrt(5) * np.random.default_rng(0).normal(size=(resamples, 1))
    return np.log(best["best_lambda"].to_numpy(float)) + drawn * (x - np.log(5000))
