"""A decode step compiled ahead: the same network and formula, without Python between the operations.

The network is a second tree of modules around the same weights, so the model stays as it is and can be used
while the step is compiled. Whatever changes from token to token, the strengths included, is in buffers of
fixed shape: one graph, compiled once, serves every conversation and every mix.
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

_FEW_ROWS = 4  # up to which a sum of products is faster than a matrix product on a CPU


class CompiledStep:
    """One more token for each row of a batch.

    Between `begin` and `end` it replaces the network's forward pass and its Steering: `strengths` is written
    before `step`; coefficients, hidden states and outputs are read after it, from the graph's own buffers.

    Building it copies the tree of modules, which must not be done while another thread runs the model.

    Args:
        model: the model whose network is compiled.
        rows: of the batch.
        columns: the most columns of a mix.
        max_positions: the most positions, prompt and answer together; at most the model's context.

    Attributes:
        mix: the mix between `begin` and `end`, else None.

    Raises:
        ModelError: the model has layers without a plain cache (sliding windows, recurrent states), weights in
            eight bits, or several devices.
    """

    def __init__(
        self, model: LanguageModel, *, rows: int = 1, columns: int = 4, max_positions: int = 1024
    ) -> None:
        if model.precision == "int8" or len(set(model.devices)) > 1:
            raise _not_compiled("Its weights are held in eight bits, or spread over several devices")
        self.rows, self.columns = rows, columns
        self.max_positions = min(max_positions, model.context or max_positions)
        self.mix: Mix | None = None
        self._device, self._width = model.device, model.width
        shared: dict[int, Any] = {id(t): t for t in (*model.network.parameters(), *model.network.buffers())}
        # Hooks of a run in another thread must not be copied with the modules.
        self._network = _without_hooks(copy.deepcopy(model.network, shared))
        if model.device.type == "cpu" and rows <= _FEW_ROWS:
            _reduce_linears(self._network)
        self._cache: Any = StaticCache(config=self._network.config, max_cache_len=self.max_positions)
        self._cached = {model.cache_argument: self._cache}
        if any(type(layer) is not StaticLayer for layer in self._cache.layers):
            raise _not_compiled("Some of its layers keep no plain cache of keys and values")
        self._threads = {} if worth_sharing(model, rows) else {"cpp.threads": 1}
        self._make_buffers(len(model.blocks))
        self._run: Callable[[], Tensor] | None = None

    def prepare(self) -> CompiledStep:
        """Compiles, which takes seconds to a minute, in any thread and while the model is in use.

        Returns:
            This object.

        Raises:
            ModelError: the machine cannot compile; there is no compiler, for instance.
        """
        with torch.inference_mode():
            self._allocate_cache()
            self._attach_steering()
            try:
                run = torch.compile(
                    _with_own_code(self._forward),
                    dynamic=False,
                    fullgraph=True,
                    options={"guard_filter_fn": _no_guards, **self._threads},
                )
                run()
            except Exception as error:  # whatever the compiler's many layers raise, the eager step still runs
                raise _not_compiled(_first_line(error)) from error
        self._run = run
        return self

    def supports(self, rows: int, columns: int, positions: int) -> bool:
        """Whether it is compiled, and large enough for such a batch."""
        large_enough = columns <= self.columns and positions <= self.max_positions
        return self._run is not None and rows == self.rows and large_enough

    def begin(self, cache: Any, mask: Tensor | None, mix: Mix) -> None:
        """Takes over after a prefill.

        Args:
            cache: keys and values of the prompts; they are copied.
            mask: int64 [rows, T], 0 on padding; None without padding.
            mix: the heads, at most `columns` columns.
        """
        length = cache.get_seq_length()
        self.mix = mix
        for static, layer in zip(self._cache.layers, cache.layers, strict=True):
            static.keys[:, :, :length].copy_(layer.keys)
            static.values[:, :, :length].copy_(layer.values)
            static.cumulative_length.fill_(length)
        self._mask.fill_(1)
        if mask is not None:
            self._mask[:, : mask.shape[1]].copy_(mask)
        self._position.copy_(self._mask[:, :length].sum(1, keepdim=True))
        for buffer in self._mix_blocks:
            for tensor in (buffer.w, buffer.b, buffer.z, buffer.floor):
                tensor.zero_()
        for index, block in mix.blocks.items():
            for name in ("w", "b", "z", "floor"):
                getattr(self._mix_blocks[index], name)[: mix.rank].copy_(getattr(block, name))
        self.strengths = None

    def end(self, cache: Any) -> None:
        """Appends the new keys and values to the cache that `begin` was given."""
        start = cache.get_seq_length()
        for static, layer in zip(self._cache.layers, cache.layers, strict=True):
            stop = int(static.cumulative_length)
            layer.update(static.keys[:, :, start:stop], static.values[:, :, start:stop])
        self.mix = None

    def step(self, ids: Tensor) -> Tensor:
        """Runs one more token per row, ids [rows]; the logits [rows, V] after it."""
        assert self._run is not None
        self._ids.copy_(ids.view(self.rows, 1))
        return self._run()

    @property
    def strengths(self) -> Tensor:
        """The strengths of the next step, float32 [rows, 1, columns]; set to [rows, 1, K], or None for 0."""
        return self._strengths

    @strengths.setter
    def strengths(self, values: Tensor | None) -> None:
        self._strengths.zero_()
        if values is not None:
            self._strengths[..., : values.shape[-1]].copy_(values)

    def coefficients(self) -> list[Tensor]:
        """As Steering.coefficients: per steered block [rows, 1, K]."""
        assert self.mix is not None
        return [self._applied[index, :, :, : self.mix.rank] for index in self.mix.blocks]

    def before(self) -> list[Tensor]:
        """As Steering.before: per steered block [rows, 1, d]."""
        assert self.mix is not None
        return [self._before[index] for index in self.mix.blocks]

    def outputs(self) -> Tensor:
        """As OutputRecorder.outputs: float32 [blocks, rows, d]."""
        return self._outputs[:, :, 0].float()

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
        self._mask = torch.ones(rows, self.max_positions, dtype=torch.long, device=self._device)
        self._strengths = zeros(rows, 1, columns)
        self._applied = zeros(blocks, rows, 1, columns)
        self._before = zeros(blocks, rows, 1, width, dtype=dtype)
        self._outputs = zeros(blocks, rows, 1, width, dtype=dtype)
        self._mix_blocks = [
            MixBlock(zeros(columns, width), zeros(columns), zeros(columns, width), zeros(columns))
            for _ in range(blocks)
        ]

    def _allocate_cache(self) -> None:
        """Runs one eager step, in which the cache makes its tensors outside the graph."""
        self._forward()
        self._cache.reset()

    def _attach_steering(self) -> None:
        for index, block in enumerate(find_blocks(self._network)):
            block.register_forward_hook(self._hook(index))

    def _hook(self, index: int) -> Any:
        mix_block = self._mix_blocks[index]

        def hook(block: nn.Module, arguments: Any, output: Any) -> Any:
            before = hidden_of(output)
            after, applied = steer(before, mix_block, self._strengths)
            self._before[index].copy_(before)
            self._applied[index].copy_(applied)
            self._outputs[index].copy_(after)
            return replace_hidden(output, after)

        return hook


def _without_hooks(network: Any) -> Any:
    """The network without hooks and with the forward methods of its classes."""
    for module in network.modules():
        module.__dict__.pop("forward", None)
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return network


def _reduce_linears(network: Any) -> None:
    """Makes every linear layer compute x W^T as a sum of products.

    For a few rows the compiler turns that into one loop over the weights, fused with the operations before
    and after it; a call of the matrix library costs more than its arithmetic.
    """
    for module in network.modules():
        if type(module) is nn.Linear:
            setattr(module, "forward", MethodType(_sum_of_products, module))  # noqa: B010


def _sum_of_products(linear: nn.Linear, x: Tensor) -> Tensor:
    y = (x.unsqueeze(-2).float() * linear.weight.float()).sum(-1)
    return (y if linear.bias is None else y + linear.bias.float()).to(x.dtype)


def _with_own_code(method: Any) -> Callable[[], Tensor]:
    """The method with a code object of its own.

    torch.compile keeps graphs by code object, and without guards it could not tell the graphs of two
    CompiledSteps apart.
    """
    function = method.__func__
    code = function.__code__.replace()
    return MethodType(FunctionType(code, function.__globals__, function.__name__), method.__self__)


def _no_guards(guards: Sequence[Any]) -> list[bool]:
    """No guards: whatever the graph was made from is private to one object and never changes."""
    return [False] * len(guards)


def _first_line(error: BaseException) -> str:
    words = (str(error).strip() or type(error).__name__).splitlines()[0]
    return words.rstrip(".")


def _not_compiled(why: str) -> ModelError:
    return ModelError("The decode step was not compiled", f"{why}.", "Answers are generated uncompiled.")
