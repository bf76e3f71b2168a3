"""The optimizers, one file for each rule, on a common base."""
