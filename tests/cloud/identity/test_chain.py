"""The audit log: whatever is edited, removed or put in is found, and the hub's role cannot even try."""

import asyncio
import json
from datetime import timedelta

import psycopg
import pytest

from cloud.identity.chain import head_line, read_head_lines, sign_head, verify
from cloud.identity.heads import keep_heads
from cloud.store import audit_log
from cloud.store.audit_log import Entry, row_hash
from provisioning.keys import Ed25519Signer
from tests.cloud.identity.conftest import START

pytestmark = pytest.mark.requirement("G-7.2d", "G-7.2b")
SIGNER = Ed25519Signer.generate()
ROWS = 20


def entry(number: int) -> Entry:
    return Entry(
        "account", "anna", "role.grant", f"account {number}", new={"n": number, "词": "审计\0"}, why="why"
    )


async def fill(pool, *, rows: int = ROWS) -> audit_log.Head:
    async with pool.connection() as connection:
        for number in range(rows):
            async with connection.transaction():
                await audit_log.append(connection, [entry(number)], at=START + timedelta(seconds=number))
        head = await sign_head(connection, SIGNER, at=START + timedelta(hours=1))
    assert head is not None
    return head


async def judged(pool, *, heads=None, trusted=frozenset({SIGNER.public_key})):
    async with pool.connection() as connection:
        kept = await audit_log.read_heads(connection) if heads is None else heads
        return await verify(audit_log.read_all(connection, part=7), kept, trusted=trusted)


def tamper(lab, *statements: str) -> None:
    """Do as an owner who switches the triggers off."""
    for table in ("audit_log", "audit_heads"):
        lab.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for statement in statements:
        lab.execute(statement)
    for table in ("audit_log", "audit_heads"):
        lab.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_untouched_log_is_whole(in_house):
    async def scene(house):
        await fill(house.pool)
        return await judged(house.pool)

    verdict = in_house(scene)
    assert (verdict.rows, verdict.heads, verdict.unsigned, verdict.faults) == (ROWS, 1, 0, [])


@pytest.mark.parametrize(
    "column",
    ["at = at + interval '1 us'", "actor = 'eve'", "actor_kind = 'rule'", "action = 'x'", "object = 'x'",
     "outcome = 'refused'", "why = ''", "origin = 'x'", "new = '{}'", "old = '{}'", "organisation_id = 1"],
)  # fmt: skip
def test_every_edited_field_is_found(in_house, lab, column):
    async def scene(house):
        await fill(house.pool)
        tamper(lab, f"UPDATE audit_log SET {column} WHERE id = 7")
        return await judged(house.pool)

    assert in_house(scene).faults == ["row 7: edited, its hash is not that of its content"]


def rewrite(lab, after: int) -> None:
    """Make the hashes of all rows behind `after` fit again, as somebody who knows the rule would."""
    columns = (
        "id, at, organisation_id, actor_kind, actor, action, object, outcome, old::text, new::text, why,"
        " origin, encode(previous, 'hex'), encode(hash, 'hex')"
    )
    previous = lab.execute("SELECT encode(hash, 'hex') FROM audit_log WHERE id = %s", after)[0][0]
    for fields in lab.execute(f"SELECT {columns} FROM audit_log WHERE id > %s ORDER BY id", after):
        row = audit_log.AuditRow(*fields[:12], previous, "")
        digest = row_hash(row)
        lab.execute(
            "UPDATE audit_log SET previous = decode(%s, 'hex'), hash = decode(%s, 'hex') WHERE id = %s",
            previous,
            digest,
            row.id,
        )
        previous = digest


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM audit_log WHERE id = 9", "rows 9 to 9: removed"),
        ("DELETE FROM audit_log WHERE id BETWEEN 3 AND 5", "rows 3 to 5: removed"),
        ("DELETE FROM audit_log WHERE id = 1", "rows 1 to 1: removed"),
        ("DELETE FROM audit_log WHERE id > 18", "row 20: was signed and is not there, removed at the end"),
        ("DELETE FROM audit_log", "row 20: was signed and is not there, removed at the end"),
    ],
)
def test_removed_rows_are_found_at_the_end_too(in_house, lab, statement, fault):
    async def scene(house):
        await fill(house.pool)
        tamper(lab, statement)
        return await judged(house.pool)

    assert fault in in_house(scene).faults


def test_rewritten_chain_contradicts_what_was_signed(in_house, lab):
    async def scene(house):
        await fill(house.pool)
        tamper(lab, "UPDATE audit_log SET actor = 'eve' WHERE id = 7", "DROP INDEX IF EXISTS nothing")
        lab.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        rewrite(lab, 6)
        lab.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")
        return await judged(house.pool)

    assert in_house(scene).faults == ["row 20: another one than was signed at 2026-01-01T01:00:00Z"]


def test_rows_behind_the_last_head_are_told_as_unsigned(in_house, lab):
    async def scene(house):
        await fill(house.pool)
        async with house.pool.connection() as connection:
            await audit_log.append(connection, [entry(99)], at=START)
        return await judged(house.pool)

    verdict = in_house(scene)
    assert (verdict.unsigned, verdict.faults) == (1, [])
    assert (verdict.signed, verdict.signed_at) == (ROWS, START + timedelta(hours=1))


def test_head_that_nobody_of_the_hub_signed_covers_no_row(in_house):
    async def scene(house):
        await fill(house.pool)
        return await judged(house.pool, trusted=frozenset({bytes(32)}))

    verdict = in_house(scene)
    assert (verdict.signed, verdict.unsigned) == (0, ROWS)


async def keep(house, file):
    """Let heads be kept until one is in the database."""
    task = asyncio.create_task(keep_heads(house.pool, SIGNER, file=file, now=house.clock, every_s=99))
    async with asyncio.timeout(45), house.pool.connection() as connection:
        for _ in range(2000):
            if task.done() or await audit_log.read_heads(connection):
                break
            await asyncio.sleep(0.005)
    task.cancel()
    return await asyncio.gather(task, return_exceptions=True)


def test_head_that_cannot_be_written_to_the_file_is_signed_again(in_house, tmp_path):
    async def scene(house):
        async with house.pool.connection() as connection, connection.transaction():
            await audit_log.append(connection, [entry(1)], at=START)
        (fault,) = await keep(house, tmp_path)
        assert isinstance(fault, OSError)
        async with house.pool.connection() as connection:
            assert await audit_log.read_heads(connection) == []
        await keep(house, tmp_path / "heads")

    in_house(scene)
    assert [head.audit_id for head in read_head_lines(tmp_path / "heads")] == [1]


def test_line_that_a_power_cut_tore_swallows_no_later_head(in_house, tmp_path):
    (tmp_path / "heads").write_text('{"audit_id": 1, "ha', encoding="utf-8")

    async def scene(house):
        async with house.pool.connection() as connection, connection.transaction():
            await audit_log.append(connection, [entry(1)], at=START)
        await keep(house, tmp_path / "heads")

    in_house(scene)
    torn, whole = (tmp_path / "heads").read_text(encoding="utf-8").splitlines()
    assert (torn, json.loads(whole)["audit_id"]) == ('{"audit_id": 1, "ha', 1)


def test_head_of_another_key_and_one_that_is_not_signed_are_found(in_house, lab):
    async def scene(house):
        head = await fill(house.pool)
        stranger = await judged(house.pool, trusted=frozenset({bytes(32)}))
        forged = audit_log.Head(head.audit_id, head.hash, head.at, head.public_key, bytes(64))
        return stranger, await judged(house.pool, heads=[forged])

    stranger, forged = in_house(scene)
    assert "which is no key of the hub" in stranger.faults[0]
    assert "its signature does not fit" in forged.faults[0]


def test_head_that_was_written_elsewhere_outlives_the_database(in_house, lab, tmp_path):
    async def scene(house):
        head = await fill(house.pool)
        (tmp_path / "heads").write_text(head_line(head) + "\n", encoding="utf-8")
        tamper(lab, "DELETE FROM audit_log WHERE id > 15", "DELETE FROM audit_heads")
        alone = await judged(house.pool)
        return alone, await judged(house.pool, heads=read_head_lines(tmp_path / "heads"))

    alone, with_line = in_house(scene)
    assert alone.faults == []
    assert with_line.faults == ["row 20: was signed and is not there, removed at the end"]
    (tmp_path / "heads").write_text("{}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="heads:1"):
        read_head_lines(tmp_path / "heads")


@pytest.mark.parametrize("table", ["audit_log", "audit_heads"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET hash = hash", "DELETE FROM {}", "TRUNCATE {}"])
def test_neither_the_hubs_role_nor_the_owner_can_change_it(in_house, lab, table, statement):
    for dsn in (lab.hub_dsn, lab.dsn):
        with (
            psycopg.connect(dsn, autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement.format(table))


def test_parallel_writers_make_one_chain_without_holes(in_house):
    async def scene(house):
        async def write(number):
            async with house.pool.connection() as connection, connection.transaction():
                await audit_log.append(connection, [entry(number), entry(number)], at=START)

        await asyncio.gather(*(write(number) for number in range(40)))
        return await judged(house.pool)

    verdict = in_house(scene)
    assert (verdict.rows, verdict.faults) == (80, [])


def test_change_that_is_undone_leaves_no_row_and_no_hole(in_house):
    async def scene(house):
        async with house.pool.connection() as connection, connection.transaction(force_rollback=True):
            await audit_log.append(connection, [entry(1)], at=START)
        await fill(house.pool, rows=3)
        return await judged(house.pool)

    verdict = in_house(scene)
    assert (verdict.rows, verdict.faults) == (3, [])


def test_search_finds_by_actor_action_object_outcome_and_pages(in_house, lab):
    async def scene(house):
        await fill(house.pool)
        async with house.pool.connection() as connection:
            asked = audit_log.Asked(START, START + timedelta(days=1), actor="anna", object="account 1")
            first = await audit_log.search(connection, asked, limit=4)
            rest = await audit_log.search(connection, asked, before=first[-1].id)
        return [row.id for row in first], [row.id for row in rest]

    assert in_house(scene) == ([20, 19, 18, 17], [16, 15, 14, 13, 12, 11, 2])
