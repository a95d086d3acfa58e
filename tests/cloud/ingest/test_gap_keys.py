"""Gaps of one point, boot and cause stay apart, and said again they stay one."""

from wire.messages import Gap
from wire.status import GapCause

POINT = "room/air/temperature"


def test_gaps_of_unknown_start_are_told_apart_by_their_end(in_laboratory):
    async def scene(laboratory):
        await laboratory.declare([POINT])
        chain = laboratory.chain()
        first = chain.seal(gaps=[Gap(POINT, GapCause.STORAGE, None, 100, "card was damaged")])
        second = chain.seal(gaps=[Gap(POINT, GapCause.STORAGE, None, 900, "card was damaged again")])
        again = chain.seal(base_tick=50, gaps=[Gap(POINT, GapCause.STORAGE, None, 50, "card was damaged")])
        await laboratory.store(second, first)
        await laboratory.store(again)
        gaps = await laboratory.rows("SELECT reason FROM gaps WHERE from_at IS NULL ORDER BY to_at")
        assert gaps == [("card was damaged",), ("card was damaged again",)]

    in_laboratory(scene)
