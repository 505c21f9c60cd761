"""How far the gate can be trusted: faults planted in torch, and differences that are no faults."""
