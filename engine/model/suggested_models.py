"""A short list of instruct models worth a first try, with what is known of them without a network."""

from __future__ import annotations

from dataclasses import dataclass

from engine.model.memory_fit import SIZES, default_dtype, need

_HF = "HuggingFaceTB"
_APACHE, _LLAMA, _GEMMA = "Apache-2.0", "Llama 3.2 Community License", "Gemma Terms of Use"


@dataclass(frozen=True)
class SuggestedModel:
    """A model of the hub.

    id: owner/name; name: for a person; license: its name; parameters: how many numbers its weights are;
    shape: its blocks, their width, their heads, those of keys and values, and the width of a head.
    """

    id: str
    name: str
    license: str
    parameters: int
    shape: tuple[int, int, int, int, int]

    @property
    def runs_in(self) -> str:
        """The dtype of a load unless told otherwise; all of these are stored in bfloat16."""
        return default_dtype(self.parameters * SIZES["bfloat16"])

    def needs(self, dtype: str | None = None) -> int:
        """Bytes of memory that it takes in a dtype, by default that of a load unless told otherwise."""
        keys = ["num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"]
        return need(dict(zip(keys, self.shape, strict=True)), self.parameters, dtype or self.runs_in).total


# fmt: off
SUGGESTED = (
    SuggestedModel(f"{_HF}/SmolLM2-135M-Instruct", "SmolLM2 135M Instruct", _APACHE,
                   134_515_008, (30, 576, 9, 3, 64)),
    SuggestedModel(f"{_HF}/SmolLM2-360M-Instruct", "SmolLM2 360M Instruct", _APACHE,
                   361_821_120, (32, 960, 15, 5, 64)),
    SuggestedModel(f"{_HF}/SmolLM2-1.7B-Instruct", "SmolLM2 1.7B Instruct", _APACHE,
                   1_711_376_384, (24, 2048, 32, 32, 64)),
    SuggestedModel("Qwen/Qwen3-0.6B", "Qwen3 0.6B", _APACHE, 596_049_920, (28, 1024, 16, 8, 128)),
    SuggestedModel("Qwen/Qwen3-1.7B", "Qwen3 1.7B", _APACHE, 1_720_574_976, (28, 2048, 16, 8, 128)),
    SuggestedModel("Qwen/Qwen2.5-0.5B-Instruct", "Qwen2.5 0.5B Instruct", _APACHE,
                   494_032_768, (24, 896, 14, 2, 64)),
    SuggestedModel("Qwen/Qwen2.5-1.5B-Instruct", "Qwen2.5 1.5B Instruct", _APACHE,
                   1_543_714_304, (28, 1536, 12, 2, 128)),
    SuggestedModel("Qwen/Qwen2.5-7B-Instruct", "Qwen2.5 7B Instruct", _APACHE,
                   7_615_616_512, (28, 3584, 28, 4, 128)),
    SuggestedModel("meta-llama/Llama-3.2-1B-Instruct", "Llama 3.2 1B Instruct", _LLAMA,
                   1_235_814_400, (16, 2048, 32, 8, 64)),
    SuggestedModel("meta-llama/Llama-3.2-3B-Instruct", "Llama 3.2 3B Instruct", _LLAMA,
                   3_212_749_824, (28, 3072, 24, 8, 128)),
    SuggestedModel("google/gemma-3-270m-it", "Gemma 3 270M it", _GEMMA, 268_098_176, (18, 640, 4, 1, 256)),
    SuggestedModel("google/gemma-3-1b-it", "Gemma 3 1B it", _GEMMA, 999_885_952, (26, 1152, 4, 1, 256)),
)
# fmt: on
