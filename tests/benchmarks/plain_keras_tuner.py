"""What a user does today: Keras Tuner's GridSearch over lambda and penalty, one compiled model a trial.

Prints the seconds that the search took, imports left out.   python plain_keras_tuner.py --width 8 --trials 6
"""

import argparse
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import keras_tuner as kt
import numpy as np
from measure import BATCH, EPOCHS, LAMBDAS, TRAIN, VALIDATION
from sklearn.datasets import load_digits

REGULARIZERS = {"l1": keras.regularizers.L1, "l2": keras.regularizers.L2}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--trials", type=int, default=6)
    arguments = parser.parse_args()
    images, labels = load_digits(return_X_y=True)
    images = (images / 16.0).reshape(-1, 8, 8, 1).astype("float32")
    order = np.random.default_rng(0).permutation(len(images))
    train, validation = order[:TRAIN], order[TRAIN : TRAIN + VALIDATION]

    def build(hp):
        penalty = REGULARIZERS[hp.Choice("penalty", ["l1", "l2"])](hp.Choice("lambda", LAMBDAS))
        width = arguments.width
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(width, 3, activation="relu", kernel_regularizer=penalty),
                keras.layers.Conv2D(2 * width, 3, activation="relu", kernel_regularizer=penalty),
                keras.layers.Flatten(),
                keras.layers.Dense(10, kernel_regularizer=penalty),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
        return model

    class Search(kt.GridSearch):
        """As it is, but for TensorBoard, which run_trial imports and TensorFlow no longer brings."""

        def _configure_tensorboard_dir(self, *_):
            pass

    with tempfile.TemporaryDirectory() as folder:
        objective = kt.Objective("val_loss", "min")
        tuner = Search(
            build, objective=objective, max_trials=arguments.trials, directory=folder, project_name="plain"
        )
        started = time.perf_counter()
        tuner.search(
            images[train],
            labels[train],
            validation_data=(images[validation], labels[validation]),
            epochs=EPOCHS,
            batch_size=BATCH,
            verbose=0,
        )
        print(time.perf_counter() - started, len(tuner.oracle.trials))


if __name__ == "__main__":
    main()
