"""The head of pairs: its size by formula, its score against a value worked out by hand."""

import math

import pytest
import torch

from genezip.tasks.networks import PairHead


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_head_of_pairs_has_the_parameters_of_its_layer() -> None:
    assert parameters(PairHead(512)) == 512 * 2 + 2


def test_the_score_of_a_pair_is_the_softmax_of_class_1() -> None:
    head = PairHead(2)
    with torch.no_grad():
        head.classify.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        head.classify.bias.copy_(torch.tensor([0.0, 1.0]))
    features = torch.tensor([[1.0, 0.5]])
    assert head(features).tolist() == [[1.0, 2.0]]
    assert head.score(features).item() == pytest.approx(1 / (1 + math.exp(-1.0)))
