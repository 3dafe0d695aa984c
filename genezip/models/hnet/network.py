"""The network: encoder, routing, trunk, de-chunk, decoder, head.

The input are bases, the output next-base logits; the network is strictly causal unless the bound
``sequence`` is active. In direction ``both`` the output are logits of the bases themselves, some of
which are masked in the input, and layers, router and de-chunking read both sides. Region classes
are no input: they belong to the loss. GeneZip, H-Net, the autoregressive U-Net, dnaHNet, LDARNet,
routers that learn nothing and flat Mamba-2 are architectures of this network.

With a :class:`NetworkState` a sequence can be given in blocks of any length: convolutions,
state-space scans, attention, routers, de-chunking and bounds continue where the last block ended.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from genezip.alphabet import A_ID, MASK_ID, ROWS_OF_IDS, SMALL_VOCABULARY, T_ID
from genezip.errors import GenezipError
from genezip.models.hnet.architecture import GUIDED, Architecture, BoundKind, bound_kind
from genezip.models.hnet.output import Output
from genezip.models.layers.attention import Attention
from genezip.models.layers.bidirectional import BiMamba2
from genezip.models.layers.mamba2 import Mamba2
from genezip.models.layers.packing import packing
from genezip.models.layers.scan import full_precision
from genezip.models.layers.stack import Source, Stack, StackState, SwiGLU
from genezip.models.routing.chunking import Chunks, chunk, straight_through
from genezip.models.routing.fixed import UnlearnedRouter, make_router
from genezip.models.routing.guided import Guide, GuidedRouter
from genezip.models.routing.learned import Bound, Router, RouterState, Routing, SequenceBound


@dataclass
class StageState:
    """State of a stage; ``before`` is the last de-chunked token."""

    encoder: StackState
    decoder: StackState
    router: RouterState = field(default_factory=RouterState)
    before: Tensor | None = None


@dataclass
class NetworkState:
    """State of one sequence after some bases.

    Tensors are replaced, never changed in place, so :meth:`copy` is a cheap snapshot.
    """

    stages: list[StageState]
    trunk: StackState

    def copy(self) -> Self:
        """A snapshot that later blocks do not change."""
        stages = [
            StageState(one.encoder.copy(), one.decoder.copy(), replace(one.router), one.before)
            for one in self.stages
        ]
        return type(self)(stages, self.trunk.copy())


class GeneZipNetwork(nn.Module):
    """Hierarchical network of S routing stages around a trunk.

    Attributes
    ----------
    base_columns : columns of the logits of A, C, G and T
    segment : type of device -> positions that pass through a stack at a time without gradients,
        as many as fit its caches
    fixed_capacity : whether the number of token slots is the limit set by bounds and strides, so
        that no token count is read from the device: more padding, but no stall of the queue
    packed : whether the trunk runs on one row of all tokens of a batch instead of on rows
        padded to the longest (:mod:`genezip.models.layers.packing`); one more read from the device
    protect_masked : whether every masked base is a token of its own (:meth:`Routing.protecting`)
    """

    segment: Mapping[str, int] = MappingProxyType({"cpu": 1024, "cuda": 65_536})
    fixed_capacity: bool = False
    packed: bool = False
    protect_masked: bool = False
    rows: Tensor | None

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.shape = shape
        widths = shape.d_model
        stages = range(shape.n_stages)
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, widths[0]))
        if shape.head == "untied":
            self.head = nn.Parameter(torch.empty(shape.vocab_size, widths[0]))
        small = shape.vocab_size == len(SMALL_VOCABULARY)
        self.base_columns = slice(0, 4) if small else slice(A_ID, T_ID + 1)
        # row of every id, if rows are not in the order of ids
        rows = torch.tensor(ROWS_OF_IDS) if small else None
        self.register_buffer("rows", rows, persistent=False)
        self.encoders = nn.ModuleList(Stack(shape.encoder_layers[s], s, shape) for s in stages)
        self.routers = nn.ModuleList(self._make_router(s) for s in stages)
        self.residuals = nn.ModuleList(nn.Linear(widths[s], widths[s]) for s in stages)
        # one learned vector widens the tokens of stage s to the width of the next level
        self.paddings = nn.ParameterList(
            nn.Parameter(torch.empty(widths[s + 1] - widths[s])) for s in stages
        )
        # vector of positions before the first token, if tokens are at the end of their chunks
        self.starts = nn.ParameterDict(
            {str(s): nn.Parameter(torch.empty(widths[s])) for s in stages if self._ends(s)}
        )
        self.trunk = Stack(shape.trunk_layers, shape.n_stages, shape)
        self.decoders = nn.ModuleList(Stack(shape.decoder_layers[s], s, shape) for s in stages)
        scale = 1 / math.sqrt(widths[0]) if shape.logit_scale == "inverse_sqrt_width" else 1.0
        self.logit_scale = scale
        self.bound: BoundKind = "none"
        self.set_bound(shape.bound)

    def _make_router(self, s: int) -> Router | UnlearnedRouter:
        shape = self.shape
        kind, width = shape.router[s], shape.d_model[s]
        if kind not in GUIDED:
            return make_router(kind, width, shape.stride[s], shape.direction)
        learned = make_router("learned", width, None, shape.direction)
        assert isinstance(learned, Router)
        encoder = Stack(shape.encoder_layers[s], s, shape)
        embedding = torch.empty(shape.vocab_size, width)
        return GuidedRouter(kind, width, Guide(embedding, self.rows, encoder, learned))

    def take_guide(self, trained: "GeneZipNetwork") -> None:
        """Copy the guide of guided routers from a trained network of the same layout.

        It is the first stage of a network with a learned router, or the guide of a guided one.
        """
        for router, other in zip(self.routers, trained.routers, strict=True):
            if isinstance(router, GuidedRouter):
                source: GeneZipNetwork | Guide = trained
                encoder, routing = trained.encoders[0], other
                if isinstance(other, GuidedRouter):
                    source, encoder, routing = other.guide, other.guide.encoder, other.guide.router
                router.guide.take(source.embedding, encoder, routing)

    def _ends(self, s: int) -> bool:
        return bool(self.routers[s].marks_end)

    def set_bound(self, kind: BoundKind, target_bpt: Sequence[float] = ()) -> None:
        """Choose the bound of all learned routers.

        If the architecture has no integers of the causal bound, they are computed from
        ``target_bpt``, the target of every region class (bp per token).
        """
        bounds: list[Bound]
        kind = bound_kind(kind) or "none"
        if kind == "causal" and self.shape.direction == "both":
            raise GenezipError(
                "the causal bound is for networks that read forward, but this one reads both "
                "directions; use the bound none or sequence"
            )
        if kind == "causal":
            bounds = list(self.shape.causal_bounds(target_bpt))
            if len(bounds) != self.shape.n_stages:
                raise GenezipError(
                    "the causal bound has no integers; give max_chunk, burst and rate in the "
                    "architecture, or the target BPT from which they are computed"
                )
        elif kind == "sequence":
            bounds = [
                None if low is None and high is None else SequenceBound(low, high)
                for low, high in zip(self.shape.k_min, self.shape.k_max, strict=True)
            ]
        else:
            bounds = [None] * self.shape.n_stages
        limited = [r for r in self.routers if isinstance(r, Router | GuidedRouter)]
        for router, bound in zip(self.routers, bounds, strict=True):
            if isinstance(router, Router | GuidedRouter):
                router.bound = bound
        self.bound = kind if any(router.bound is not None for router in limited) else "none"

    def checkpoint_activations(self, flag: bool) -> None:
        """Recompute the activations of every block in the backward pass instead of keeping them."""
        for module in self.modules():
            if isinstance(module, Stack):
                module.recompute = flag

    def start(self) -> NetworkState:
        """The state before the first base of a sequence; refused in direction ``both``."""
        if self.shape.direction == "both":
            raise GenezipError(
                "a network of both directions reads a sequence as a whole, so it neither streams "
                "nor generates; give windows"
            )
        stages = [
            StageState(_start(encoder), _start(decoder))
            for encoder, decoder in zip(self.encoders, self.decoders, strict=True)
        ]
        return NetworkState(stages, self.trunk.start())

    def reset_parameters(self, seed: int) -> None:
        """Set the initial values of the release, which are equal for a seed on any machine.

        Output projections are N(0, 0.02 / sqrt(n)), n = residual additions counted from the outside
        in, two in a block with a SwiGLU; the tied embedding is N(0, 1), an untied one and its head
        are N(0, 0.02); routers are the identity and the residual maps are zero.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.shape.head == "untied":
                nn.init.normal_(self.embedding, std=0.02)
                nn.init.normal_(self.head, std=0.02)
            else:
                nn.init.normal_(self.embedding)
            depth = 0
            for s in range(self.shape.n_stages):
                depth += _additions(self.shape.letters(s))
                _reset(self.encoders[s], depth)
                _reset(self.decoders[s], depth)
                _reset_stage(self.routers[s], self.residuals[s], self.paddings[s])
                if self._ends(s):
                    nn.init.zeros_(self.starts[str(s)])
            _reset(self.trunk, depth + _additions(self.shape.letters(self.shape.n_stages)))
        for router in self.routers:
            if isinstance(router, GuidedRouter):
                router.begin(seed, self.embedding, self.encoders[0])

    def forward(
        self,
        ids: Tensor,
        valid: Tensor | None = None,
        forced: list[Tensor] | None = None,
        state: NetworkState | None = None,
    ) -> Output:
        """Run a batch; a stream under the bound ``sequence`` is refused.

        Parameters
        ----------
        ids : integer Tensor, shape (B, L), token ids (:mod:`genezip.alphabet`)
        valid : bool Tensor, shape (B, L), False at padding, which must be at the end
        forced : bool masks that replace those of the routers, one per stage
        state : state of one sequence (B = 1, no padding), which is updated to its new end
        """
        output, embedded = self._begin(ids, valid, state)
        output.states = self._level(0, embedded, output.valid, ids, forced, state, output)
        with torch.autocast(device_type=ids.device.type, enabled=False):
            head = self.embedding if self.shape.head == "tied" else self.head
            logits = linear(full_precision(output.states), full_precision(head))
            output.logits = logits * self.logit_scale
        return output

    def route(self, ids: Tensor, valid: Tensor | None = None) -> Output:
        """Find the tokens of a batch by encoders and routers alone.

        Parameters are those of :meth:`forward`. The result has the routings and chunks of a whole
        pass, but no logits, states and token vectors.
        """
        output, inner = self._begin(ids, valid, None)
        here, bases = output.valid, [ids, *[None] * self.shape.n_stages]
        for s in range(self.shape.n_stages):
            _, _, kept, inner = self._tokens(s, inner, here, bases[s], None, None, output)
            here = kept.valid
        return output

    def _begin(
        self, ids: Tensor, valid: Tensor | None, state: NetworkState | None
    ) -> tuple[Output, Tensor | Source]:
        """The output to fill, and the embedded bases."""
        if valid is not None and (valid.dtype != torch.bool or valid.shape != ids.shape):
            raise GenezipError(
                f"valid must be a bool mask of the shape of ids, {tuple(ids.shape)}, False at "
                f"padding, not {valid.dtype} of shape {tuple(valid.shape)}; region classes belong "
                "to the loss and are no input of the network"
            )
        if state is not None and (ids.shape[0] != 1 or valid is not None):
            raise ValueError("a state continues one sequence: give ids of shape (1, L), no valid")
        if valid is None:
            valid = torch.ones(ids.shape, dtype=torch.bool, device=ids.device)
        shares = self.shape.stage_shares
        output = Output(self.embedding, self.embedding, valid, self.shape.marks_end, shares)
        rows = ids.long() if self.rows is None else self.rows[ids.long()]
        return output, Source(ids.shape[1], lambda part: self.embedding[rows[:, part]])

    def _level(
        self,
        s: int,
        x: Tensor | Source,
        valid: Tensor,
        ids: Tensor | None,
        forced: list[Tensor] | None,
        state: NetworkState | None,
        output: Output,
    ) -> Tensor:
        """One level: the trunk, or encoder -> tokens -> next level -> bases -> decoder."""
        segment = self.segment.get(valid.device.type)
        if s == self.shape.n_stages:
            trunk_state = None if state is None else state.trunk
            if self.packed and state is None and len(valid) > 1:
                assert isinstance(x, Tensor)
                row = packing(valid, max(1, self.shape.d_conv - 1))
                output.tokens = row.unpack(self.trunk(row.pack(x), packed=row))
            else:
                output.tokens = self.trunk(x, trunk_state, segment, valid=valid)
            return output.tokens
        stage = None if state is None else state.stages[s]
        encoded, routing, kept, inner = self._tokens(s, x, valid, ids, forced, stage, output)
        width = encoded.shape[-1]
        inner = self._level(s + 1, inner, kept.valid, None, forced, state, output)[..., :width]
        expanded = self._dechunk(s, inner, kept, routing, stage)
        prob = routing.boundary_prob
        # confidence of the decision by threshold, before the bound
        confidence = torch.where(prob > 0.5, prob, 1 - prob)

        def decoded(part: slice) -> Tensor:
            with torch.autocast(device_type=valid.device.type, enabled=False):
                skip = self.residuals[s](full_precision(encoded[:, part]))
            return skip + straight_through(expanded(part), confidence[:, part])

        after = None if stage is None else stage.decoder
        # a segment of the encoder's result is not needed any more when the decoder's is written
        source = Source(valid.shape[1], decoded)
        return self.decoders[s](source, after, segment, valid=valid, into=encoded)

    def _tokens(
        self,
        s: int,
        x: Tensor | Source,
        valid: Tensor,
        ids: Tensor | None,
        forced: list[Tensor] | None,
        stage: StageState | None,
        output: Output,
    ) -> tuple[Tensor, Routing, Chunks, Tensor]:
        """Encoder and router of a level: its positions, routing, chunks and next level's input."""
        segment = self.segment.get(valid.device.type)
        before = None if stage is None else stage.encoder
        encoded = self.encoders[s](x, before, segment, valid=valid)
        router = _router(self.routers[s])
        if isinstance(router, GuidedRouter):
            router.guide.protect_masked = self.protect_masked
        routing = router(
            encoded,
            valid,
            None if forced is None else forced[s],
            None if stage is None else stage.router,
            ids,
        )
        guided = isinstance(router, GuidedRouter)  # whose guide protects masked bases
        if self.protect_masked and ids is not None and forced is None and not guided:
            routing = routing.protecting(ids == MASK_ID)
        fixed = self.fixed_capacity and stage is None and forced is None
        fixed = fixed and not self.protect_masked  # whose tokens are beyond any limit
        kept = chunk(routing.boundary_mask, router.capacity(valid.shape[1]) if fixed else None)
        output.routings.append(routing)
        output.chunks.append(kept)
        tokens = kept.select(encoded)
        extra = self.paddings[s].expand(*tokens.shape[:-1], -1)
        return encoded, routing, kept, torch.cat([tokens, extra], -1)

    def _dechunk(
        self, s: int, inner: Tensor, kept: Chunks, routing: Routing, stage: StageState | None
    ) -> Callable[[slice], Tensor]:
        """Expand tokens, (B, M, D), to the positions of a slice: (B, L', D), fp32.

        Positions before the first token of a block get the last token of the stream, or at the
        start of a sequence the learned start vector, if tokens are at the end of their chunks.
        """
        before = None if stage is None else stage.before
        smooth = full_precision(inner)
        router = _router(self.routers[s])
        if isinstance(router, Router) and router.smooths and inner.shape[1]:
            prob = kept.select(routing.boundary_prob)
            smooth = router.smooth(inner, prob, kept.valid, before)
        if before is None and str(s) in self.starts:
            before = full_precision(self.starts[str(s)]).expand(len(inner), -1)
        if stage is not None and smooth.shape[1]:
            stage.before = smooth[:, -1].clone()
        elif stage is not None:
            stage.before = before
        return kept.copies(smooth, before)

    def count_parameters(self) -> int:
        """Number of parameters; tied ones count once."""
        return sum(parameter.numel() for parameter in self.parameters())


def _router(module: nn.Module) -> Router | UnlearnedRouter:
    assert isinstance(module, Router | UnlearnedRouter)
    return module


def _start(stack: nn.Module) -> StackState:
    assert isinstance(stack, Stack)
    return stack.start()


def _reset_stage(router: nn.Module, residual: nn.Module, padding: Tensor) -> None:
    assert isinstance(residual, nn.Linear)
    _router(router).reset_parameters()
    nn.init.zeros_(residual.weight)
    bound = 1 / math.sqrt(residual.in_features)
    nn.init.uniform_(residual.bias, -bound, bound)
    nn.init.zeros_(padding)


def _additions(letters: str) -> int:
    """Residual additions of blocks: one for the mixer, one for the SwiGLU of a capital."""
    return sum(1 + letter.isupper() for letter in letters)


def _reset(stack: nn.Module, depth: int) -> None:
    for module in stack.modules():
        if isinstance(module, Mamba2 | BiMamba2 | Attention | SwiGLU):
            module.reset_parameters(0.02 / math.sqrt(depth))


def build(shape: Architecture, seed: int = 0) -> GeneZipNetwork:
    """A network with the initial values of :meth:`GeneZipNetwork.reset_parameters`."""
    with torch.random.fork_rng(devices=[]):  # torch draws initial values, which are replaced
        network = GeneZipNetwork(shape)
    network.reset_parameters(seed)
    return network
