"""The head of pairs: its size by formula, its logits against values worked out by hand."""

import torch

from genezip.tasks.networks import PairHead


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_head_of_pairs_has_the_parameters_of_its_layer() -> None:
    assert parameters(PairHead(512)) == 512 * 2 + 2


def test_the_head_of_pairs_is_a_linear_map() -> None:
    head = PairHead(2)
    with torch.no_grad():
        head.classify.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        head.classify.bias.copy_(torch.tensor([0.0, 1.0]))
    features = torch.tensor([[1.0, 0.5]])
    assert head(features).tolist() == [[1.0, 2.0]]
