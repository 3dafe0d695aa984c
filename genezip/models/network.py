"""The network: encoder, routing, trunk, de-chunk, decoder, tied head.

Bases go in, next-base logits come out; strictly causal as long as no bound bites. Region
labels cannot enter here: they belong to the loss.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from genezip.models.architecture import Architecture
from genezip.models.chunking import Chunks, chunk, ema_dechunk, straight_through
from genezip.models.mamba2 import Mamba2, Stack
from genezip.models.routing import Router, Routing
from genezip.models.scan import full_precision


@dataclass
class Output:
    """What the network makes of a batch.

    Attributes
    ----------
    logits : Tensor, shape (B, L, vocab)
        Position t predicts the base at t + 1.
    routings, chunks : one per stage, outermost first
    tokens : Tensor, shape (B, M, D)
        Trunk output, one vector per final-stage token (padded; see ``chunks[-1].valid``).
    states : Tensor, shape (B, L, d_model[0])
        Stage-0 decoder output, one vector per base.
    """

    logits: Tensor
    states: Tensor
    tokens: Tensor = field(default_factory=lambda: torch.empty(0))
    routings: list[Routing] = field(default_factory=list)
    chunks: list[Chunks] = field(default_factory=list)

    def token_starts(self) -> tuple[Tensor, Tensor]:
        """First base of every final-stage token: int64 (B, M) and its bool valid mask."""
        starts = self.chunks[-1].positions
        for outer in reversed(self.chunks[:-1]):
            starts = outer.positions.gather(1, starts)
        return starts, self.chunks[-1].valid


class GeneZipNetwork(nn.Module):
    """Hierarchical network of S routing stages around a trunk."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.shape = shape
        widths = shape.d_model
        stages = range(shape.n_stages)
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, widths[0]))
        self.encoders = nn.ModuleList(
            Stack(widths[s], shape.encoder_layers[s], shape) for s in stages
        )
        self.routers = nn.ModuleList(
            Router(widths[s], shape.k_min[s], shape.k_max[s]) for s in stages
        )
        self.residuals = nn.ModuleList(nn.Linear(widths[s], widths[s]) for s in stages)
        # one learned vector widens the tokens of stage s to the width of the next level
        self.paddings = nn.ParameterList(
            nn.Parameter(torch.empty(widths[s + 1] - widths[s])) for s in stages
        )
        self.trunk = Stack(widths[-1], shape.trunk_layers, shape)
        self.decoders = nn.ModuleList(
            Stack(widths[s], shape.decoder_layers[s], shape) for s in stages
        )
        scale = 1 / math.sqrt(widths[0]) if shape.logit_scale == "inverse_sqrt_width" else 1.0
        self.logit_scale = scale

    def reset_parameters(self, seed: int) -> None:
        """Initial values of the authors' release, the same for a seed on any machine.

        Output projections are N(0, 0.02 / sqrt(n)), n = residual additions counted from
        the outside in; the tied embedding is N(0, 1); routers are the identity and the
        residual maps are zero.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            nn.init.normal_(self.embedding)
            depth = 0
            for s in range(self.shape.n_stages):
                depth += self.shape.encoder_layers[s] + self.shape.decoder_layers[s]
                _reset(self.encoders[s], depth)
                _reset(self.decoders[s], depth)
                _reset_stage(self.routers[s], self.residuals[s], self.paddings[s])
            _reset(self.trunk, depth + self.shape.trunk_layers)

    def forward(
        self, ids: Tensor, valid: Tensor | None = None, forced: list[Tensor] | None = None
    ) -> Output:
        """Run a batch.

        Parameters
        ----------
        ids : integer Tensor, shape (B, L)
            Token ids (:mod:`genezip.vocab`).
        valid : bool Tensor, shape (B, L), optional
            False at padding, which must stand at the end; all valid when absent.
        forced : list of bool Tensors, optional
            Boundary masks to use instead of the model's own, one per stage.
        """
        if valid is None:
            valid = torch.ones(ids.shape, dtype=torch.bool, device=ids.device)
        output = Output(logits=self.embedding, states=self.embedding)
        states = self._level(0, self.embedding[ids.long()], valid, forced, output)
        output.states = states
        with torch.autocast(device_type=ids.device.type, enabled=False):
            logits = linear(full_precision(states), full_precision(self.embedding))
            output.logits = logits * self.logit_scale
        return output

    def _level(
        self, s: int, x: Tensor, valid: Tensor, forced: list[Tensor] | None, output: Output
    ) -> Tensor:
        """One level: the trunk, or encoder -> tokens -> next level -> bases -> decoder."""
        if s == self.shape.n_stages:
            output.tokens = self.trunk(x)
            return output.tokens
        encoded = self.encoders[s](x)
        routing = self.routers[s](encoded, valid, None if forced is None else forced[s])
        kept = chunk(routing.boundary_mask)
        output.routings.append(routing)
        output.chunks.append(kept)
        tokens = kept.select(encoded)
        width = tokens.shape[-1]
        extra = self.paddings[s].expand(*tokens.shape[:-1], -1)
        inner = self._level(s + 1, torch.cat([tokens, extra], -1), kept.valid, forced, output)
        smooth = ema_dechunk(inner[..., :width], kept.select(routing.boundary_prob))
        prob = routing.boundary_prob
        # confidence of the threshold's decision, not of the bounded one
        confidence = torch.where(prob > 0.5, prob, 1 - prob).unsqueeze(-1)
        with torch.autocast(device_type=x.device.type, enabled=False):
            skip = self.residuals[s](full_precision(encoded))
        return self.decoders[s](
            torch.addcmul(skip, kept.expand(smooth), straight_through(confidence))
        )

    def count_parameters(self) -> int:
        """Learned numbers, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())


def _reset_stage(router: nn.Module, residual: nn.Module, padding: Tensor) -> None:
    assert isinstance(router, Router)
    assert isinstance(residual, nn.Linear)
    router.reset_parameters()
    nn.init.zeros_(residual.weight)
    bound = 1 / math.sqrt(residual.in_features)
    nn.init.uniform_(residual.bias, -bound, bound)
    nn.init.zeros_(padding)


def _reset(stack: nn.Module, depth: int) -> None:
    for module in stack.modules():
        if isinstance(module, Mamba2):
            module.reset_parameters(0.02 / math.sqrt(depth))


def build(shape: Architecture, seed: int = 0) -> GeneZipNetwork:
    """A network with its initial values."""
    with torch.random.fork_rng(devices=[]):  # the library's own initial values are replaced
        network = GeneZipNetwork(shape)
    network.reset_parameters(seed)
    return network
