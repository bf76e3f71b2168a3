"""Every public entry point, each with arguments of which some are right and some are anything."""

import copy
import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy_adagrad
from numpy_adagrad import MindSporeAdagrad, RowSparse, TorchAdagrad, functional, schedules
from reliability.hostile.objects import Meddler, anything, wrong_row_sparse, wrong_scipy_array

Choose = Callable[[Meddler, Any], Any]
# Their arguments are of any type here.
adagrad: Any = functional.adagrad
translate_state: Any = numpy_adagrad.translate_state
SCRATCH = os.memfd_create("checkpoint")
FILE = f"/proc/self/fd/{SCRATCH}"


def maybe(meddler: Meddler, right: Any, chance: float = 0.5) -> Any:
    return anything(meddler) if meddler.rng.random() < chance else right


def some(meddler: Meddler, **right: Any) -> dict[str, Any]:
    """Some of these arguments, each right or anything."""
    return {name: maybe(meddler, value) for name, value in right.items() if meddler.rng.random() < 0.3}


def new_arrays(meddler: Meddler) -> list[Any]:
    meddler.arrays = [np.ones(3, np.float32), np.ones((4, 3), np.float32)]
    return meddler.arrays


def optimizer(meddler: Meddler) -> Any:
    """An ordinary one, with or without names and groups."""
    arrays = new_arrays(meddler)
    form = meddler.rng.choice([arrays, dict(zip(["w0", "w1"], arrays, strict=True)), [{"params": arrays}]])
    made = meddler.rng.choice([TorchAdagrad, MindSporeAdagrad])(form)
    meddler.optimizer = made
    if meddler.rng.random() < 0.5:
        made.step(gradients(meddler, 0.0))
    return made


def gradients(meddler: Meddler, chance: float = 0.3) -> Any:
    right = [np.ones(3, np.float32), np.ones((4, 3), np.float32)]
    items = [maybe(meddler, grad, chance) for grad in right]
    if meddler.rng.random() < chance:
        items[1] = meddler.rng.choice([wrong_row_sparse, wrong_scipy_array])(meddler)
    names = meddler.optimizer is not None and meddler.optimizer.names
    if names and meddler.rng.random() < 0.5:
        return dict(zip(["w0", "w1"] if names == ["w0", "w1"] else names, items, strict=False))
    return items


def construct(meddler: Meddler) -> Any:
    arrays = [maybe(meddler, array, 0.3) for array in new_arrays(meddler)]
    params = maybe(meddler, arrays, 0.3)
    if meddler.rng.random() < 0.3:
        params = [{"params": params, **some(meddler, lr=0.1, weight_decay=0.1, param_names=["a", "b"])}]
    if meddler.rng.random() < 0.5:
        numbers = some(meddler, lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.1, eps=1e-10)
        flags = some(meddler, foreach=None, maximize=True, differentiable=False, fused=True)
        own = some(meddler, state_dtype=None, sparse_weight_decay="touched", allocate=None)
        return TorchAdagrad(params, **numbers, **flags, **own)
    numbers = some(meddler, accum=0.1, learning_rate=0.1, loss_scale=2.0, weight_decay=0.1)
    return MindSporeAdagrad(params, **numbers, **some(meddler, update_slots=True, state_dtype=None, allocate=None))


def step(meddler: Meddler) -> None:
    made = optimizer(meddler)
    if meddler.rng.random() < 0.3:
        group = meddler.rng.choice(made.param_groups)
        group[meddler.rng.choice(list(group))] = anything(meddler)
    options = some(meddler, grad_scale=2.0, max_norm=1.0, on_nonfinite="skip")
    if meddler.rng.random() < 0.2:
        made.step(closure=maybe(meddler, lambda: maybe(meddler, (0.5, gradients(meddler)), 0.2)), **options)
    else:
        made.step(maybe(meddler, gradients(meddler), 0.2), **options)


def dicts(value: Any) -> Iterator[dict[Any, Any]]:
    """The dicts in a state dict, itself among them."""
    if type(value) is dict:
        yield value
    if type(value) in (dict, list):
        for item in value.values() if type(value) is dict else value:
            yield from dicts(item)


def state_dicts(meddler: Meddler) -> None:
    made = optimizer(meddler)
    saved = copy.deepcopy(made.state_dict())
    for _ in range(meddler.rng.randrange(3)):
        place = meddler.rng.choice([*dicts(saved)])
        place[meddler.rng.choice([*place, "a", 7])] = anything(meddler)
    if meddler.rng.random() < 0.3:
        other = meddler.rng.sample(["torch", "mindspore"], 2)
        translate_state(*other, saved, **some(meddler, names=["w0", "w1"]))
    made.load_state_dict(maybe(meddler, saved, 0.2))


def files(meddler: Meddler) -> None:
    made = optimizer(meddler)
    made.save(
        FILE if meddler.rng.random() < 0.7 else anything_but_paths(meddler),
        **some(meddler, parameters=True, extra={"a": 1}),
    )
    if meddler.rng.random() < 0.3:
        os.pwrite(SCRATCH, meddler.rng.randbytes(8), meddler.rng.randrange(600))
    made.load(FILE, **some(meddler, parameters=True))


def anything_but_paths(meddler: Meddler) -> Any:
    """No text: that would be a file of the folder in which this runs. No number: that would be an open file."""
    value = anything(meddler)
    return None if isinstance(value, (str, bytes, int)) else value


def attributes(meddler: Meddler) -> None:
    made = optimizer(meddler)
    name = meddler.rng.choice(["lr", "state", "param_groups", "eps", "weight_decay", "learning_rate"])
    action = meddler.rng.randrange(7)
    if action == 0:
        setattr(made, name, anything(meddler))
    elif action == 1:
        made.state[anything(meddler)]
    elif action == 2:
        made.add_param_group(maybe(meddler, {"params": maybe(meddler, [np.ones(2)]), **some(meddler, lr=0.1)}))
    elif action == 3:
        made.state_dict(tensors=anything(meddler))
    elif action == 4:
        made.param_groups[0][meddler.rng.choice(list(made.param_groups[0]))] = anything(meddler)
        repr(made), str(made), made.names, made.last_lr, made.steps, made.grad_norm, dict(made.state)
    elif action == 5:
        made.param_groups[0][meddler.rng.choice(list(made.param_groups[0]))] = anything(meddler)
        copy.deepcopy(made)
    else:
        pickle.loads(pickle.dumps(made)).step(maybe(meddler, gradients(meddler)))


def functions(meddler: Meddler) -> None:
    p, g, s = (maybe(meddler, np.ones(3, np.float32), 0.3) for _ in range(3))
    if meddler.rng.random() < 0.5:
        functional.apply_adagrad(p, s, maybe(meddler, 0.5, 0.2), g, maybe(meddler, True, 0.2))
        return
    lists = [maybe(meddler, [item], 0.1) for item in (p, g, s, maybe(meddler, np.zeros((), np.float32), 0.2))]
    numbers = {"lr": 0.1, "weight_decay": 0.1, "lr_decay": 0.1, "eps": 1e-10, "maximize": True}
    numbers = {name: maybe(meddler, value, 0.1) for name, value in numbers.items()}
    adagrad(*lists, **numbers, **some(meddler, grad_scale=2.0, found_inf=0.0, fused=True, has_complex=False))


def sparse(meddler: Meddler) -> None:
    made = RowSparse(maybe(meddler, [0, 2], 0.3), maybe(meddler, np.ones((2, 3), np.float32), 0.3))
    action = meddler.rng.randrange(6)
    if action == 0:
        made + maybe(meddler, made)
    elif action == 1:
        made * anything(meddler)
    elif action == 2:
        made.toarray(maybe(meddler, (4, 3)))
    elif action == 3:
        RowSparse.from_scipy(wrong_scipy_array(meddler) if meddler.rng.random() < 0.7 else anything(meddler))
    elif action == 4:
        RowSparse.from_torch(anything(meddler))
    else:
        made.toarray((anything(meddler), 3))


SCHEDULES = [getattr(schedules, name) for name in schedules.__all__]


def schedule(meddler: Meddler) -> None:
    kind = meddler.rng.choice(SCHEDULES)
    arguments = [maybe(meddler, meddler.rng.choice([0.1, 1, 10]), 0.3) for _ in range(meddler.rng.randrange(6))]
    made = kind(*arguments)
    made(maybe(meddler, 3, 0.3))
    if isinstance(made, schedules.ReduceOnPlateau):
        made.step(anything(meddler))
    repr(made)


def migrate(meddler: Meddler) -> None:
    action = meddler.rng.randrange(6)
    if action == 0:
        rules = [maybe(meddler, rule, 0.1) for rule in ("torch", "mindspore")]
        numpy_adagrad.translate(
            *rules, **some(meddler, lr=0.1, eps=1e-10, weight_decay=0.1, lr_decay=0.1, learning_rate=1.0)
        )
    elif action == 1:
        numpy_adagrad.from_torch(anything(meddler))
    elif action == 2:
        numpy_adagrad.from_mindspore(anything(meddler))
    elif action == 3:
        numpy_adagrad.to_torch(maybe(meddler, optimizer(meddler)), anything(meddler))
    elif action == 4:
        numpy_adagrad.to_mindspore(maybe(meddler, optimizer(meddler)), anything(meddler))
    else:
        numpy_adagrad.torch_grads(anything(meddler))


CALLS: list[Callable[[Meddler], Any]] = [
    construct, step, step, step, state_dicts, files, attributes, functions, sparse, schedule, migrate,
]  # fmt: skip
