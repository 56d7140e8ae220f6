"""Tests of the ordered parallel map: order, bounded look-ahead, errors."""

from collections.abc import Iterator
from functools import partial

import pytest

from wsss_core.runtime.errors import UserError
from wsss_core.runtime.parallel_map import ITEMS_AHEAD, parallel_map


def _add(offset: int, item: int) -> int:
    if item == 99:
        raise UserError(f"image {item}: unreadable")
    return item + offset


def test_results_keep_the_order_and_items_are_taken_as_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(40):
            taken.append(item)
            yield item

    results = parallel_map(partial(_add, 1), items(), processes=2)
    assert next(results) == 1
    assert len(taken) <= 2 * ITEMS_AHEAD
    assert list(results) == list(range(2, 41))


def test_an_error_of_one_item_reaches_the_caller() -> None:
    with pytest.raises(UserError, match="image 99: unreadable"):
        list(parallel_map(partial(_add, 1), [1, 99, 2], processes=1))
