"""verify(): proves that a history is the one that was written, or names the row that is not."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sublife.events.store import Store
from sublife.events.store.audit import Audit
from sublife.events.store.scratch import Scratch
from sublife.events.verify.chain import walk
from sublife.events.verify.finding import MOST, Finding, Verdict, Wrong
from sublife.events.verify.legible import illegible
from sublife.events.verify.pack import policies_named
from sublife.events.verify.rebuild import Rebuild
from sublife.events.verify.standing import first_difference
from sublife.lifecycle.policy import Policy

__all__ = ["Finding", "Verdict", "Wrong", "verify"]


def verify(
    store: Store,
    *,
    tenant: str | None = None,
    rebuild: bool = False,
    policies: Iterable[Policy] = (),
) -> Verdict:
    """Read the whole history as of one instant and check that it is as it was written.

    Every journal row must follow on the one before by its hash, without a gap, and the subject's
    own row must be where its journal ends; subjects and records must be readable. Nothing is
    written, and nobody has to stop writing; only a batch of rows is held in memory.

    Args:
        store: one that begins transactions of its own.
        tenant: whose history; that of every tenant in the database if not given.
        rebuild: also decide every accepted event again and compare facts, records and subjects
            with what is stored. It is done where the chains are sound.
        policies: packs of one's own that decided events; the shipped ones are at hand anyway.

    Returns:
        What was read, and the first row of each subject that is not as it was written.

    Raises:
        StoreError: the database cannot be read, or the store is inside a host's transaction.
    """
    with store.audit() as audit:
        names = list(audit.tenants()) if tenant is None else [tenant]
        verdict = _chains(audit, names)
        if not rebuild:
            return _legible(audit, names, verdict)
        if not verdict.is_sound:
            return verdict
        found = {version for name in names for version in audit.policies(name)}
        at_hand = policies_named(found, policies)
        missing = tuple(sorted(found - at_hand.keys()))
        if missing:
            return replace(verdict, missing=missing)
        for name in names:
            verdict = _rebuilt(audit, name, at_hand, verdict)
        return verdict


def _chains(audit: Audit, tenants: list[str]) -> Verdict:
    subjects = rows = unsound = 0
    findings: list[Finding] = []
    for tenant in tenants:
        for walked in walk(audit, tenant):
            subjects += 1
            rows += walked.rows
            if walked.finding is not None:
                unsound += 1
                findings += [walked.finding] if unsound <= MOST else []
    return Verdict(len(tenants), subjects, rows, unsound, tuple(findings))


def _legible(audit: Audit, tenants: list[str], so_far: Verdict) -> Verdict:
    """Add what cannot be read; a rebuild compares it anyway."""
    unsound, findings = so_far.unsound, list(so_far.findings)
    known = {(each.tenant, each.subject) for each in findings}
    for tenant in tenants:
        for finding in illegible(audit, tenant):
            if (tenant, finding.subject) in known:
                continue
            unsound += 1
            findings += [finding] if len(findings) < MOST else []
    return replace(so_far, unsound=unsound, findings=tuple(findings))


def _rebuilt(audit: Audit, tenant: str, policies: Mapping[str, Policy], so_far: Verdict) -> Verdict:
    with Scratch() as scratch:
        rebuild = Rebuild(audit, tenant, policies=policies, scratch=scratch)
        finding = rebuild.run() or first_difference(audit, tenant, scratch)
    return replace(
        so_far,
        decided=so_far.decided + rebuild.decided,
        records=so_far.records + rebuild.records,
        unsound=so_far.unsound + (finding is not None),
        findings=(*so_far.findings, *((finding,) if finding else ()))[:MOST],
    )
