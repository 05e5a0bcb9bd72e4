"""A decode step compiled ahead: the same network, the same formula, without Python between the operations.

The network is a second tree of modules around the same weights, so the model itself stays as it is and can be
used by others while this one is prepared. Everything that changes from token to token, the strengths
included, lives in buffers of fixed shape: one graph, compiled once, serves every conversation and every mix.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import StaticCache, StaticLayer

from engine.errors import ModelError
from engine.heads.mix import Mix, MixBlock
from engine.heads.steering import steer
from engine.model.blocks import find_blocks, hidden_of, replace_hidden
from engine.model.language_model import LanguageModel
from engine.model.threads import worth_sharing

_FEW = 4  # rows up to which a sum of products beats a matrix product on a processor


class CompiledStep:
    """One token for each of `rows` rows, steered by up to `columns` columns, within `room` positions.

    Between `begin` and `end` it stands in for the eager step and for its Steering: `strengths` is written
    before `step`, coefficients and hidden states are read after it, from the buffers that the graph wrote.
    """

    def __init__(self, model: LanguageModel, *, rows: int = 1, columns: int = 4, room: int = 1024) -> None:
        """Lays out a second tree of modules, in a moment in which nobody runs the model.

        Raises ModelError when the model does not allow it: layers that keep no plain cache (sliding windows,
        recurrent states), eight bits, several devices.
        """
        if model.precision == "int8" or len(set(model.devices)) > 1:
            raise _refused("Its weights are held in eight bits, or spread over several devices")
        self.rows, self.columns = rows, columns
        self.room = min(room, model.context or room)
        self.mix: Mix | None = None
        self._device, self._width = model.device, model.width
        shared: dict[int, Any] = {id(t): t for t in (*model.network.parameters(), *model.network.buffers())}
        # What a run that is going on in another thread has attached must not come along.
        self._network = _bare(copy.deepcopy(model.network, shared))
        if model.device.type == "cpu" and rows <= _FEW:
            _reduce_linears(self._network)
        self._cache: Any = StaticCache(config=self._network.config, max_cache_len=self.room)
        self._cached = {model.cache_argument: self._cache}
        if any(type(layer) is not StaticLayer for layer in self._cache.layers):
            raise _refused("Some of its layers keep no plain cache of keys and values")
        self._threads = {} if worth_sharing(model, rows) else {"cpp.threads": 1}
        self._make_buffers(len(model.blocks))
        self._run: Callable[[], Tensor] | None = None

    def prepare(self) -> CompiledStep:
        """Compiles, which takes seconds to a minute; in any thread, while the model is in use. Itself.

        Raises ModelError when the machine does not allow it: no compiler.
        """
        with torch.inference_mode():
            self._allocate()
            self._attach()
            try:
                run = torch.compile(
                    _apart(self._forward),
                    dynamic=False,
                    fullgraph=True,
                    options={"guard_filter_fn": _no_guards, **self._threads},
                )
                run()
            except Exception as error:  # whatever the compiler's many layers raise, the eager step still runs
                raise _refused(_first_line(error)) from error
        self._run = run
        return self

    def fits(self, rows: int, columns: int, positions: int) -> bool:
        """Whether it can serve such a batch; before it is prepared, none."""
        room = columns <= self.columns and positions <= self.room
        return self._run is not None and rows == self.rows and room

    def begin(self, cache: Any, mask: Tensor | None, mix: Mix) -> None:
        """Takes over after a prefill: its cache, its mask [rows, T] over padded prompts, and the mix."""
        length = cache.get_seq_length()
        self.mix = mix
        for own, given in zip(self._cache.layers, cache.layers, strict=True):
            own.keys[:, :, :length].copy_(given.keys)
            own.values[:, :, :length].copy_(given.values)
            own.cumulative_length.fill_(length)
        self._mask.fill_(1)
        if mask is not None:
            self._mask[:, : mask.shape[1]].copy_(mask)
        self._position.copy_(self._mask[:, :length].sum(1, keepdim=True))
        for part in self._parts:
            for tensor in (part.w, part.b, part.z, part.floor):
                tensor.zero_()
        for index, part in mix.blocks.items():
            for name in ("w", "b", "z", "floor"):
                getattr(self._parts[index], name)[: mix.rank].copy_(getattr(part, name))
        self.strengths = None

    def end(self, cache: Any) -> None:
        """Gives the new keys and values back to the cache that it began with."""
        done = cache.get_seq_length()
        for own, given in zip(self._cache.layers, cache.layers, strict=True):
            length = int(own.cumulative_length)
            given.update(own.keys[:, :, done:length], own.values[:, :, done:length])
        self.mix = None

    def step(self, ids: Tensor) -> Tensor:
        """The logits [rows, V] after one more token per row."""
        assert self._run is not None
        self._ids.copy_(ids.view(self.rows, 1))
        return self._run()

    @property
    def strengths(self) -> Tensor:
        return self._strengths

    @strengths.setter
    def strengths(self, values: Tensor | None) -> None:
        """[rows, 1, K] of the next step."""
        self._strengths.zero_()
        if values is not None:
            self._strengths[..., : values.shape[-1]].copy_(values)

    def coefficients(self) -> list[Tensor]:
        """As Steering's: per steered block [rows, 1, K]."""
        assert self.mix is not None
        return [self._applied[index, :, :, : self.mix.rank] for index in self.mix.blocks]

    def before(self) -> list[Tensor]:
        """As Steering's: per steered block [rows, 1, d]."""
        assert self.mix is not None
        return [self._seen[index] for index in self.mix.blocks]

    def outputs(self) -> Tensor:
        """As Watch's: float32 [L, rows, d]."""
        return self._left[:, :, 0].float()

    def _forward(self) -> Tensor:
        output = self._network(
            input_ids=self._ids,
            attention_mask=self._mask,
            position_ids=self._position,
            use_cache=True,
            **self._cached,
        )
        self._position.add_(1)
        return output.logits[:, -1]

    def _make_buffers(self, blocks: int) -> None:
        rows, columns, width = self.rows, self.columns, self._width
        dtype = next(self._network.parameters()).dtype

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=self._device)

        self._ids, self._position = zeros(rows, 1, dtype=torch.long), zeros(rows, 1, dtype=torch.long)
        self._mask = torch.ones(rows, self.room, dtype=torch.long, device=self._device)
        self._strengths = zeros(rows, 1, columns)
        self._applied = zeros(blocks, rows, 1, columns)
        self._seen = zeros(blocks, rows, 1, width, dtype=dtype)
        self._left = zeros(blocks, rows, 1, width, dtype=dtype)
        self._parts = [
            MixBlock(zeros(columns, width), zeros(columns), zeros(columns, width), zeros(columns))
            for _ in range(blocks)
        ]

    def _allocate(self) -> None:
        """One eager step makes the cache's tensors, outside the graph."""
        self._forward()
        self._cache.reset()

    def _attach(self) -> None:
        for index, block in enumerate(find_blocks(self._network)):
            block.register_forward_hook(self._hook(index))

    def _hook(self, index: int) -> Any:
        part = self._parts[index]

        def hook(block: nn.Module, arguments: Any, output: Any) -> Any:
            before = hidden_of(output)
            after, applied = steer(before, part, self._strengths)
            self._seen[index].copy_(before)
            self._applied[index].copy_(applied)
            self._left[index].copy_(after)
            return replace_hidden(output, after)

        return hook


def _bare(network: Any) -> Any:
    """The network without any hooks, and with its classes' own forwards."""
    for module in network.modules():
        module.__dict__.pop("forward", None)
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return network


def _reduce_linears(network: Any) -> None:
    """Writes x W^T as the sum of products that it is.

    For a handful of rows the compiler makes one tight loop over the weights of that, together with what
    comes before and after; a call of the matrix library costs more than its arithmetic.
    """
    for module in network.modules():
        if type(module) is nn.Linear:
            setattr(module, "forward", MethodType(_reduced, module))  # noqa: B010


def _reduced(linear: nn.Linear, x: Tensor) -> Tensor:
    y = (x.unsqueeze(-2).float() * linear.weight.float()).sum(-1)
    return (y if linear.bias is None else y + linear.bias.float()).to(x.dtype)


def _apart(method: Any) -> Callable[[], Tensor]:
    """The method with code of its own: graphs are kept by code, and without guards nothing else would tell
    this object's from another's."""
    own = method.__func__
    code = own.__code__.replace()
    return MethodType(FunctionType(code, own.__globals__, own.__name__), method.__self__)


def _no_guards(guards: Sequence[Any]) -> list[bool]:
    """Nothing that the graph was made from ever changes: all of it is private to one object."""
    return [False] * len(guards)


def _first_line(error: BaseException) -> str:
    words = (str(error).strip() or type(error).__name__).splitlines()[0]
    return words.rstrip(".")


def _refused(why: str) -> ModelError:
    return ModelError("The decode step was not compiled", f"{why}.", "Answers are generated uncompiled.")
