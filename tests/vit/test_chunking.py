import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st

from vit import CHUNKINGS, InputError, UnknownNameError, ViT, ViTConfig, chunk
from vit.chunking import divisors, patch_shape

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.uint8, torch.int64, torch.bool)
LAYOUTS = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "transposed": lambda x: x.mT.contiguous().mT,
    "every second pixel": lambda x: x.repeat_interleave(2, dim=3)[..., ::2],
    "one image expanded": lambda x: x[:1].expand_as(x),
}


@st.composite
def cuts(draw):
    """Images ``(b, c, h, w)`` of any dtype and layout, and a patch height and width that divide them."""
    ph, pw, rows, columns = (draw(st.integers(1, 5)) for _ in range(4))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 4)), ph * rows, pw * columns
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    images = torch.randint(0, 200, shape, generator=generator).to(draw(st.sampled_from(DTYPES)))
    return LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))](images), ph, pw


def size_for(chunking: str, ph: int, pw: int) -> int | tuple[int, int]:
    axes = CHUNKINGS[chunking].cut_axes
    return (ph, pw)[axes[0]] if len(axes) == 1 else (ph, pw)


CUTTING = [name for name, chunking in CHUNKINGS.items() if chunking.cuts_images()]


@pytest.mark.parametrize("chunking", CUTTING)
@given(cuts())
def test_backends_are_bit_equal_and_lose_no_value(chunking, cut):
    images, ph, pw = cut
    size = size_for(chunking, ph, pw)
    by_einops, by_hand = (chunk(images, chunking, size, backend=name) for name in ("einops", "manual"))
    assert by_hand.dtype == by_einops.dtype == images.dtype
    assert torch.equal(by_einops, by_hand)
    stands_for = CHUNKINGS[chunking].cell(images, *patch_shape(images.shape[2:], chunking, size))
    assert torch.equal(stands_for.flatten().sort().values, images.flatten().sort().values)


@given(cuts())
def test_tiles_equal_unfold(cut):
    images, ph, pw = cut
    columns = F.unfold(images.double(), (ph, pw), stride=(ph, pw))  # (b, c*ph*pw, n)
    assert torch.equal(chunk(images, "tiles", (ph, pw)).double(), columns.mT)


@given(cuts())
def test_horizontal_strips_equal_row_slices(cut):
    images, ph, _ = cut
    slices = [images[:, :, y : y + ph].flatten(1) for y in range(0, images.shape[2], ph)]
    assert torch.equal(chunk(images, "horizontal", ph), torch.stack(slices, dim=1))


@given(cuts())
def test_vertical_strips_equal_column_slices(cut):
    images, _, pw = cut
    slices = [images[..., x : x + pw].flatten(1) for x in range(0, images.shape[3], pw)]
    assert torch.equal(chunk(images, "vertical", pw), torch.stack(slices, dim=1))


@given(cuts())
def test_overlapping_windows_equal_unfold_with_padding(cut):
    images, ph, pw = cut
    kernel, padding = (2 * ph - 1, 2 * pw - 1), (ph // 2, pw // 2)
    columns = F.unfold(images.double(), kernel, padding=padding, stride=(ph, pw))
    assert torch.equal(chunk(images, "overlap", (ph, pw)).double(), columns.mT)


def test_the_soft_splits_of_the_paper():
    """Kernels 7 and 3 at strides 4 and 2: as many windows as tiles."""
    for stride, kernel in ((4, 7), (2, 3)):
        assert chunk(torch.zeros(1, 3, 32, 32), "overlap", stride).shape == (1, (32 // stride) ** 2, 3 * kernel**2)


def test_shifted_copies_lie_half_a_patch_towards_each_corner():
    images = torch.arange(1.0, 37.0).view(1, 1, 6, 6)
    cut = chunk(images, "spt", 3)  # shifts of one pixel
    copies = rearrange(cut, "b (gh gw) (c ph pw) -> b c (gh ph) (gw pw)", gh=2, c=5, ph=3)[0]
    assert torch.equal(copies[0], images[0, 0])
    for copy, (dy, dx) in zip(copies[1:], [(1, 1), (1, -1), (-1, 1), (-1, -1)], strict=True):
        for y, x in [(y, x) for y in range(6) for x in range(6)]:
            inside = 0 <= y + dy < 6 and 0 <= x + dx < 6
            assert copy[y, x] == (images[0, 0, y + dy, x + dx] if inside else 0)


@pytest.mark.parametrize(
    ("image", "patch", "strides", "widths"),
    [(28, 7, 2, [8, 16, 32]), (224, 16, 2, [4, 8, 16, 32]), (16, 4, 2, [16, 32]), (4, 1, 1, [32])],
)
def test_a_stem_halves_down_to_the_grid_while_channels_double(image, patch, strides, widths):
    config = ViTConfig(image_size=image, patch_size=patch, chunking="conv", embed_dim=32)
    model = ViT(config)
    layers = [layer for layer in model.stem if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in layers] == widths
    assert {layer.stride for layer in layers} == {(strides, strides)}
    images = torch.rand(2, 1, image, image)
    patches = model.patches(images)
    assert patches.shape == (2, config.num_patches, 32)
    maps = images
    for layer in layers:
        maps = F.conv2d(maps, layer.weight, layer.bias, stride=strides, padding=1).relu()
    torch.testing.assert_close(patches, maps.flatten(2).mT)


def test_a_stem_refuses_pixels_that_nobody_scaled():
    model = ViT(ViTConfig(chunking="conv"))
    with pytest.raises(InputError, match=r"uint8.*/ 255"):
        model(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    with pytest.raises(ValueError, match="chunking='conv' cuts what its stem makes of images"):
        chunk(torch.zeros(1, 1, 28, 28), "conv", 7)


@pytest.mark.parametrize("backend", ["einops", "manual"])
@pytest.mark.parametrize("chunking", CUTTING)
def test_an_empty_batch_stays_empty(chunking, backend):
    patches = chunk(torch.zeros(0, 3, 8, 8), chunking, 4, backend=backend)
    assert patches.shape[0] == 0
    assert patches.shape[1:] == chunk(torch.zeros(1, 3, 8, 8), chunking, 4).shape[1:]


@pytest.mark.parametrize(
    ("chunking", "size", "pattern", "lengths"),
    [
        ("horizontal", {"num_strips": 4}, "b c (k h) w -> b k c h w", {"k": 4}),
        ("vertical", {"num_strips": 4}, "b c h (k w) -> b k c h w", {"k": 4}),
        ("tiles", {"patch_size": 7}, "b c (h t1) (w t2) -> b (h w) c t1 t2", {"t1": 7, "t2": 7}),
    ],
)
@pytest.mark.parametrize("backend", ["einops", "manual"])
def test_the_notebooks_patterns(chunking, size, pattern, lengths, backend):
    images = torch.randn(2, 1, 28, 28)
    expected = rearrange(images, pattern, **lengths).flatten(2)
    assert torch.equal(chunk(images, chunking, **size, backend=backend), expected)


@pytest.mark.parametrize("chunking", ["horizontal", "vertical"])
def test_num_strips_and_thickness_say_the_same(chunking):
    images = torch.randn(2, 3, 12, 12)
    assert torch.equal(chunk(images, chunking, num_strips=3), chunk(images, chunking, patch_size=4))


def test_an_integer_tile_is_a_square():
    assert patch_shape((8, 12), "tiles", 4) == patch_shape((8, 12), "tiles", (4, 4)) == (4, 4)


def test_a_strip_is_as_long_as_its_image():
    assert patch_shape((8, 12), "horizontal", 2) == (2, 12)
    assert patch_shape((8, 12), "vertical", 2) == (8, 2)


@given(st.integers(1, 300))
def test_divisors_are_those_that_leave_no_remainder(n):
    found = divisors(n)
    assert found == sorted(set(found))
    assert [n % k for k in found] == [0] * len(found)
    assert {n // k for k in found} == set(found)
    assert {1, n} <= set(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"chunking": "tiles", "patch_size": 5}, "patch_size=5 .*height 28; use one of .*1, 2, 4, 7, 14, 28"),
        ({"chunking": "tiles", "patch_size": (7, 5)}, "does not divide the image width 28"),
        ({"chunking": "tiles", "patch_size": 0}, "patch_size=0"),
        ({"chunking": "tiles", "patch_size": -7}, "patch_size=-7"),
        ({"chunking": "tiles", "patch_size": 56}, "patch_size=56"),
        ({"chunking": "tiles", "patch_size": 7.0}, r"patch_size=7\.0: give one integer or \(height, width\)"),
        ({"chunking": "tiles", "patch_size": "7"}, "patch_size='7'"),
        ({"chunking": "tiles", "patch_size": (7,)}, r"patch_size=\(7,\)"),
        ({"chunking": "tiles", "patch_size": (7, 7, 7)}, r"patch_size=\(7, 7, 7\)"),
        ({"chunking": "tiles", "num_strips": 4}, "num_strips=4 has no meaning for chunking='tiles'"),
        ({"chunking": "tiles"}, "give exactly one"),
        ({"chunking": "tiles", "patch_size": 7, "num_strips": 4}, "give exactly one"),
        ({"chunking": "horizontal", "num_strips": 5}, "num_strips=5 does not divide 28; use one of"),
        ({"chunking": "vertical", "num_strips": 0}, "num_strips=0"),
        ({"chunking": "vertical", "patch_size": 3}, "width 28"),
        ({"chunking": "horizontal", "patch_size": (7, 7)}, "give the thickness, one integer"),
        ({"chunking": "tiles", "patch_size": 7, "backend": "numpy"}, "'numpy'; choices: einops, manual"),
    ],
)
def test_an_impossible_cut_is_refused_with_value_and_choices(arguments, message):
    with pytest.raises(ValueError, match=message):
        chunk(torch.zeros(1, 1, 28, 28), **arguments)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (1, 1, 1, 28, 28)])
def test_images_have_four_dimensions(shape):
    with pytest.raises(ValueError, match=r"expected \(b, c, h, w\)"):
        chunk(torch.zeros(shape), "tiles", 7)


def test_an_unknown_chunking_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'tiles'"):
        chunk(torch.zeros(1, 1, 28, 28), "tile", 7)
