"""How optimizers are printed."""

from typing import Any

import numpy as np
import torch
from helpers.dialects import Dialect
from numpy_adagrad import MindSporeAdagrad, TorchAdagrad, schedules


def test_layout_of_torch() -> None:
    """The lines of torch, and one for the parameters."""
    groups: list[Any] = [{"params": [(3,), (2, 2)], "lr": 0.5}, {"params": [(1,)], "weight_decay": 0.1}]
    theirs = torch.optim.Adagrad([{**group, "params": [torch.zeros(s) for s in group["params"]]} for group in groups])
    ours = TorchAdagrad([{**group, "params": [np.zeros(s, "f4") for s in group["params"]]} for group in groups])
    lines = repr(ours).splitlines()
    added = ["    params: (3,) float32, (2, 2) float32", "    params: (1,) float32"]
    assert [line for line in lines if "params: " in line] == added
    kept = [line for line in lines if line not in added]
    assert kept == repr(theirs).replace("Adagrad (", "TorchAdagrad (").splitlines()


def test_layout_of_mindspore() -> None:
    optimizer = MindSporeAdagrad({"W": np.zeros((4, 3), np.float32)}, learning_rate=[0.5] * 100)
    assert repr(optimizer).splitlines() == [
        "MindSporeAdagrad (",
        "Parameter Group 0",
        "    grad_centralization: False",
        "    loss_scale: 1.0",
        "    lr: [0.5 0.5 ... 0.5 0.5]",
        "    lr_name: learning_rate",
        "    params: W (4, 3) float32",
        "    update_slots: True",
        "    weight_decay: 0.0",
        ")",
    ]


def test_text_is_short(dialect: Dialect) -> None:
    """However many parameters there are, and however large they are."""
    optimizer = dialect.optimizer({f"layer{i}": np.zeros((100, 10)) for i in range(1000)})
    assert "params: layer0 (100, 10) float64, " in repr(optimizer)
    assert "layer3 (100, 10) float64 and 996 more\n" in repr(optimizer)
    assert len(repr(optimizer)) < 700
    rate = optimizer.param_groups[0][dialect.group_rate]
    name = dialect.optimizer.__name__
    assert str(optimizer) == f"{name}(1000 arrays at {dialect.group_rate}={rate})"


def test_schedules_are_printed(dialect: Dialect) -> None:
    key, schedule = dialect.group_rate, schedules.exponential(0.5, 0.9)
    optimizer = dialect.optimizer([{"params": [np.zeros(3)]}, {"params": [np.zeros(2), np.zeros(1)], key: schedule}])
    shown = "exponential(lr=0.5, gamma=0.9, decay_steps=1)"
    assert f"\n    {key}: {shown}\n" in repr(optimizer)
    assert str(optimizer).endswith(f"; 2 arrays at {key}={shown})")
