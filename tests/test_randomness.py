"""Every random number follows from the seed and its purpose alone."""

import numpy as np

from regsearch.randomness import BATCHES, DROPOUT, START, draw_batches, draw_layer_seed, make_stream


def test_batches_hold_every_image_once_and_fill_the_last_from_the_same_shuffle():
    rows = draw_batches(seed=3, epoch=1, size=10, batch_size=4)
    assert rows.shape == (3, 4)
    assert sorted(rows.ravel()[:10]) == list(range(10))
    assert (rows.ravel()[10:] == rows.ravel()[:2]).all()


def test_batches_follow_from_seed_and_epoch():
    assert (draw_batches(3, 1, 50, 8) == draw_batches(3, 1, 50, 8)).all()
    assert (draw_batches(3, 1, 50, 8) != draw_batches(3, 2, 50, 8)).any()
    assert (draw_batches(3, 1, 50, 8) != draw_batches(4, 1, 50, 8)).any()


def test_an_epoch_of_more_steps_goes_on_with_shuffles_of_its_own():
    few, many = draw_batches(3, 1, 10, 4), draw_batches(3, 1, 10, 4, steps=7)
    assert many.shape == (7, 4)
    assert (many[:3] == few).all()
    assert sorted(many[3:6].ravel()[:10]) == list(range(10))
    assert (many[3:6] != many[:3]).any()
    assert (draw_batches(3, 1, 10, 4, steps=2) == few[:2]).all()


def test_streams_do_not_meet():
    drawn = [
        make_stream(*key).random(4) for key in [(0, START), (0, BATCHES), (1, START), (0, START, 1), (0, START, 2)]
    ]
    assert len(np.unique(np.round(drawn, 12))) == 20
    assert draw_layer_seed(0, START, 0) != draw_layer_seed(0, DROPOUT, 0)
