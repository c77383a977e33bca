"""Questions about training that take many trainings to answer: `lstm-engine study`."""
