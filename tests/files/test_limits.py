"""The limit is checked, and the message says what to do."""

import pytest

from align_cli.files.errors import ContentError
from align_cli.files.limits import check_size


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_no_pixels(size):
    with pytest.raises(ContentError, match="has no pixels"):
        check_size(*size, 1.0)


@pytest.mark.parametrize(("limit", "share"), [(0.02, 1.0), (0.04, 2.0)])
def test_the_limit_itself_passes(limit, share):
    check_size(200, 100, limit, share)
    with pytest.raises(ContentError, match="more than the limit"):
        check_size(201, 100, limit, share)


@pytest.mark.parametrize("size", [(201, 100), (1, 1), (12_345, 67_891)])
def test_the_limit_that_is_advised_is_enough(size):
    with pytest.raises(ContentError) as caught:
        check_size(*size, 1e-9)
    check_size(*size, float(caught.value.advice.split()[-1]))
