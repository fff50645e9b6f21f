import asyncio

import pytest

from serving.http.turns import Turns


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
