"""The faults that the audit plants, by the stage of training that they spoil."""

from suite.audit.faults import backward, data, forward, initialisation, loss, rounding, seeding, speed, update

FAULTS = (
    *initialisation.FAULTS,
    *seeding.FAULTS,
    *data.FAULTS,
    *forward.FAULTS,
    *loss.FAULTS,
    *backward.FAULTS,
    *update.FAULTS,
    *rounding.FAULTS,
    *speed.FAULTS,
)

__all__ = ["FAULTS"]
