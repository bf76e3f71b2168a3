"""State dicts and the last rates, for any rule."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

from ..inputs.rounding import ieee
from ..inputs.tensors import identity, option_to_tensor, to_tensor
from ..inputs.types import Group
from ..inputs.validation import check_flag, is_schedule, number
from ._copies import Copies
from ._slots import place_of


class SavedState(Copies):
    """Base of `LoadedState`. The class of a rule may change the layout of its state dicts."""

    @ieee()
    def _saved_value(self, k: int, key: str) -> Any:
        """Return an option of group `k`; for a callable its last value, or that of `_last_step` if it was never called.

        A callable that asks for its own first value gets NaN.
        """
        group = self._bound.groups[k]
        value, place = group[key], place_of(k, group, key)
        if not is_schedule(value, key):
            return value
        schedule, last = self._last_scheduled.get(place, (None, math.nan))
        if schedule is value:
            return last
        if place in self._evaluated:
            return math.nan
        self._evaluated.add(place)
        try:
            return number(value(self._last_step(k)), key)
        finally:
            self._evaluated.discard(place)

    def _last_step(self, k: int) -> int:
        """Return the number with which the last step would have called a callable that is new in group `k`."""
        known = self._bound.known
        slots = [known[id(param)] for param in self._bound.groups[k]["params"] if id(param) in known]
        counts = [float(counter.flat[0]) for counter in self._counters(slots)]
        return int(max((count for count in counts if 1 <= count < math.inf), default=1)) - 1

    @property
    def last_lr(self) -> list[float]:
        """The learning rate of each group: its number, or the last value of its callable. Without `lr_decay`."""
        with self._lock:
            self._check_groups(self.param_groups)
            key = self._scheduled_keys[0]
            return [self._last_rate(self._saved_value(k, key)) for k in range(len(self.param_groups))]

    def _last_rate(self, rate: Any) -> float:
        return number(rate, "lr")

    def _saved_groups(self) -> list[Group]:
        """Return the options of each group, a callable as its last value."""
        return [
            {
                key: self._saved_value(k, key) if key in self._scheduled_keys else value
                for key, value in group.items()
                if key != "params"
            }
            for k, group in enumerate(list(self.param_groups))
        ]

    def _check_saved(self, saved: list[Group]) -> list[int]:
        """Return the sizes of the groups whose options are `saved`.

        Raise RuntimeError if the groups are others by now: schedules were called, which may change them.
        """
        self._refresh_plan()
        sizes = [len(group["params"]) for group in self.param_groups]
        if len(sizes) != len(saved) or sum(sizes) != len(self._slots):
            raise RuntimeError("param_groups: expected the same groups while the state is read, got others")
        return sizes

    def state_dict(self, *, tensors: bool = False) -> dict[str, Any]:
        """Return state and options in the layout of ``torch.optim.Optimizer.state_dict``.

        Parameters
        ----------
        tensors : bool, default False
            Copy the arrays into contiguous CPU tensors of torch. Otherwise they are the arrays that the next step
            changes.

        Returns
        -------
        dict
            ``state``: for each parameter's index, the rule's arrays. ``param_groups``: the options of each group and
            the indices of its parameters; a callable appears as its last value. Arrays that all parameters share, such
            as a step counter, have their own entries.
        """
        check_flag("tensors", tensors)
        with self._lock:
            self._check_tensors()
            self._refresh_plan()
            self._check_groups(self.param_groups)
            convert = to_tensor if tensors else identity
            convert_option = option_to_tensor if tensors else identity
            saved_groups = self._saved_groups()
            sizes = self._check_saved(saved_groups)
            groups: list[Group] = []
            indices = iter(range(len(self._slots)))
            for saved, size in zip(saved_groups, sizes, strict=True):
                options = {key: convert_option(value) for key, value in saved.items()}
                groups.append({**options, "params": list(islice(indices, size))})
            shared = {key: convert(array) for key, array in self._shared_arrays().items()}
            state = {
                i: {key: convert(array) for key, array in slot.state.items()} for i, slot in enumerate(self._slots)
            }
            return {**shared, "state": state, "param_groups": groups}
