"""Mamba-2 in llama.cpp, with random weights of a given shape: a peer of :mod:`compress`.

Its Python package (llama-cpp-python) compiles when it is installed; ``gguf`` writes the weights.
"""

import ctypes
import importlib
import tempfile
from pathlib import Path

import numpy as np

from genezip.models.hnet.architecture import Architecture
from genezip.models.layers.mamba2 import NORM_EPS

BLOCK = 512  # bases of a call


class LlamaMamba2:
    """A flat network; raises ImportError where llama.cpp is not installed."""

    def __init__(self, shape: Architecture) -> None:
        try:
            llama_cpp = importlib.import_module("llama_cpp")
        except ImportError as error:
            raise ImportError("llama-cpp-python is not installed") from error
        self.api = llama_cpp
        self.version = str(llama_cpp.__version__)
        self.vocabulary = shape.vocab_size
        llama_cpp.llama_backend_init()
        self._silence = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._silence, ctypes.c_void_p(0))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mamba2.gguf"
            write_gguf(path, shape)
            settings = llama_cpp.llama_model_default_params()
            settings.n_gpu_layers = 0
            self.model = llama_cpp.llama_load_model_from_file(str(path).encode(), settings)
        given = llama_cpp.llama_context_default_params()
        given.n_ctx, given.n_batch, given.n_ubatch = BLOCK, BLOCK, BLOCK
        given.n_threads = given.n_threads_batch = 1
        self.context = llama_cpp.llama_new_context_with_model(self.model, given)
        if not self.model or not self.context:
            raise ImportError("llama.cpp cannot open a Mamba-2 of this shape")

    def read(self, ids: np.ndarray) -> None:
        """Logits of every base of one sequence, uint8 (L,)."""
        api = self.api
        api.llama_memory_clear(api.llama_get_memory(self.context), True)
        batch = api.llama_batch_init(BLOCK, 0, 1)
        for start in range(0, len(ids), BLOCK):
            part = ids[start : start + BLOCK].tolist()
            batch.n_tokens = len(part)
            for place, base in enumerate(part):
                batch.token[place], batch.pos[place] = base, start + place
                batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
                batch.logits[place] = True
            if api.llama_decode(self.context, batch):
                raise RuntimeError(f"llama.cpp refused the bases from {start}")
        api.llama_batch_free(batch)


def write_gguf(path: Path, shape: Architecture) -> None:
    """Random weights of the shape, fp32, with an empty vocabulary of its size."""
    try:
        gguf = importlib.import_module("gguf")
    except ImportError as error:
        raise ImportError("gguf is not installed") from error
    (width,), inner = shape.d_model, shape.expand * shape.d_model[0]
    heads, layers = inner // shape.headdim, int(shape.trunk_layers)
    channels = inner + 2 * shape.d_state
    out = gguf.GGUFWriter(path, "mamba2")
    out.add_context_length(1 << 20)
    out.add_embedding_length(width)
    out.add_feed_forward_length(0)
    out.add_head_count(0)
    out.add_block_count(layers)
    out.add_layer_norm_rms_eps(NORM_EPS)
    out.add_ssm_conv_kernel(shape.d_conv)
    out.add_ssm_inner_size(inner)
    out.add_ssm_state_size(shape.d_state)
    out.add_ssm_time_step_rank(heads)
    out.add_ssm_group_count(1)
    out.add_vocab_size(shape.vocab_size)
    out.add_tokenizer_model("none")
    random = np.random.default_rng(0)

    def add(name: str, *size: int, scale: float = 0.02) -> None:
        out.add_tensor(name, (scale * random.standard_normal(size)).astype(np.float32))

    add("token_embd.weight", shape.vocab_size, width, scale=1)
    out.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for layer in range(layers):
        at = f"blk.{layer}"
        out.add_tensor(f"{at}.attn_norm.weight", np.ones(width, np.float32))
        add(f"{at}.ssm_in.weight", inner + channels + heads, width)
        add(f"{at}.ssm_conv1d.weight", channels, shape.d_conv, scale=0.3)
        add(f"{at}.ssm_conv1d.bias", channels)
        add(f"{at}.ssm_dt.bias", heads)
        out.add_tensor(f"{at}.ssm_a", -np.linspace(1, 16, heads, dtype=np.float32)[:, None])
        out.add_tensor(f"{at}.ssm_d", np.ones((heads, 1), np.float32))
        out.add_tensor(f"{at}.ssm_norm.weight", np.ones((1, inner), np.float32))
        add(f"{at}.ssm_out.weight", width, inner)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
