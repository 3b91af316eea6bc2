import pytest
import torch

from vit import POOLINGS, ViTConfig


def build(pooling: str):
    torch.manual_seed(0)
    config = ViTConfig(image_size=8, patch_size=4, embed_dim=8, num_heads=2, num_registers=2, pooling=pooling)
    return POOLINGS[pooling](config), config


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(3, 7, 8, generator=torch.Generator().manual_seed(0))


def test_cls_reads_the_first_token_alone(tokens):
    pooling, _ = build("cls")
    assert torch.equal(pooling(tokens), tokens[:, 0])


def test_mean_is_the_mean_of_the_patches(tokens):
    pooling, config = build("mean")
    assert config.num_prefix_tokens == 2
    torch.testing.assert_close(pooling(tokens[:, :6]), sum(tokens[:, i] for i in range(2, 6)) / 4)


@pytest.mark.parametrize("name", ["mean", "map", "max", "seqpool"])
def test_registers_never_enter(name, tokens):
    pooling, config = build(name)
    tokens = tokens[:, : config.num_tokens]
    changed = tokens.clone()
    changed[:, : config.num_prefix_tokens] = 1e6
    assert torch.equal(pooling(changed), pooling(tokens))


@pytest.mark.parametrize("name", ["mean", "map", "seqpool"])
def test_every_patch_enters(name, tokens):
    pooling, config = build(name)
    tokens = tokens[:, : config.num_tokens].clone().requires_grad_()
    pooling(tokens).sum().backward()
    assert tokens.grad[:, config.num_prefix_tokens :].any(dim=-1).all()


def test_map_is_multi_head_attention_of_one_query(tokens):
    pooling, config = build("map")
    patches = tokens[:, config.num_prefix_tokens : config.num_tokens]
    keys, values = pooling.kv(patches).split(8, dim=-1)
    heads = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        scores = (keys[..., part] @ pooling.query[head, 0]) / 2.0  # sqrt(head_dim)
        heads.append((scores.softmax(dim=1)[..., None] * values[..., part]).sum(dim=1))
    expected = pooling.proj(torch.cat(heads, dim=-1))
    torch.testing.assert_close(pooling(tokens[:, : config.num_tokens]), expected)


def test_map_with_a_zero_query_is_the_mean_of_the_values(tokens):
    pooling, config = build("map")
    tokens = tokens[:, : config.num_tokens]
    with torch.no_grad():
        pooling.query.zero_()
    _, values = pooling.kv(tokens[:, config.num_prefix_tokens :]).split(8, dim=-1)
    torch.testing.assert_close(pooling(tokens), pooling.proj(values.mean(dim=1)))


@pytest.mark.parametrize("name", POOLINGS)
def test_one_patch_is_enough(name):
    config = ViTConfig(image_size=4, patch_size=4, embed_dim=8, num_heads=2, pooling=name)
    assert POOLINGS[name](config)(torch.randn(2, config.num_tokens, 8)).shape == (2, 8)


def test_max_is_the_largest_of_the_patches_in_every_dimension(tokens):
    pooling, _ = build("max")
    expected = [[max(tokens[b, n, i].item() for n in range(2, 6)) for i in range(8)] for b in range(3)]
    assert pooling(tokens[:, :6]).tolist() == expected


def test_seqpool_is_the_mean_weighted_by_a_softmax_of_scores(tokens):
    pooling, config = build("seqpool")
    patches = tokens[:, config.num_prefix_tokens : config.num_tokens]
    scores = torch.stack([patches[b] @ pooling.score.weight[0] for b in range(3)])
    shares = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    torch.testing.assert_close(pooling.weights(tokens[:, : config.num_tokens]), shares)
    expected = (shares[..., None] * patches).sum(dim=1)
    torch.testing.assert_close(pooling(tokens[:, : config.num_tokens]), expected)


@pytest.mark.parametrize("name", POOLINGS)
def test_shares_of_patches_are_a_distribution_where_tokens_decide(name, tokens):
    pooling, config = build(name)
    shares = pooling.weights(tokens[:, : config.num_tokens])
    assert (shares is None) == (name in ("cls", "mean", "max"))
    if shares is not None:
        assert shares.shape == (3, config.num_patches)
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(3))


def test_several_class_tokens_are_read_as_their_mean():
    config = ViTConfig(image_size=8, patch_size=4, embed_dim=8, num_heads=2, num_class_tokens=3, num_registers=1)
    assert (config.num_prefix_tokens, config.num_tokens) == (4, 8)
    pooling, tokens = POOLINGS["cls"](config), torch.randn(2, 8, 8)
    assert pooling.reads == 3
    torch.testing.assert_close(pooling(tokens), (tokens[:, 0] + tokens[:, 1] + tokens[:, 2]) / 3)
