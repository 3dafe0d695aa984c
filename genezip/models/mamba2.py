"""Mamba-2 layers: mixer, pre-norm residual block, stack."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm, silu, softplus

from genezip.models.architecture import Architecture
from genezip.models.convolution import causal_convolution
from genezip.models.kernels import scan
from genezip.models.scan import full_precision

NORM_EPS = 1e-5


class Mamba2(nn.Module):
    """Mamba-2 mixer with one group (Dao and Gu, 2024), causal.

    Parameters per layer at width d, with di = expand d, h = di / headdim, n = d_state:
    d (2 di + 2 n + h) + (di + 2 n)(d_conv + 1) + 3 h + di + di d.
    """

    def __init__(self, width: int, shape: Architecture) -> None:
        super().__init__()
        self.inner = shape.expand * width
        self.state = shape.d_state
        self.headdim = shape.headdim
        self.heads = self.inner // shape.headdim
        self.chunk = shape.ssd_chunk
        channels = self.inner + 2 * self.state
        self.in_proj = nn.Linear(width, 2 * self.inner + 2 * self.state + self.heads, bias=False)
        self.conv_weight = nn.Parameter(torch.empty(channels, shape.d_conv))
        self.conv_bias = nn.Parameter(torch.empty(channels))
        self.dt_bias = nn.Parameter(torch.empty(self.heads))
        self.a_log = nn.Parameter(torch.empty(self.heads))
        self.d = nn.Parameter(torch.empty(self.heads))
        self.norm_weight = nn.Parameter(torch.empty(self.inner))
        self.out_proj = nn.Linear(self.inner, width, bias=False)

    def reset_parameters(self, out_std: float) -> None:
        """Initial values (Mamba-2 defaults; linear N(0, 0.02), output N(0, out_std))."""
        nn.init.normal_(self.in_proj.weight, std=0.02)
        nn.init.normal_(self.out_proj.weight, std=out_std)
        bound = 1 / math.sqrt(self.conv_weight.shape[1])
        nn.init.uniform_(self.conv_weight, -bound, bound)
        nn.init.uniform_(self.conv_bias, -bound, bound)
        # dt log-uniform in [1e-3, 1e-1]; the bias is its inverse softplus
        low, high = math.log(1e-3), math.log(1e-1)
        dt = torch.exp(torch.empty_like(self.dt_bias).uniform_(low, high)).clamp(min=1e-4)
        with torch.no_grad():
            self.dt_bias.copy_(dt + torch.log(-torch.expm1(-dt)))
            self.a_log.uniform_(1, 16).log_()
        nn.init.ones_(self.d)
        nn.init.ones_(self.norm_weight)

    def forward(self, x: Tensor) -> Tensor:
        """Mix a sequence: (B, L, width) -> (B, L, width); position t sees 0..t."""
        gate, mixed, dt = self.in_proj(x).split(
            [self.inner, self.inner + 2 * self.state, self.heads], dim=-1
        )
        mixed = silu(causal_convolution(mixed, self.conv_weight, self.conv_bias))
        values, b, c = mixed.split([self.inner, self.state, self.state], dim=-1)
        values = values.unflatten(-1, (self.heads, self.headdim))  # (B, L, H, P)
        dt = softplus(full_precision(dt) + self.dt_bias)
        y = scan(values, dt, -full_precision(self.a_log).exp(), b, c, self.chunk)
        y = torch.addcmul(y, values, self.d[:, None].to(y.dtype)).flatten(-2)
        y = rms_norm(y * silu(gate), (self.inner,), self.norm_weight.to(y.dtype), NORM_EPS)
        return self.out_proj(y)


class Block(nn.Module):
    """Pre-norm residual block; the residual stream is fp32."""

    def __init__(self, width: int, shape: Architecture) -> None:
        super().__init__()
        self.width = width
        self.norm_weight = nn.Parameter(torch.ones(width))
        self.mixer = Mamba2(width, shape)

    def forward(self, residual: Tensor) -> Tensor:
        """(B, L, width) -> (B, L, width)."""
        normed = rms_norm(residual, (self.width,), self.norm_weight, NORM_EPS)
        return residual + full_precision(self.mixer(normed))


class Stack(nn.Module):
    """Blocks, then one RMS norm."""

    def __init__(self, width: int, layers: int, shape: Architecture) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.ModuleList(Block(width, shape) for _ in range(layers))
        self.norm_weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, width) -> (B, L, width), fp32."""
        x = full_precision(x)
        for block in self.blocks:
            x = block(x)
        return rms_norm(x, (self.width,), self.norm_weight, NORM_EPS)
