"""Tests of the map that computes two images at a time on a CPU."""

import threading

import pytest
import torch

from wsss_core.runtime.overlapped_map import AT_ONCE, overlapped_map

CPU = torch.device("cpu")


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_results_keep_their_order(four_threads):
    """The first of two items always ends last."""
    second_ended = [threading.Event() for _ in range(5)]

    def square(number):
        if number % 2:
            second_ended[number // 2].set()
        else:
            assert second_ended[number // 2].wait(10)
        return number**2

    assert list(overlapped_map(square, range(10), CPU)) == [n**2 for n in range(10)]


def test_the_threads_are_divided(four_threads):
    counts = list(overlapped_map(lambda _: torch.get_num_threads(), range(6), CPU))
    assert counts == [4 // AT_ONCE] * 6
    assert torch.get_num_threads() == 4


def test_few_items_are_read_ahead(four_threads):
    read = []
    results = overlapped_map(lambda n: n, (read.append(n) or n for n in range(100)), CPU)
    assert next(results) == 0
    assert len(read) == AT_ONCE + 1
    results.close()
    assert torch.get_num_threads() == 4


def test_an_error_of_the_function_or_of_the_items_ends_the_map(four_threads):
    with pytest.raises(ZeroDivisionError):
        list(overlapped_map(lambda n: 1 // n, [2, 1, 0, 1], CPU))

    def items():
        yield 1
        raise ValueError("unreadable")

    with pytest.raises(ValueError, match="unreadable"):
        list(overlapped_map(lambda n: n, items(), CPU))
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize(("threads", "device"), [(1, "cpu"), (4, "meta")])
def test_one_thread_and_other_devices_work_in_the_main_thread(threads, device, four_threads):
    torch.set_num_threads(threads)
    names = overlapped_map(
        lambda _: threading.current_thread().name, range(3), torch.device(device)
    )
    assert set(names) == {threading.current_thread().name}
