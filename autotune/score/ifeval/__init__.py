"""IFEval: instructions that a program can verify, their checkers, and verdicts given early."""
