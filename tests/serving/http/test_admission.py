import asyncio
import time

import pytest

from serving.http.admission import Admission, Turns, wait_for_round
from serving.http.problems import BUSY, RequestProblem
from serving.settings import ServingSettings


def test_items_are_counted_together_and_given_back():
    admission = Admission(ServingSettings(max_items_under_way=10))
    with admission.items(6), admission.items(4):
        with (
            pytest.raises(RequestProblem, match="too many items are under way, at most 10 are") as refused,
            admission.items(1),
        ):
            pass
        assert refused.value.kind is BUSY
        headers = dict(refused.value.headers)
        assert headers == {"Retry-After": "1", "RateLimit-Policy": '"items";q=10;w=1', "RateLimit": '"items";r=0;t=1'}
    with admission.items(10):
        pass


def test_what_is_left_is_told():
    admission = Admission(ServingSettings(max_items_under_way=10))
    with admission.items(7), pytest.raises(RequestProblem) as refused, admission.items(4):
        pass
    assert dict(refused.value.headers)["RateLimit"] == '"items";r=3;t=1'


def test_a_request_that_is_alone_is_let_in_however_large_it_is():
    with Admission(ServingSettings(max_items_under_way=10)).items(1000):
        pass


def test_an_error_gives_items_and_requests_back():
    admission = Admission(ServingSettings(max_items_under_way=1, max_requests_under_way=1))
    for _ in range(3):
        with pytest.raises(ValueError, match="bug"), admission, admission.items(1):
            raise ValueError("bug")


def test_turns_are_taken_in_order_one_for_each_round_of_the_loop():
    rounds: list[int] = []
    current = 0

    async def count_rounds() -> None:
        nonlocal current
        while len(rounds) < 5:
            current += 1
            await asyncio.sleep(0)

    async def compute(turns: Turns) -> None:
        await turns.take()
        rounds.append(current)

    async def main() -> None:
        turns = Turns()
        await asyncio.gather(count_rounds(), *(compute(turns) for _ in range(5)))

    asyncio.run(main())
    assert rounds == sorted(set(rounds))


def test_who_gives_up_waiting_does_not_keep_the_turn():
    done: list[str] = []

    async def compute(turns: Turns, name: str) -> None:
        await turns.take()
        done.append(name)

    async def main() -> None:
        turns = Turns()
        tasks = [asyncio.create_task(compute(turns, name)) for name in "abcd"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        assert done == ["a", "c", "d"]
        await compute(turns, "e")
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]

    asyncio.run(asyncio.wait_for(main(), 5))
    assert done == ["a", "c", "d", "e"]


def test_another_thread_waits_until_the_loop_has_done_what_was_ready():
    done: list[str] = []

    async def both() -> None:
        loop = asyncio.get_running_loop()
        for name in ("one", "two"):
            loop.call_soon(done.append, name)
        await loop.run_in_executor(None, lambda: (wait_for_round(loop), done.append("thread")))

    asyncio.run(both())
    assert done == ["one", "two", "thread"]


def test_another_thread_does_not_wait_long_for_a_loop_that_is_busy():
    async def busy() -> float:
        loop, started = asyncio.get_running_loop(), time.perf_counter()
        waiting = loop.run_in_executor(None, lambda: (wait_for_round(loop), time.perf_counter() - started)[1])
        time.sleep(0.5)  # the loop stands still
        return await waiting

    assert asyncio.run(busy()) < 0.4
