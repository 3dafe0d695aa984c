"""The network of DNAZEN: an encoder of tokens, and one of G-grams whose vectors it takes in.

Layer l of the token encoder gives v, layer l of the G-gram encoder u; then v + M u goes on, where M
says which G-grams cover a token. Later layers see tokens only. The token encoder is that of
DNABERT-2 (arXiv 2306.15006): norms after each part, attention with linear biases on both sides
(ALiBi, Press et al. 2022), and gated feed-forward parts. The G-gram encoder is a plain transformer
without positions, as the order of G-grams has no meaning.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.architecture import WordsArchitecture

EPS = 1e-12  # of the norms, as in BERT
INIT = 0.02


class WordsNetwork(nn.Module):
    """The network of a layout with its sizes.

    ``embedding`` is tied to the output of the language-model head.
    """

    def __init__(self, shape: WordsArchitecture) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.embedding = nn.Embedding(shape.vocabulary, width)
        self.norm = nn.LayerNorm(width, EPS)
        self.layers = nn.ModuleList(_TokenLayer(shape) for _ in range(shape.layers))
        self.ggram_embedding: nn.Embedding | None = None
        self.ggram_norm: nn.LayerNorm | None = None
        self.ggram_layers = nn.ModuleList()
        if shape.reads_ggrams:
            self.ggram_embedding = nn.Embedding(shape.ggrams or 1, width)
            self.ggram_norm = nn.LayerNorm(width, EPS)
            self.ggram_layers.extend(_GGramLayer(shape) for _ in range(shape.ggram_layers))
        self.head = nn.Linear(width, width)
        self.head_norm = nn.LayerNorm(width, EPS)
        self.head_bias = nn.Parameter(torch.zeros(shape.vocabulary))

    def reset_parameters(self) -> None:
        """Initial values from torch's random numbers: N(0, 0.02), biases 0."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=INIT)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def count_parameters(self) -> int:
        """Learned numbers; those of the tied head count once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(
        self, ids: Tensor, valid: Tensor, ggrams: Tensor | None = None, covers: Tensor | None = None
    ) -> Tensor:
        """States of the tokens: (B, T) to (B, T, width).

        Parameters
        ----------
        ids : int64 Tensor, token ids
        valid : bool Tensor (B, T), False at padding, which changes no other state
        ggrams : int64 Tensor (B, G), numbers of G-grams, -1 for none; None for none at all
        covers : bool Tensor (B, T, G), whether a G-gram covers a token
        """
        v = self.norm(self.embedding(ids))
        bias = alibi(self.shape.heads, ids.shape[1], v.device, v.dtype)
        mask = bias.masked_fill(~valid[:, None, None, :], -math.inf)
        u, seen, share = None, None, None
        if self.ggram_embedding is not None and ggrams is not None and ggrams.shape[1]:
            assert self.ggram_norm is not None and covers is not None
            there = ggrams >= 0
            u = self.ggram_norm(self.ggram_embedding(ggrams.clamp(min=0)))
            # a row without G-grams attends to itself, and its vectors are not used
            seen = there | ~there.any(dim=1, keepdim=True)
            share = (covers & there[:, None, :]).to(v.dtype)
            if self.shape.fusion == "mean":
                share = share / share.sum(dim=2, keepdim=True).clamp(min=1)
        for number, layer in enumerate(self.layers):
            v = layer(v, mask)
            if u is not None and share is not None and number < len(self.ggram_layers):
                u = self.ggram_layers[number](u, seen)
                v = v + torch.bmm(share, u)
        return v

    def logits(self, states: Tensor) -> Tensor:
        """Scores of the words at some states: (..., width) to (..., vocabulary)."""
        hidden = self.head_norm(gelu(self.head(states)))
        return linear(hidden, self.embedding.weight, self.head_bias)


def word_log_prob(logits: Tensor) -> Tensor:
    """Log-probabilities of the words alone, in fp32: (..., V) to (..., V - 5).

    Special tokens are never to be predicted, so they have no share.
    """
    return torch.log_softmax(logits[..., len(SPECIAL) :].float(), dim=-1)


class _TokenLayer(nn.Module):
    """Attention with ALiBi, and a gated feed-forward part; a norm after each."""

    def __init__(self, shape: WordsArchitecture) -> None:
        super().__init__()
        self.attention = _Attention(shape.width, shape.heads)
        self.norm = nn.LayerNorm(shape.width, EPS)
        self.gated = nn.Linear(shape.width, 2 * shape.inner, bias=False)
        self.out = nn.Linear(shape.inner, shape.width)
        self.out_norm = nn.LayerNorm(shape.width, EPS)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(x + self.attention(x, mask))
        gate, value = self.gated(x).chunk(2, dim=-1)
        out: Tensor = self.out_norm(x + self.out(gelu(gate) * value))
        return out


class _GGramLayer(nn.Module):
    """A plain transformer layer without positions; a norm after each part."""

    def __init__(self, shape: WordsArchitecture) -> None:
        super().__init__()
        self.attention = _Attention(shape.width, shape.heads)
        self.norm = nn.LayerNorm(shape.width, EPS)
        self.inner = nn.Linear(shape.width, shape.inner)
        self.out = nn.Linear(shape.inner, shape.width)
        self.out_norm = nn.LayerNorm(shape.width, EPS)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        x = self.norm(x + self.attention(x, seen[:, None, None, :]))
        out: Tensor = self.out_norm(x + self.out(gelu(self.inner(x))))
        return out


class _Attention(nn.Module):
    """Multi-head self-attention with biases; ``mask`` is bool, or is added to the scores."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        parts = self.in_proj(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(-2))
        return out


def alibi_slopes(heads: int) -> list[float]:
    """Slope of every head: 2^(-8 k / n) for k = 1 .. n, n a power of two.

    For other numbers of heads those of the next lower power come first, then every second one of
    the next higher power (Press et al. 2022).
    """
    lower = 2 ** int(math.log2(heads))

    def of_power(count: int) -> list[float]:
        return [2.0 ** (-8 * (k + 1) / count) for k in range(count)]

    more = of_power(2 * lower)[::2]
    return of_power(lower) + more[: heads - lower]


def alibi(heads: int, length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Bias of attention, minus slope times distance on both sides: (1, heads, T, T)."""
    at = torch.arange(length, device=device)
    distance = (at[:, None] - at).abs().to(dtype)
    slopes = torch.tensor(alibi_slopes(heads), device=device, dtype=dtype)
    return -(slopes[:, None, None] * distance)[None]


def build_words(shape: WordsArchitecture, seed: int) -> WordsNetwork:
    """A network with the initial weights of a seed."""
    torch.manual_seed(seed)
    network = WordsNetwork(shape)
    network.reset_parameters()
    return network


def words_flops(shape: WordsArchitecture, tokens: float, ggrams: float, rows: float = 1.0) -> float:
    """Floating-point operations of a forward pass without the head; a multiply-add counts as two.

    Parameters
    ----------
    tokens, ggrams : tokens, special ones included, and G-grams of all rows together
    rows : number of rows, which share them evenly
    """
    d, inner = shape.width, shape.inner
    layer = 2 * (4 * d * d + 3 * d * inner) * tokens + 4 * d * tokens**2 / rows
    total = shape.layers * layer
    if shape.reads_ggrams:
        plain = 2 * (4 * d * d + 2 * d * inner) * ggrams + 4 * d * ggrams**2 / rows
        total += shape.ggram_layers * (plain + 2 * d * tokens * ggrams / rows)
    return float(total)
