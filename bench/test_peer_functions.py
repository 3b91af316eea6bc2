"""Before anybody is timed: the peers compute our function, or differ from it by what their line in `PEERS` says."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from bench.peers import PEERS, SHAPES, copy_to_timm, parameters_beyond_ours, peer_step
from studies.training.steps.eager import train_step
from vit import ViT


def build(name: str, shape: str) -> nn.Module:
    """A peer at a shape; skips with the reason where it is not installed."""
    if reason := PEERS[name].missing():
        pytest.skip(reason)
    torch.manual_seed(0)
    return PEERS[name].build(SHAPES[shape])


@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name, peer in PEERS.items() for shape in peer.shapes])
def test_a_peer_has_our_architecture(name, shape):
    config, peer = SHAPES[shape], build(name, shape)
    logits = peer(torch.rand(2, config.in_channels, *config.image_shape))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()
    logits.sum().backward()
    assert all(p.grad is not None for p in peer.parameters() if p.requires_grad)
    assert abs(parameters_beyond_ours(peer, config)) <= PEERS[name].tolerated * ViT(config).num_params()


@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name in ("timm", "timm Eva") for shape in PEERS[name].shapes]
)
def test_timm_with_our_weights_computes_our_function(name, shape):
    config, theirs = SHAPES[shape], build(name, shape)
    ours, images = ViT(config), torch.rand(4, config.in_channels, *config.image_shape)
    copy_to_timm(ours, theirs)
    torch.testing.assert_close(theirs(images), ours(images), atol=1e-4, rtol=1e-4)
    step = partial(peer_step, images=images, labels=torch.arange(4))
    step(theirs, torch.optim.SGD(theirs.parameters(), lr=0.1))
    train_step(ours, torch.optim.SGD(ours.parameters(), lr=0.1), images, torch.arange(4))
    torch.testing.assert_close(theirs(images), ours(images), atol=1e-3, rtol=1e-3)  # equal gradients too


def test_cct_but_for_the_place_of_a_norm_computes_our_function():
    """With our weights, what its convolutions lack set to nothing in ours, and that norm moved in it."""
    config, theirs = SHAPES["192/6 CCT"], build("vit-pytorch CCT", "192/6 CCT")
    ours, images = ViT(config), torch.rand(4, config.in_channels, *config.image_shape)
    extra = {name: p.numel() for name, p in ours.named_parameters() if name.startswith(("stem", "patch_embedding"))}
    kernels = sum(p.numel() for p in theirs.tokenizer.parameters())
    assert parameters_beyond_ours(theirs, config) == kernels + 1 - sum(extra.values())  # 1: of the pooling's score
    give_to_cct(ours, theirs)
    torch.testing.assert_close(theirs(images), ours(images), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def give_to_cct(ours: ViT, theirs: nn.Module) -> None:
    """Our weights into CCT, whose second norm moves from behind attention's sum into the MLP's branch."""
    nn.init.eye_(ours.patch_embedding.weight)
    nn.init.zeros_(ours.patch_embedding.bias)
    for own, (convolution, *_) in zip(ours.stem[::2], theirs.tokenizer.conv_layers, strict=True):
        nn.init.zeros_(own.bias)
        convolution.weight.copy_(own.weight)
    reader = theirs.classifier
    reader.positional_emb.copy_(ours.positional.embedding.weight)
    for own, block in zip(ours.blocks, reader.blocks, strict=True):
        block.pre_norm, block.norm1 = own.norm1, nn.Identity()
        block.self_attn.qkv, block.self_attn.proj = own.attention.qkv, own.attention.proj
        block.linear1, block.linear2 = nn.Sequential(own.norm2, own.mlp[0]), own.mlp[2]
    reader.norm, reader.fc = ours.norm, ours.head
    reader.attention_pool.weight.copy_(ours.pooling.score.weight)
