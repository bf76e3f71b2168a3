"""Hypothesis strategies for the shapes of arrays and for how they lie in memory."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from hypothesis import strategies as st
from numpy_adagrad.inputs.types import Array

Layout: TypeAlias = tuple[Sequence[int], Sequence[int], Sequence[int], str]

EXTENTS = st.sampled_from([0, 1, 2, 3, 5, 7, 16, 17, 33])
STEPS = st.sampled_from([1, 1, 1, 2, 3, -1, -1, -2])

shapes = st.one_of(
    st.lists(EXTENTS, max_size=4).map(tuple).filter(lambda shape: np.prod(shape) < 20_000),
    st.sampled_from([(4095,), (4097,), (9000,), (2, 4100), (70, 130), (3, 16, 300), (16, 32, 9), (90, 1000)]),
)


@st.composite
def layouts(draw_one: st.DrawFn, ndim: int) -> Layout:
    """How an array lies in memory: its axes from slowest to fastest, and the step and start along each."""
    axes = draw_one(st.permutations(range(ndim)))
    steps = draw_one(st.lists(STEPS, min_size=ndim, max_size=ndim))
    margins = draw_one(st.lists(st.integers(0, 2), min_size=ndim, max_size=ndim))
    return axes, steps, margins, draw_one(st.sampled_from(["whole", "real", "imag"]))


def laid_out(array: Array, layout: Layout) -> Array:
    """A view with the numbers of `array`, in its own buffer and that layout."""
    axes, steps, margins, part = layout
    part = part if array.dtype in (np.float32, np.float64) else "whole"
    dtype = array.dtype if part == "whole" else np.result_type(array.dtype, np.complex64)
    extents = [abs(steps[a]) * array.shape[a] + margins[a] for a in axes]
    buffer = np.zeros(extents, dtype).transpose(np.argsort(axes))
    buffer = buffer if part == "whole" else getattr(buffer, part)
    view = buffer[
        tuple(
            slice(margin, margin + abs(step) * extent, abs(step))
            for step, margin, extent in zip(steps, margins, array.shape, strict=True)
        )
    ][tuple(slice(None, None, 1 if step > 0 else -1) for step in steps)]
    view = view if view.ndim else buffer[...]
    view[...] = array
    return view
