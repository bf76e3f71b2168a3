"""What surrounds a step in a training loop works as with torch's optimizer, to the last bit."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.dropin import assert_same, parameters, set_grads
from numpy_adagrad.torch import Adagrad
from torch.optim import lr_scheduler, swa_utils
from torch.optim.optimizer import register_optimizer_step_post_hook

STEPS = 8
SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "step": lambda opt: lr_scheduler.StepLR(opt, 2),
    "lambda": lambda opt: lr_scheduler.LambdaLR(opt, lambda epoch: 0.9**epoch),
    "cosine": lambda opt: lr_scheduler.CosineAnnealingLR(opt, STEPS),
    "warm restarts": lambda opt: lr_scheduler.CosineAnnealingWarmRestarts(opt, 3),
    "exponential": lambda opt: lr_scheduler.ExponentialLR(opt, 0.8),
    "one cycle": lambda opt: lr_scheduler.OneCycleLR(opt, 0.5, total_steps=STEPS, cycle_momentum=False),
    "sequence": lambda opt: lr_scheduler.SequentialLR(
        opt, [lr_scheduler.ConstantLR(opt, 0.1), lr_scheduler.LinearLR(opt)], [3]
    ),
    "averaging": lambda opt: swa_utils.SWALR(opt, 0.05, anneal_epochs=4),
}


def networks() -> tuple[torch.nn.Module, torch.nn.Module]:
    def network() -> torch.nn.Module:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(6, 20), torch.nn.Tanh(), torch.nn.Linear(20, 3))

    return network(), network()


def loss_of(model: torch.nn.Module, step: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(16, 6, generator=generator)
    return torch.nn.functional.mse_loss(model(x), x[:, :3].sin())


def optimizers(one: torch.nn.Module, other: torch.nn.Module, **options: Any) -> tuple[Adagrad, torch.optim.Adagrad]:
    options = {"lr": 0.1, **options}
    return Adagrad(one.parameters(), **options), torch.optim.Adagrad(other.parameters(), fused=True, **options)


@pytest.mark.parametrize("rate", [0.1, torch.tensor(0.1), torch.tensor([0.1], dtype=torch.float64)], ids=str)
@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers(name: str, rate: Any) -> None:
    if name == "one cycle" and isinstance(rate, torch.Tensor):
        rate = torch.tensor(0.1)
    models = networks()
    pairs = [(model, opt) for model, opt in zip(models, optimizers(*models, lr=rate), strict=True)]
    losses: list[list[float]] = []
    for model, optimizer in pairs:
        if isinstance(rate, torch.Tensor):
            optimizer.param_groups[0]["lr"] = rate.clone()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own about the chain
            scheduler = SCHEDULERS[name](optimizer)
            losses.append([])
            for step in range(STEPS):
                optimizer.zero_grad()
                loss = loss_of(model, step)
                loss.backward()
                optimizer.step()
                scheduler.step()
                losses[-1].append(loss.item())
    assert losses[0] == losses[1]
    assert_same(pairs[0][1], pairs[1][1])


def test_reduce_on_plateau() -> None:
    models = networks()
    for model, optimizer in zip(models, optimizers(*models), strict=True):
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.5)
        for step in range(STEPS):
            optimizer.zero_grad()
            loss_of(model, step).backward()
            optimizer.step()
            scheduler.step(loss_of(model, 0).item())
        assert optimizer.param_groups[0]["lr"] < 1e-3


def test_closures_and_clipping() -> None:
    models = networks()
    opts = optimizers(*models)
    losses: list[list[Any]] = []
    for model, optimizer in zip(models, opts, strict=True):
        losses.append([])
        for step in range(STEPS):

            def closure(model: Any = model, optimizer: Any = optimizer, step: int = step) -> torch.Tensor:
                assert torch.is_grad_enabled()
                optimizer.zero_grad()
                loss = loss_of(model, step)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
                return loss

            with torch.no_grad():
                losses[-1].append(optimizer.step(closure).item())
    assert losses[0] == losses[1]
    assert_same(*opts)


@pytest.mark.parametrize("set_to_none", [False, True])
def test_accumulated_gradients(set_to_none: bool) -> None:
    models = networks()
    opts = optimizers(*models, weight_decay=0.01)
    for model, optimizer in zip(models, opts, strict=True):
        for step in range(STEPS):
            loss_of(model, step).backward()
            if step % 2:
                optimizer.step()
                optimizer.zero_grad(set_to_none=set_to_none)
    assert_same(*opts)


def test_hooks() -> None:
    (param,) = params = parameters([(3,)])
    optimizer = Adagrad(params, lr=0.1)
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: calls.append("before"))
    optimizer.register_step_post_hook(
        lambda opt, args, kwargs: calls.append(f"after {opt.state[param]['step'].item()}")
    )
    optimizer.register_state_dict_post_hook(lambda opt, saved: calls.append("saved"))
    optimizer.register_load_state_dict_pre_hook(lambda opt, saved: calls.append("loaded"))
    handle = register_optimizer_step_post_hook(lambda opt, args, kwargs: calls.append(type(opt).__module__))
    set_grads(params, 0)
    optimizer.step()
    handle.remove()
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls == ["before", "after 1.0", "numpy_adagrad.torch", "saved", "loaded"]


def test_the_optimizer_in_the_backward_pass() -> None:
    """One optimizer for each parameter, which steps as soon as its gradient is there."""
    models = networks()
    for model, kind in zip(models, (Adagrad, torch.optim.Adagrad), strict=True):
        options: dict[str, Any] = {"lr": 0.1, "fused": True}
        opts = {param: kind([param], **options) for param in model.parameters()}

        def update(param: torch.Tensor, opts: Any = opts) -> None:
            opts[param].step()
            opts[param].zero_grad()

        for param in opts:
            param.register_post_accumulate_grad_hook(update)
        for step in range(STEPS):
            loss_of(model, step).backward()
    for param, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(param, other)


def test_a_compiled_training_step() -> None:
    """torch runs the step outside its graph, and does not warn of code that it cannot trace."""
    models = networks()
    opts = optimizers(*models, lr_decay=0.1)

    def train(model: Any, optimizer: Any, step: int) -> None:
        optimizer.zero_grad()
        loss_of(model, step).backward()
        optimizer.step()

    compiled = torch.compile(train, backend="eager")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(3):
            compiled(models[0], opts[0], step)
            train(models[1], opts[1], step)
    assert not [one for one in caught if "Dynamo does not know" in str(one.message)]
    assert_same(*opts)


def test_averaged_models() -> None:
    models = networks()
    averages = []
    for model, optimizer in zip(models, optimizers(*models), strict=True):
        average = swa_utils.AveragedModel(model)
        for step in range(STEPS):
            optimizer.zero_grad()
            loss_of(model, step).backward()
            optimizer.step()
            average.update_parameters(model)
        averages.append(loss_of(average, 0).item())
    assert averages[0] == averages[1]


@pytest.mark.parametrize("clips", [False, True])
@pytest.mark.parametrize("fused", [None, True])
def test_a_grad_scaler(clips: bool, fused: bool | None) -> None:
    """As with torch's optimizer, only a fused step is left to divide by the scale: Lightning forbids it to clip."""
    models = networks()
    opts = Adagrad(models[0].parameters(), lr=0.1, fused=fused), optimizers(*models)[1]
    assert hasattr(opts[0], "_step_supports_amp_scaling") == bool(fused)
    for model, optimizer in zip(models, opts, strict=True):
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
        for step in range(STEPS):
            optimizer.zero_grad()
            factor = float("inf") if step == 3 else 1.0
            scaler.scale(loss_of(model, step) * factor).backward()
            if clips:
                scaler.unscale_(optimizer)
                torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            scaler.step(optimizer)
            scaler.update()
        assert scaler.get_scale() == 2.0**12
    assert_same(*opts)
    assert opts[0].state[next(models[0].parameters())]["step"] == STEPS - 1


def test_a_grad_scaler_with_sparse_gradients() -> None:
    rows = []
    for scale in (1.0, 2.0**10):
        torch.manual_seed(0)
        model = torch.nn.Embedding(20, 4, sparse=True)
        optimizer, scaler = Adagrad(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=scale)
        for _ in range(3):
            optimizer.zero_grad()
            scaler.scale(model(torch.tensor([3, 5, 3])).sin().sum()).backward()
            scaler.step(optimizer)
            scaler.update()
        rows.append(model.weight.detach())
    assert torch.equal(*rows)
