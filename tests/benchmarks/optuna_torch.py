"""The strongest thing a user would pick instead on a CPU: Optuna's grid over a hand-written PyTorch loop.

Prints the seconds that the search took, imports left out. Needs torch and optuna.
"""

import argparse
import time

import numpy as np
import optuna
import torch
from measure import BATCH, EPOCHS, LAMBDAS, TRAIN, VALIDATION
from sklearn.datasets import load_digits
from torch import nn


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    images, labels = load_digits(return_X_y=True)
    images = torch.tensor((images / 16.0).reshape(-1, 1, 8, 8), dtype=torch.float32)
    labels = torch.tensor(labels)
    order = np.random.default_rng(0).permutation(len(images))
    train, validation = order[:TRAIN], order[TRAIN : TRAIN + VALIDATION]

    def objective(trial):
        lam = trial.suggest_categorical("lambda", LAMBDAS)
        penalty = trial.suggest_categorical("penalty", ["l1", "l2"])
        w = arguments.width
        model = nn.Sequential(
            nn.Conv2d(1, w, 3), nn.ReLU(), nn.Conv2d(w, 2 * w, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32 * w, 10)
        )
        optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
        kernels = [parameter for parameter in model.parameters() if parameter.dim() > 1]
        x, y = images[train], labels[train]
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(x)).split(BATCH):
                loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
                loss = loss + lam * sum(k.abs().sum() if penalty == "l1" else k.square().sum() for k in kernels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            with torch.no_grad():
                value = nn.functional.cross_entropy(model(images[validation]), labels[validation]).item()
        return value

    study = optuna.create_study(
        sampler=optuna.samplers.GridSampler({"lambda": LAMBDAS, "penalty": ["l1", "l2"]}, seed=0)
    )
    started = time.perf_counter()
    study.optimize(objective, n_trials=arguments.trials)
    print(time.perf_counter() - started, len(study.trials))


if __name__ == "__main__":
    main()
