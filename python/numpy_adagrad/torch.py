"""A drop-in for ``torch.optim.Adagrad``, for models whose parameters are on the CPU."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any

import numpy as np

from . import _core
from .inputs.types import Array
from .inputs.validation import positive_scale
from .migration.torch_tensors import check_tensors, own_state
from .optimizers.torch import TorchAdagrad

try:
    import torch
except ImportError:
    raise ImportError("numpy_adagrad.torch: expected torch to be installed; run `pip install torch`") from None
if not hasattr(torch.Tensor, "__dlpack_c_exchange_api__"):
    raise ImportError(f"numpy_adagrad.torch: expected torch 2.10 or later, got {torch.__version__}")
from .migration.torch_memory import READER, array_over, read_grad  # imports torch, too

__all__ = ["Adagrad"]

ROLES = ("params", "sum", "grads", "step")
WATCHED_KEYS = (*TorchAdagrad._watched_keys, "differentiable")
CPU = torch.device("cpu")


class Adagrad(torch.optim.Adagrad):
    r"""``torch.optim.Adagrad`` with the steps of this package.

    It is a subclass of torch's optimizer, with its signature and defaults, its state and its state dicts: either
    optimizer loads what the other has saved. Only `step` is ours. A step updates the parameters and the accumulators in
    torch's own memory. It reads the address of each tensor every time, so that ``param.data = ...``,
    ``model.share_memory()``, ``vector_to_parameters`` and assignments to ``optimizer.state`` work as with torch.

    Dense gradients: in float32 and float64, the bits are those of ``torch.optim.Adagrad(fused=True)`` on x86-64 with
    AVX2 or better, also where `foreach` or `fused` asks for another path. float16 and bfloat16 are computed in float32
    from the stored values and rounded when they are stored, and complex parameters are updated as pairs of reals:
    `numpy_adagrad.TorchAdagrad` has the formula.

    Sparse COO gradients, as of ``torch.nn.Embedding(sparse=True)``: in float32 and float64, the bits are those of
    torch's sparse path with a correctly rounded root. torch's own root is MKL's, whose last bit depends on the machine.

    Parameters
    ----------
    params : iterable of tensors, of (name, tensor) pairs or of group dicts
        Tensors on the CPU that do not overlap in memory, of float32, float64, float16, bfloat16, complex64 or
        complex128. bfloat16 needs `ml_dtypes` (``pip install "numpy-adagrad[bf16]"``).
    lr : float or 1-element tensor, default 1e-2
        The learning rate.
    lr_decay : float, default 0
        The decay of the learning rate.
    weight_decay : float, default 0
        L2 penalty, added to the gradient. With sparse gradients, a step raises RuntimeError, as in torch.
    initial_accumulator_value : float, default 0
        The initial value of the accumulators.
    eps : float, default 1e-10
        Added to the root.
    foreach : bool, optional
        No effect: there is one path.
    maximize : bool, default False
        Maximize the objective instead of minimizing it.
    differentiable : bool, default False
        True raises ValueError: autograd does not see the step.
    fused : bool, optional
        There is one path, but with True, ``GradScaler`` leaves it to the step to divide by the scale, as in torch. True
        and ``foreach=True`` together raise RuntimeError, as in torch.

    Raises
    ------
    ImportError
        When the module is imported without torch 2.10 or later.
    ValueError, TypeError, RuntimeError
        As ``torch.optim.Adagrad``, and for ``differentiable=True``. A step raises ValueError or TypeError, with nothing
        changed, for tensors that are not on the CPU, that overlap in memory or that have another dtype. It does not
        fall back to torch's step, which would have other bits.

    Notes
    -----
    A gradient may have any strides, whereas torch's fused step misreads some of them. A step that divides by the
    scale of ``GradScaler`` leaves the unscaled gradients. A step counter that is not float32 on the CPU (torch with
    another default dtype or device) is replaced by one that is.

    References
    ----------
    ``torch/optim/adagrad.py`` and ``FusedAdagradKernel.cpp`` of torch 2.13.0. Addresses are read through DLPack's C
    exchange API, https://dmlc.github.io/dlpack/latest/c_api.html.

    Examples
    --------
    >>> import torch
    >>> from numpy_adagrad.torch import Adagrad
    >>> model = torch.nn.Linear(3, 1, bias=False)
    >>> _ = torch.nn.init.ones_(model.weight)
    >>> optimizer = Adagrad(model.parameters(), lr=0.5)
    >>> model(torch.tensor([1.0, 0.0, -1.0])).sum().backward()
    >>> optimizer.step()
    >>> model.weight.tolist()
    [[0.5, 1.0, 1.5]]
    """

    _plan: _core.TensorPlan | None = None
    param_groups: Any

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, as torch does; ``differentiable=True`` raises ValueError."""
        _check_path({**self.defaults, **param_group} if isinstance(param_group, dict) else self.defaults)
        super().add_param_group(param_group)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state dict of this optimizer or of ``torch.optim.Adagrad``."""
        if not self._optimizer_load_state_dict_pre_hooks:  # one of them may make tensors of arrays
            check_tensors(state_dict)
        super().load_state_dict(state_dict)
        self._plan = None  # it would keep the memory of the accumulators that are replaced

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient.

        Parameters
        ----------
        closure : callable, optional
            Called first, with gradients enabled. It computes the gradients and returns the loss.

        Returns
        -------
        object
            What `closure` returns, otherwise None.

        Raises
        ------
        ValueError, TypeError, RuntimeError
            For tensors or options that do not fit; nothing has changed then.

        Examples
        --------
        >>> import torch
        >>> from numpy_adagrad.torch import Adagrad
        >>> w = torch.ones(2, requires_grad=True)
        >>> optimizer = Adagrad([w], lr=0.5)
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = (3 * w).sum()
        ...     loss.backward()
        ...     return loss.item()
        >>> optimizer.step(closure)
        6.0
        >>> w.tolist()
        [0.5, 0.5]
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        if not getattr(self, "found_inf", None):  # a tensor, or 0 from GradScaler where no parameter has a gradient
            self._update(getattr(self, "grad_scale", None))
        else:
            self._make_missing_states()
        return loss

    def _update(self, grad_scale: Any) -> None:
        if not isinstance(self.param_groups, list):  # torch takes any sequence
            self.param_groups = list(self.param_groups)
        scale = 1.0 if grad_scale is None else positive_scale(grad_scale.item())
        plan, states = self._plan, self._states()
        if plan is None or plan.step_tensors(self.param_groups, states, self, scale) == _core.STALE:
            self._plan = None  # it would keep the memory of tensors that torch has replaced
            plan = self._new_plan()
            if plan.step_tensors(self.param_groups, self._states(), self, scale) == _core.STALE:
                raise RuntimeError("params: expected the same tensors throughout a step, got others")
            self._plan = plan  # only now, as another thread that steps with it would make it stale
        updated = plan.updated
        torch.autograd.graph.increment_version(updated)  # autograd raises its error for a graph that has saved them
        if grad_scale is not None and updated:  # torch's fused step leaves the unscaled gradients, too
            with torch.no_grad():
                for param in updated:
                    # Lazy gradients, those that may overlap and those without memory cannot be divided in place.
                    grad = param.grad.resolve_conj().resolve_neg()
                    is_dense = grad.layout == torch.strided
                    if grad._is_zerotensor() or (is_dense and torch._debug_has_internal_overlap(grad)):
                        grad = grad.clone(memory_format=torch.contiguous_format)
                    if grad is not param.grad:
                        param.grad = grad
                grads = list({id(param.grad): param.grad for param in updated}.values())
                # Those of inference mode can be changed only in it.
                with torch.inference_mode(any(grad.is_inference() for grad in grads)), torch.no_grad():
                    torch._foreach_div_(grads, grad_scale.reshape(()))

    def _states(self) -> dict[Any, Any]:
        """Return the states by parameter as the dict that the core reads; torch takes any mapping."""
        states: Any = self.state
        if isinstance(states, dict):
            return states
        if not isinstance(states, MutableMapping):
            raise TypeError(f"state: expected a mutable mapping, got {type(states).__name__}")
        return dict(states)

    # A step may lie in a function that torch compiles: it would trace the code below, and warn of what it cannot trace.

    @torch.compiler.disable
    def _make_missing_states(self) -> None:
        """Make the states that the step would have made: torch does so before it skips one."""
        for i, param in enumerate(param for group in self.param_groups for param in group["params"]):
            if param.grad is not None and not self.state.get(param):
                self.state[param] = own_state(self, param, f"state[{i}]")

    @torch.compiler.disable
    def _new_plan(self) -> _core.TensorPlan:
        """Check all tensors and make the plan of a step over their memory."""
        with suppress(Exception):  # maybe from a parameter that has been frozen and changed since its last step
            return self._plan_over(lambda param: param.grad is not None or _has_stepped(self.state.get(param)))
        return self._plan_over(lambda param: param.grad is not None)

    def _plan_over(self, is_needed: Callable[[Any], bool]) -> _core.TensorPlan:
        for k, group in enumerate(self.param_groups):
            if not isinstance(group, dict):
                raise TypeError(f"param_groups[{k}]: expected a dict, got {type(group).__name__}")
            if not isinstance(group["params"], list):
                group["params"] = list(group["params"])
        plan = _core.TensorPlan("torch", ROLES, WATCHED_KEYS, READER)
        groups: list[dict[str, Any]] = [{"params": []} for _ in self.param_groups]
        sums: list[Array] = []
        steps: list[Array] = []
        params = [param for group in self.param_groups for param in group["params"]]
        index = [k for k, group in enumerate(self.param_groups) for _ in group["params"]]
        states: dict[Any, Any] = {}
        for i, (k, param) in enumerate(zip(index, params, strict=True)):
            if not is_needed(param):  # whatever it is, no step touches it
                groups[k]["params"].append(np.empty(0, np.float32))
                sums.append(np.empty(0, np.float32))
                steps.append(np.zeros((), np.float32))
                continue
            states[param] = state = own_state(self, param, f"state[{i}]")
            if not isinstance(state, dict):
                raise TypeError(f"state[{i}]: expected a dict, got {type(state).__name__}; give it as dict(...)")
            groups[k]["params"].append(array_over(param, f"params[{i}]"))
            sums.append(array_over(state["sum"], f"sum[{i}]"))
            steps.append(array_over(state["step"], f"step[{i}]"))
        names = [name for group in self.param_groups for name in group.get("param_names") or ()]
        plan.add_groups(groups, sums, steps, names, np.array(index, np.int32))
        self.state.update(states)
        plan.add_tensors(params, [states.get(param) for param in params], self._states())
        return plan

    # The core calls these two.

    @torch.compiler.disable
    def _hyperparameters(self, index: int) -> dict[str, Any]:
        group = self.param_groups[index]
        _check_path(group)
        options = {key: group[key] for key in WATCHED_KEYS if isinstance(group[key], torch.Tensor)}
        return {"decays_sparse": False, **{key: value.item() for key, value in options.items()}}

    @torch.compiler.disable
    def _read_grad(self, index: int, group: dict[str, Any], param: Any, grad: Any) -> Array | tuple[Array, Array, bool]:
        return read_grad(grad, f"grads[{index}]", group, param.shape)


def _has_stepped(state: Any) -> bool:
    step = state.get("step") if state else None
    return step is not None and getattr(step, "device", CPU) == CPU and float(step) > 0


def _check_path(group: dict[str, Any]) -> None:
    if group["differentiable"]:
        expected = "expected False, as autograd does not see the step"
        raise ValueError(f"differentiable: {expected}, got True; torch.optim.Adagrad has it")
