import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vit import ATTENTION_KERNELS, ATTENTION_TYPES, POSITIONALS, UnknownNameError, ViT, ViTConfig
from vit.attention import Attention, attention_weights

CONFIG = ViTConfig(image_size=8, patch_size=4, embed_dim=12, num_heads=3, positional="none")


@st.composite
def heads(draw):
    """Queries, keys, values ``(b, heads, n, e)`` and a bias ``(heads, n, n)`` or None."""
    b, h, n, e = (draw(st.integers(1, 4)) for _ in range(4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    q, k, v = torch.randn(3, b, h, n, e, generator=generator) * draw(st.sampled_from([0.1, 1.0, 30.0]))
    bias = torch.randn(h, n, n, generator=generator) if draw(st.booleans()) else None
    return q, k, v, bias


@given(heads())
def test_every_row_of_weights_is_a_distribution(drawn):
    q, k, _, bias = drawn
    weights = attention_weights(q, k, bias)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(q.shape[:-1]))


@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
@given(heads())
def test_kernels_equal_torchs_attention(kernel, drawn):
    q, k, v, bias = drawn
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    torch.testing.assert_close(ATTENTION_KERNELS[kernel](q, k, v, bias, 0.0), expected, atol=1e-4, rtol=1e-4)


def test_logits_are_divided_by_the_root_of_head_dim():
    q = torch.ones(1, 1, 1, 16)
    k = torch.stack([torch.zeros(16), torch.ones(16)])[None, None]
    expected = torch.tensor([0.0, 16 / 16**0.5]).softmax(dim=0)
    torch.testing.assert_close(attention_weights(q, k)[0, 0, 0], expected)


def test_the_bias_is_added_after_the_scaling():
    q, k = torch.zeros(2, 1, 1, 2, 16)
    bias = torch.tensor([[[0.0, 1.0], [3.0, 0.0]]])
    torch.testing.assert_close(attention_weights(q, k, bias)[0], bias.softmax(dim=-1))


def test_weights_of_low_precision_are_rounded_once():
    q, k = torch.randn(2, 2, 3, 17, 8).bfloat16()
    logits = (k @ (q * 8**-0.5).mT).mT.float()
    one_step = 2**-7  # of bfloat16: the float32 before it may lie on either side of a tie
    torch.testing.assert_close(
        attention_weights(q, k).float(), logits.softmax(dim=-1), atol=0, rtol=one_step / 2 * 1.01
    )
    assert attention_weights(q.double(), k.double()).dtype == torch.float64


def test_attention_equals_torchs_multihead_attention():
    ours, theirs = Attention(CONFIG), nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        ours.qkv.bias.normal_()
        theirs.in_proj_weight.copy_(ours.qkv.weight)
        theirs.in_proj_bias.copy_(ours.qkv.bias)
        theirs.out_proj.load_state_dict(ours.proj.state_dict())
    tokens = torch.randn(2, 5, 12)
    expected, _ = theirs(tokens, tokens, tokens)
    torch.testing.assert_close(ours(tokens, POSITIONALS["none"](CONFIG)), expected)


@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
@pytest.mark.parametrize("positional", POSITIONALS)
@pytest.mark.parametrize("reads", [1, 2])
@pytest.mark.parametrize("change", [{}, {"qkv_bias": False}, {"num_heads": 1, "embed_dim": 4}], ids=str)
def test_what_few_tokens_read_is_what_they_read_among_all(change, reads, positional, kernel):
    config = CONFIG.replace(num_registers=1, positional=positional, **change)
    attention, scheme = Attention(config).double(), POSITIONALS[positional](config).double()
    attention.kernel = kernel
    with torch.no_grad():
        for parameter in (*attention.parameters(), *scheme.parameters()):
            parameter.normal_()
    tokens = torch.randn(2, config.num_tokens, config.embed_dim, dtype=torch.float64, requires_grad=True)
    asked = torch.randn(2, reads, config.embed_dim)
    inputs = [tokens, *attention.parameters(), *scheme.parameters()]
    few, among_all = (
        [out, *torch.autograd.grad((out * asked).sum(), inputs, allow_unused=True, materialize_grads=True)]
        for out in (attention(tokens, scheme, reads), attention(tokens, scheme)[:, :reads])
    )
    torch.testing.assert_close(few, among_all)


def test_no_output_projection_leaves_the_heads_as_they_are():
    plain = Attention(CONFIG.replace(out_proj=False))
    tokens, positional = torch.randn(2, 5, 12), POSITIONALS["none"](CONFIG)
    q, k, v = plain.heads(tokens, positional)
    expected = torch.cat(list((attention_weights(q, k) @ v).unbind(dim=1)), dim=-1)
    torch.testing.assert_close(plain(tokens, positional), expected)


@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
def test_dropout_of_weights_acts_in_training_only(kernel):
    attention = Attention(CONFIG.replace(attention_dropout=0.5))
    attention.kernel = kernel
    plain = Attention(CONFIG)
    plain.load_state_dict(attention.state_dict())
    tokens, positional = torch.randn(2, 5, 12), POSITIONALS["none"](CONFIG)
    expected = plain(tokens, positional)
    assert not torch.allclose(attention(tokens, positional), expected)
    torch.testing.assert_close(attention.eval()(tokens, positional), expected)


def test_dropout_of_the_output_zeroes_its_share():
    attention = Attention(CONFIG.replace(dropout=0.25))
    zeros = (attention(torch.randn(100, 5, 12), POSITIONALS["none"](CONFIG)) == 0).float().mean()
    assert 0.2 < zeros < 0.3


def test_use_attention_reaches_every_block():
    model = ViT(CONFIG).use_attention("sdpa")
    assert {block.attention.kernel for block in model.blocks} == {"sdpa"}


def test_an_unknown_kernel_is_refused_and_changes_nothing():
    model = ViT(CONFIG).use_attention("sdpa")
    with pytest.raises(UnknownNameError, match="choices: explicit, sdpa"):
        model.use_attention("flash")
    assert {block.attention.kernel for block in model.blocks} == {"sdpa"}


def with_random_weights(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


def test_lsa_forbids_a_token_itself_and_multiplies_queries_by_a_temperature_of_their_head():
    lsa = with_random_weights(ATTENTION_TYPES["lsa"](CONFIG))
    plain = Attention(CONFIG)
    plain.load_state_dict({name: v for name, v in lsa.state_dict().items() if not name.startswith("temperature")})
    tokens, positional = torch.randn(2, 5, 12), POSITIONALS["none"](CONFIG)
    q, k, v = plain.heads(tokens, positional)
    logits = (q @ k.mT) / 4**0.5 * lsa.temperature.weight[:, None, None]
    logits[..., torch.arange(5), torch.arange(5)] = -torch.inf
    expected = plain.proj((logits.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(lsa(tokens, positional), expected)


@pytest.mark.parametrize("kernel", ATTENTION_KERNELS)
@pytest.mark.parametrize(
    "change", [{"attention_type": "lsa"}, {"qk_norm": True}, {"qk_norm": True, "norm": "dyt"}], ids=str
)
@pytest.mark.parametrize("positional", ["relative", "rope2d"])
def test_few_tokens_read_what_they_read_among_all_where_keys_cannot_be_absorbed(change, positional, kernel):
    config = CONFIG.replace(positional=positional, **change)
    attention = with_random_weights(ATTENTION_TYPES[config.attention_type](config).double())
    scheme = with_random_weights(POSITIONALS[positional](config).double())
    attention.kernel = kernel
    tokens = torch.randn(2, config.num_tokens, 12, dtype=torch.float64)
    torch.testing.assert_close(attention(tokens, scheme, 2), attention(tokens, scheme)[:, :2])


def test_qk_norm_makes_queries_and_keys_of_one_size_per_head():
    attention = Attention(CONFIG.replace(qk_norm=True, norm="rmsnorm"))
    q, k, _ = attention.heads(100 * torch.randn(2, 5, 12), POSITIONALS["none"](CONFIG))
    for heads in (q, k):
        torch.testing.assert_close(heads.square().mean(dim=-1), torch.ones(2, 3, 5), atol=1e-3, rtol=0)
