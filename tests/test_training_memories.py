"""The table of success by lag: at a tiny size it comes out whole, and the gated networks remember."""

from unrolled.tasks import Recall
from unrolled.trainings import memories


def test_each_task_and_lag_has_a_row_with_every_model():
    (row,) = memories.rows(seed=0, steps=60, lags={"recall": (Recall, (10,))})
    assert row[:3] == ["recall", 10, 1 / 8]
    assert len(row) == len(memories.COLUMNS) == 3 + len(memories.MODELS)
    assert min(row[4:]) > 0.9
