"""The router and the de-chunking of a network of both directions (LDARNet, arXiv 2606.04552).

A boundary is a property of the gap between two positions, so both directions give it one
probability. On the reversed sequence the same gap has the same probability, p_rev[t] = p[L - t] for
t = 1 .. L - 1 (0-based); the token is at the position after the gap in either reading, so tokens
are mirrored only up to that shift, and the first position is always a token.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from genezip.errors import GenezipError
from genezip.models.layers.bidirectional import reversal, reverse
from genezip.models.layers.scan import full_precision
from genezip.models.routing.chunking import EMA_CLIP, ema_dechunk
from genezip.models.routing.learned import Router, adjacent_cosine


class BidirectionalRouter(Router):
    """Boundary probability from the mean cosine of both directions of a gap."""

    def boundary_prob(
        self, states: Tensor, valid: Tensor, previous: Tensor | None = None
    ) -> Tensor:
        """p_t = (1 - sim_t) / 2 in fp32, p_0 = 1, padding 0.

        sim_t is the mean of cos(W_q h_{t-1}, W_k h_t) and cos(W_q h_t, W_k h_{t-1}): similarities
        are averaged, not probabilities or decisions. With both projections the identity, as at the
        start of training, it is the causal router.
        """
        if previous is not None:
            raise GenezipError("a router of both directions reads whole sequences; give windows")
        with torch.autocast(device_type=states.device.type, enabled=False):
            states = full_precision(states)
            if states.shape[1] == 0:
                return states.new_zeros(states.shape[:2])
            query, key = self.projected(states)
            similarity = (adjacent_cosine(query, key) + adjacent_cosine(key, query)) / 2
            return pad(((1 - similarity) / 2).clamp(0, 1), (1, 0), value=1.0) * valid

    def smooth(self, tokens: Tensor, prob: Tensor, valid: Tensor, before: Tensor | None) -> Tensor:
        """De-chunk by the moving averages of both directions (:func:`ema_both`)."""
        return ema_both(tokens, prob, valid)


def boundary_prob_loop(query: Tensor, key: Tensor) -> Tensor:
    """The definition of :meth:`BidirectionalRouter.boundary_prob` for one sequence (slow).

    ``query`` and ``key``, (L, D), are the projected states; the result is (L,).
    """
    cosine = torch.nn.functional.cosine_similarity
    found = [query.new_ones(())]
    for t in range(1, len(query)):
        ahead = cosine(query[t - 1], key[t], dim=0)
        back = cosine(query[t], key[t - 1], dim=0)
        found.append((1 - (ahead + back) / 2) / 2)
    return torch.stack(found)


def ema_both(tokens: Tensor, prob: Tensor, valid: Tensor) -> Tensor:
    """Mean of the moving averages of both directions, in fp32 (or fp64): (B, M, D).

    Forward z_m = P_m y_m + (1 - P_m) z_{m-1}, backward z_m = P_m y_m + (1 - P_m) z_{m+1}. Either
    pass begins with its first token alone (P = 1), so that equal tokens come back unchanged; the
    release begins the backward pass with zero, which shrinks the last tokens. ``prob``, (B, M), is
    clipped to [1e-4, 1 - 1e-4]; ``valid``, bool (B, M), is False at padding, which is at the end.
    """
    order = reversal(tokens, valid)
    tokens, turned = full_precision(tokens), full_precision(reverse(tokens, order))
    ahead = ema_dechunk(tokens, prob, tokens[:, 0])
    back = ema_dechunk(turned, reverse(prob, order), turned[:, 0])
    return (ahead + reverse(back, order)) / 2


def ema_both_loop(tokens: Tensor, prob: Tensor) -> Tensor:
    """The definition of :func:`ema_both` for one sequence without padding, (M, D) (slow)."""
    prob = prob.clamp(EMA_CLIP, 1 - EMA_CLIP)
    count = len(tokens)
    ahead, back = [tokens[0]], [tokens[-1]]
    for m in range(1, count):
        ahead.append(prob[m] * tokens[m] + (1 - prob[m]) * ahead[-1])
        last = count - 1 - m
        back.append(prob[last] * tokens[last] + (1 - prob[last]) * back[-1])
    return (torch.stack(ahead) + torch.stack(back[::-1])) / 2
