"""Plans that are not carried out, however right the rules make them look.  Pure."""

from collections.abc import Collection

import msgspec

from holdfast.retention.domain import RetentionPlan


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may go in one run."""

    share: float = 1.0
    """Largest part of all snapshots, 0 to 1.  1 sets no limit."""
    always_allowed: int = 10
    """So many may go whatever share they are: half of four snapshots is no alarm."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing is forgotten."""

    code: str
    reason: str


def guard(
    plan: RetentionPlan,
    limits: Limits,
    *,
    not_restorable: Collection[str] = (),
) -> RetentionPlan | Refusal:
    """*plan* if it may be carried out, else why not.

    The plan is of one configuration at one destination.  Refused are plans that forget its
    last restorable snapshot (*not_restorable*: ids known to be damaged), and those that
    forget more than *limits* allow, as after a mistyped rule.
    """
    if not plan.forget:
        return plan
    kept = {each.id for each in plan.keep}
    damaged = set(not_restorable)
    if kept <= damaged and not set(plan.forget) <= damaged:
        return Refusal(
            code="last_restorable_snapshot",
            reason="It would remove the last snapshot that can be restored.",
        )

    total = len(plan.keep) + len(plan.forget)
    too_many = len(plan.forget) > limits.share * total
    if too_many and len(plan.forget) > limits.always_allowed:
        return Refusal(
            code="too_many_at_once",
            reason=f"It would remove {len(plan.forget)} of {total} snapshots at once, and at most "
            f"{limits.share:.0%} may go.",
        )
    return plan
