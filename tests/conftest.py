"""What every test stands on: shapes are enforced, nothing opens a socket, one thread, one seed."""

import os

os.environ.update(UNROLLED_OFFLINE="1", UNROLLED_PROGRESS="0", MPLBACKEND="agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jaxtyping  # noqa: E402

jaxtyping.install_import_hook("unrolled", "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402


@pytest.fixture(autouse=True)
def same_start():
    """Each test begins with the same seed and one thread, whatever ran before it."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def unchecked():
    """Our own messages, as people without jaxtyping see them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
