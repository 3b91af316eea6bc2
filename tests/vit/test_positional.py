import itertools
import math

import pytest
import torch

from vit import ViTConfig
from vit.positional import POSITIONALS
from vit.positional.geometry import grid_positions


def configure(positional: str, **changes) -> ViTConfig:
    base = {"image_size": (6, 8), "patch_size": 2, "embed_dim": 16, "num_heads": 2, "num_registers": 1}
    return ViTConfig(**base | {"positional": positional} | changes)


def build(positional: str, **changes):
    config = configure(positional, **changes)
    return POSITIONALS[positional](config), config


STRIPS = [("horizontal", {"image_size": (8, 6)}, 0), ("vertical", {"image_size": (6, 8)}, 1)]


def test_patches_stand_in_reading_order():
    rows, columns = grid_positions(configure("none"))
    assert rows.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert columns.tolist() == [0, 1, 2, 3] * 3


@pytest.mark.parametrize(("chunking", "changes", "axis"), STRIPS)
def test_strips_stand_along_one_axis(chunking, changes, axis):
    positions = grid_positions(configure("none", chunking=chunking, **changes))
    assert positions[axis].tolist() == [0, 1, 2, 3]
    assert positions[1 - axis].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("positional", ["none", "relative", "alibi2d", "rope2d", "rope2d_mixed"])
def test_schemes_that_add_nothing_leave_the_tokens(positional):
    scheme, config = build(positional)
    tokens = torch.randn(2, config.num_tokens, 16)
    assert torch.equal(scheme.add(tokens), tokens)


@pytest.mark.parametrize(
    "positional", ["none", "learned", "learned2d", "sinusoidal", "sincos2d", "rope2d", "rope2d_mixed"]
)
def test_most_schemes_leave_the_logits(positional):
    assert build(positional)[0].bias() is None


@pytest.mark.parametrize(
    "positional", ["none", "learned", "learned2d", "sinusoidal", "sincos2d", "relative", "alibi2d"]
)
def test_only_rope_turns_queries_and_keys(positional):
    scheme, config = build(positional)
    heads = torch.randn(2, 1, 2, config.num_tokens, 8)
    assert torch.equal(scheme.rotate(heads), heads)


def test_learned_adds_one_row_to_every_token_prefix_included():
    scheme, config = build("learned")
    assert scheme.embedding.weight.shape == (config.num_tokens, 16)
    tokens = torch.randn(3, config.num_tokens, 16)
    for position in range(config.num_tokens):
        expected = tokens[:, position] + scheme.embedding.weight[position]
        assert torch.equal(scheme.add(tokens)[:, position], expected)


def test_sinusoidal_is_interleaved_sine_and_cosine_of_base_10000():
    scheme, config = build("sinusoidal")
    added = scheme.add(torch.zeros(1, config.num_tokens, 16))[0]
    for position in range(config.num_tokens):
        for i in range(8):
            angle = position / 10000 ** (2 * i / 16)
            assert added[position, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert added[position, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_sincos2d_spends_half_the_width_on_the_row_and_half_on_the_column():
    scheme, config = build("sincos2d")
    added = scheme.add(torch.zeros(1, config.num_tokens, 16))[0, config.num_prefix_tokens :]
    for patch in range(config.num_patches):
        row, column = divmod(patch, 4)
        for i in range(4):
            expected = [f(p / 10000 ** (i / 4)) for p in (row, column) for f in (math.sin, math.cos)]
            assert added[patch, i::4].tolist() == pytest.approx(expected, abs=1e-6)


def test_sincos2d_leaves_prefix_tokens():
    scheme, config = build("sincos2d")
    tokens = torch.randn(1, config.num_tokens, 16)
    assert torch.equal(scheme.add(tokens)[:, :2], tokens[:, :2])


@pytest.mark.parametrize(("chunking", "changes", "axis"), STRIPS)
def test_sincos2d_of_strips_varies_along_one_axis(chunking, changes, axis):
    scheme, config = build("sincos2d", chunking=chunking, **changes)
    table = scheme.add(torch.zeros(1, config.num_tokens, 16))[0, config.num_prefix_tokens :]
    varied, fixed = table.split(8, dim=1)[:: 1 if axis == 0 else -1]
    assert torch.equal(fixed, fixed[:1].expand_as(fixed))
    assert len(varied.unique(dim=0)) == 4


def test_learned2d_puts_the_row_beside_the_column_and_spares_prefix_tokens():
    scheme, config = build("learned2d")
    assert scheme.rows.weight.shape == (3, 8)
    assert scheme.columns.weight.shape == (4, 8)
    added = scheme.add(torch.zeros(1, config.num_tokens, 16))[0]
    assert not added[: config.num_prefix_tokens].any()
    for patch, vector in enumerate(added[config.num_prefix_tokens :]):
        row, column = divmod(patch, 4)
        assert torch.equal(vector, torch.cat([scheme.rows.weight[row], scheme.columns.weight[column]]))


def test_alibi2d_falls_with_euclidean_distance_by_a_slope_of_each_head():
    scheme, config = build("alibi2d", num_heads=4)
    bias, prefix = scheme.bias(), config.num_prefix_tokens
    assert bias.shape == (4, config.num_tokens, config.num_tokens)
    assert not bias[:, :prefix].any()
    assert not bias[:, :, :prefix].any()
    for head, slope in enumerate([1 / 4, 1 / 16, 1 / 64, 1 / 256]):
        for i, j in itertools.product(range(config.num_patches), repeat=2):
            apart = math.dist(divmod(i, 4), divmod(j, 4))
            assert bias[head, prefix + i, prefix + j].item() == pytest.approx(-slope * apart, abs=1e-6)


def test_rope2d_mixed_turns_pairs_by_a_mix_of_row_and_column():
    scheme, config = build("rope2d_mixed")
    prefix, frequencies = config.num_prefix_tokens, scheme.frequencies.detach()
    heads = torch.randn(2, 1, config.num_tokens, 8, generator=torch.Generator().manual_seed(0))
    heads = heads.transpose(0, 1).expand(-1, -1, config.num_tokens, -1)[:, :, : config.num_tokens]
    turned = scheme.rotate(heads).detach()
    assert torch.equal(turned[:, :, :prefix], heads[:, :, :prefix])
    for head, patch, pair in itertools.product(range(2), range(config.num_patches), range(4)):
        row, column = divmod(patch, 4)
        angle = row * frequencies[0, head, pair] + column * frequencies[1, head, pair]
        a, b = heads[0, head, prefix + patch, pair], heads[0, head, prefix + patch, pair + 4]
        expected = torch.stack([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()])
        torch.testing.assert_close(turned[0, head, prefix + patch, [pair, pair + 4]], expected)


def test_rope2d_mixed_begins_as_axial_frequencies_in_axes_turned_at_random_for_every_head():
    scheme, _ = build("rope2d_mixed", embed_dim=32)  # head_dim 16: sizes 10^0, 10^-1/4, ... twice
    along, across = scheme.frequencies.detach().unflatten(-1, (2, 4)).unbind(2)  # (row or column, head, size)
    sizes = torch.tensor([10 ** (-i / 4) for i in range(4)])
    torch.testing.assert_close(along.norm(dim=0), sizes.expand(2, 4))
    torch.testing.assert_close(across.norm(dim=0), sizes.expand(2, 4))
    torch.testing.assert_close((along * across).sum(dim=0), torch.zeros(2, 4))
    directions = along[:, :, 0]
    assert not torch.allclose(directions[:, 0], directions[:, 1])


def turned_everywhere(**changes):
    """One query and one key, the same at every position, after the turn: two ``(heads, n, e)``."""
    scheme, config = build("rope2d", **changes)
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, config.num_heads, 1, config.head_dim, generator=generator)
    same = [x.expand(-1, -1, config.num_tokens, -1) for x in (q, k)]
    return *(scheme.rotate(x)[0] for x in same), (q[0], k[0]), config


def offsets(config: ViTConfig) -> list[list[tuple[int, int]]]:
    """The 2-D offset of every pair of patches."""
    width = config.grid_size[1]
    places = [divmod(patch, width) for patch in range(config.num_patches)]
    return [[(y1 - y2, x1 - x2) for y2, x2 in places] for y1, x1 in places]


def values_by_offset(matrix: torch.Tensor, config: ViTConfig) -> dict[tuple[int, int], list[float]]:
    """Entries of ``(num_patches, num_patches)``, grouped."""
    found: dict[tuple[int, int], list[float]] = {}
    for row, names in zip(matrix.tolist(), offsets(config), strict=True):
        for value, offset in zip(row, names, strict=True):
            found.setdefault(offset, []).append(value)
    return found


def test_rope_products_depend_on_the_2d_offset_alone():
    q, k, _, config = turned_everywhere()
    prefix = config.num_prefix_tokens
    products = (q @ k.mT)[:, prefix:, prefix:]
    for head in products:
        groups = values_by_offset(head, config)
        assert all(max(group) - min(group) < 1e-4 for group in groups.values())
        means = sorted(group[0] for group in groups.values())
        assert all(b - a > 1e-4 for a, b in itertools.pairwise(means))


def test_rope_does_not_turn_prefix_tokens():
    q, k, (plain_q, plain_k), config = turned_everywhere()
    prefix = config.num_prefix_tokens
    assert torch.equal(q[:, :prefix], plain_q.expand(-1, prefix, -1))
    assert torch.equal(k[:, :prefix], plain_k.expand(-1, prefix, -1))


def test_rope_keeps_norms():
    q, _, (plain, _), _ = turned_everywhere()
    torch.testing.assert_close(q.norm(dim=-1), plain.norm(dim=-1).expand(q.shape[:-1]))


def test_rope_turns_by_the_position_over_powers_of_100():
    scheme, config = build("rope2d")  # head_dim 8: two frequencies an axis, pairs (i, i + 4)
    unit = torch.zeros(1, 2, config.num_tokens, 8)
    unit[..., :4] = 1.0
    turned = scheme.rotate(unit)[0, 0, config.num_prefix_tokens :]
    for patch in range(config.num_patches):
        row, column = divmod(patch, 4)
        angles = [row, row / 10, column, column / 10]
        expected = [f(a) for f in (math.cos, math.sin) for a in angles]
        assert turned[patch].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("chunking", "changes", "axis"), STRIPS)
def test_rope_of_strips_turns_one_half_of_the_pairs(chunking, changes, axis):
    q, _, (plain, _), config = turned_everywhere(chunking=chunking, **changes)
    patches = q[:, config.num_prefix_tokens :].unflatten(-1, (2, 2, 2))  # (member of pair, axis, frequency)
    plain = plain.unflatten(-1, (2, 2, 2)).expand_as(patches)
    assert torch.equal(patches[..., 1 - axis, :], plain[..., 1 - axis, :])
    assert not torch.isclose(patches[:, 1:, :, axis], plain[:, 1:, :, axis]).any()


def numbered_relative(**changes):
    """The relative scheme with a different number in every entry of its table."""
    scheme, config = build("relative", **changes)
    with torch.no_grad():
        scheme.table.copy_(torch.arange(scheme.table.numel()).view_as(scheme.table))
    return scheme, config


@pytest.mark.parametrize("changes", [{}, *({"chunking": c, **shape} for c, shape, _ in STRIPS)], ids=str)
def test_relative_bias_has_one_value_per_head_and_offset(changes):
    scheme, config = numbered_relative(**changes)
    prefix = config.num_prefix_tokens
    bias = scheme.bias()[:, prefix:, prefix:]
    groups = [values_by_offset(head, config) for head in bias]
    assert all(len(set(group)) == 1 for head in groups for group in head.values())
    values = [group[0] for head in groups for group in head.values()]
    assert len(set(values)) == len(values)


def test_relative_prefix_pairs_have_three_values_of_their_own():
    scheme, config = numbered_relative()
    prefix, bias = config.num_prefix_tokens, scheme.bias()
    assert prefix == 2
    regions = [
        head[where].unique().tolist()
        for head in bias
        for where in (
            (slice(prefix), slice(prefix, None)),
            (slice(prefix, None), slice(prefix)),
            (slice(prefix), slice(prefix)),
        )
    ]
    assert all(len(region) == 1 for region in regions)
    values = {region[0] for region in regions}
    assert len(values) == 2 * 3
    assert values.isdisjoint(bias[:, prefix:, prefix:].flatten().tolist())


@pytest.mark.parametrize("positional", ["sinusoidal", "sincos2d", "rope2d", "alibi2d"])
def test_fixed_tables_train_nothing_and_are_not_saved(positional):
    scheme, _ = build(positional)
    assert list(scheme.parameters()) == []
    assert scheme.state_dict() == {}
