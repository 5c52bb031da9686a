from __future__ import annotations

import numpy as np
import pytest

from saddlepoint.data.opening import open_source
from saddlepoint.paper.datasets import Parts


@pytest.fixture(scope="session")
def digits() -> Parts:
    data = open_source("digits")
    return Parts(
        name="digits",
        train=data.take(np.arange(1000)),
        validation=data.take(np.arange(1000, 1400)),
        test=data.take(np.arange(1400, 1797)),
    )
