"""Partitions on PostgreSQL: subjects by hash, journal and records by the month they were written.

It belongs to revision 0.1.0 and stays as it is; a later revision alters what is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Partitions:
    """How the tables of a PostgreSQL database are cut; chosen once, when they are made.

    Args:
        subjects: partitions of the subjects, by hash of tenant and id; 0 for one plain table.
        months: whether journal and records have a partition for each month of `recorded_at` (UTC).
        first: any day of the first month that gets its partition at once.
        ahead: how many months after that one get theirs too.
    """

    subjects: int = 0
    months: bool = False
    first: date = date(1970, 1, 1)
    ahead: int = 0

    def __str__(self) -> str:
        """Return it in words."""
        cuts = [f"{self.subjects} partitions of subjects"] if self.subjects else []
        cuts += ["partitions by month"] if self.months else []
        return " and ".join(cuts) or "no partitions"


PLAIN = Partitions()
BY_MONTH = ("sublife_journal", "sublife_activity", "sublife_order")

_JOURNAL_KEYS = """
CREATE FUNCTION sublife_keep_journal_keys() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO sublife_journal_key (tenant, event_id, subject, sequence, position)
        SELECT tenant, event_id, subject, sequence, position FROM come;
    ELSIF TG_OP = 'UPDATE' THEN
        DELETE FROM sublife_journal_key AS k USING gone AS g
        WHERE k.tenant = g.tenant AND k.event_id = g.event_id AND NOT EXISTS (
            SELECT FROM come AS c WHERE c.tenant = g.tenant AND c.event_id = g.event_id
        );
        UPDATE sublife_journal_key AS k
        SET subject = c.subject, sequence = c.sequence, position = c.position FROM come AS c
        WHERE k.tenant = c.tenant AND k.event_id = c.event_id
        AND (k.subject, k.sequence, k.position) <> (c.subject, c.sequence, c.position);
        INSERT INTO sublife_journal_key (tenant, event_id, subject, sequence, position)
        SELECT tenant, event_id, subject, sequence, position FROM come AS c WHERE NOT EXISTS (
            SELECT FROM gone AS g WHERE g.tenant = c.tenant AND g.event_id = c.event_id
        );
    ELSE
        DELETE FROM sublife_journal_key AS k USING gone AS g
        WHERE k.tenant = g.tenant AND k.event_id = g.event_id;
    END IF;
    RETURN NULL;
END $body$
"""

_RECORD_KEYS = """
CREATE FUNCTION sublife_keep_{kind}_keys() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO sublife_{kind}_key (tenant, id) SELECT tenant, id FROM come;
    ELSIF TG_OP = 'UPDATE' THEN
        DELETE FROM sublife_{kind}_key AS k
        USING (SELECT tenant, id FROM gone EXCEPT SELECT tenant, id FROM come) AS g
        WHERE k.tenant = g.tenant AND k.id = g.id;
        INSERT INTO sublife_{kind}_key (tenant, id)
        SELECT tenant, id FROM come EXCEPT SELECT tenant, id FROM gone;
    ELSE
        DELETE FROM sublife_{kind}_key AS k USING gone AS g
        WHERE k.tenant = g.tenant AND k.id = g.id;
    END IF;
    RETURN NULL;
END $body$
"""

_WATCH = """
CREATE FUNCTION sublife_watch_partition(kind text, partition text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER sublife_keys_come AFTER INSERT ON %I REFERENCING NEW TABLE AS come '
        'FOR EACH STATEMENT EXECUTE FUNCTION sublife_keep_%s_keys()', partition, kind);
    EXECUTE format(
        'CREATE TRIGGER sublife_keys_change AFTER UPDATE ON %I '
        'REFERENCING OLD TABLE AS gone NEW TABLE AS come '
        'FOR EACH STATEMENT EXECUTE FUNCTION sublife_keep_%s_keys()', partition, kind);
END $body$
"""
"""A statement that names a partition fires that partition's triggers, not those of the whole."""

_MAKE_MONTHS = """
CREATE FUNCTION sublife_make_months(first date, months integer) RETURNS SETOF text
LANGUAGE plpgsql SET search_path FROM CURRENT AS $body$
DECLARE
    begins timestamp;
    since timestamptz;
    until timestamptz;
    kind text;
    partition text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('sublife_schema', 0));
    FOR month IN 0 .. months - 1 LOOP
        begins := date_trunc('month', first::timestamp) + make_interval(months => month);
        since := begins AT TIME ZONE 'UTC';
        until := (begins + interval '1 month') AT TIME ZONE 'UTC';
        FOREACH kind IN ARRAY ARRAY['journal', 'activity', 'order'] LOOP
            partition := 'sublife_' || kind || to_char(begins, '"_"YYYY_MM');
            CONTINUE WHEN EXISTS (
                SELECT FROM pg_class WHERE relname = partition AND pg_table_is_visible(oid)
            );
            LOCK TABLE sublife_journal, sublife_activity, sublife_order IN ACCESS EXCLUSIVE MODE;
            EXECUTE format(
                'CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                partition, 'sublife_' || kind);
            EXECUTE format(
                'WITH moved AS (DELETE FROM %I WHERE recorded_at >= $1 AND recorded_at < $2 '
                'RETURNING *) INSERT INTO %I SELECT * FROM moved',
                'sublife_' || kind || '_default', partition) USING since, until;
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                'sublife_' || kind, partition, since, until);
            PERFORM sublife_watch_partition(kind, partition);
            RETURN NEXT partition;
        END LOOP;
    END LOOP;
END $body$
"""
"""Rows that came before their month had a partition lie in the default one, and move."""


def cut_subjects(execute: Callable[[str], None], count: int) -> None:
    """Make the partitions of the subjects.

    Args:
        execute: runs or prints a statement.
        count: of partitions.
    """
    for number in range(count):
        execute(
            f"CREATE TABLE sublife_subject_{number:02} PARTITION OF sublife_subject "
            f"FOR VALUES WITH (MODULUS {count}, REMAINDER {number})"
        )


def cut_months(execute: Callable[[str], None], form: Partitions) -> None:
    """Make default partitions, the triggers that keep what is unique, and the first months."""
    execute(_JOURNAL_KEYS)
    execute(_RECORD_KEYS.format(kind="activity"))
    execute(_RECORD_KEYS.format(kind="order"))
    execute(_WATCH)
    execute(_MAKE_MONTHS)
    for table in BY_MONTH:
        kind = table.removeprefix("sublife_")
        execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
        for watched in (table, f"{table}_default"):
            execute(f"SELECT sublife_watch_partition('{kind}', '{watched}')")
        execute(
            f"CREATE TRIGGER sublife_keys_go AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone "
            f"FOR EACH STATEMENT EXECUTE FUNCTION sublife_keep_{kind}_keys()"
        )
    execute(f"SELECT sublife_make_months('{form.first.isoformat()}', {form.ahead + 1})")
