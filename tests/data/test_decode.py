"""One image, whatever it is, to pixels of one size."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photos import bomb, noise, save
from studies.data.own import decode as module
from studies.data.own.decode import Policy, UndecodableError, decode


def shown(path, size=16, resize="stretch"):
    return decode(path, Policy(size, resize)).pixels


def halves(left, right, mode="RGB", size=(16, 16)):
    """Two colours side by side."""
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "bmp", "webp", "tiff", "ppm"])
def test_every_usual_format_is_read(tmp_path, ending):
    pixels = shown(save(noise(0), tmp_path / f"a.{ending}"))
    assert pixels.shape == (16, 16, 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_every_mode_becomes_red_green_and_blue(tmp_path, mode):
    ending = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    made = halves("black", "white").convert(mode)
    pixels = shown(save(made, tmp_path / f"a.{ending}"))
    assert pixels[8, 2].max() < 20
    assert pixels[8, 13].min() > 235


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_parts_are_white(tmp_path, mode):
    clear, black = ((0, 0), (0, 255)) if mode == "LA" else ((0, 0, 0, 0), (0, 0, 0, 255))
    pixels = shown(save(halves(clear, black, mode), tmp_path / "a.png"))
    assert pixels[8, 2].tolist() == [255, 255, 255]
    assert pixels[8, 13].tolist() == [0, 0, 0]


def test_a_transparent_palette_is_white(tmp_path):
    path = save(halves(0, 1, "P"), tmp_path / "a.png", transparency=0)
    assert shown(path)[8, 2].tolist() == [255, 255, 255]


def test_sixteen_bits_are_scaled_from_their_full_range(tmp_path):
    values = np.repeat(np.array([[0, 257 * 100, 65535]], np.uint16), 3, axis=0)
    path = save(Image.fromarray(values), tmp_path / "a.png")
    assert shown(path, 3)[1, :, 0].tolist() == [0, 100, 255]


def test_numbers_without_a_range_are_refused(tmp_path):
    path = save(Image.fromarray(np.full((4, 4), 1e6, np.float32)), tmp_path / "a.tiff")
    with pytest.raises(UndecodableError, match="no known range"):
        shown(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_stands_upright(tmp_path, orientation):
    upright = noise(1, (16, 16))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that a camera so held has made
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(stored, tmp_path / "a.png", exif=exif)
    assert np.array_equal(shown(path), np.asarray(upright))


def test_crop_keeps_the_middle(tmp_path):
    image = Image.new("RGB", (48, 16), "red")
    image.paste("blue", (16, 0, 32, 16))
    assert (shown(save(image, tmp_path / "a.png"), 16, "crop")[..., 2] == 255).all()


def test_pad_keeps_everything_on_black(tmp_path):
    pixels = shown(save(Image.new("RGB", (48, 16), "white"), tmp_path / "a.png"), 48, "pad")
    assert (pixels[:16] == 0).all()
    assert (pixels[17:31] == 255).all()


def test_stretch_forgets_the_aspect(tmp_path):
    pixels = shown(save(halves("black", "white", size=(64, 8)), tmp_path / "a.png"))
    assert (pixels[:, :7] == 0).all()
    assert (pixels[:, 9:] == 255).all()


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 5)])
def test_any_shape_gives_the_same_size(tmp_path, resize, size):
    assert shown(save(noise(0, size), tmp_path / "a.png"), 16, resize).shape == (16, 16, 3)


def test_a_large_photo_looks_as_if_it_were_read_whole(tmp_path):
    photo = noise(3, (1600, 1200))
    path = save(photo, tmp_path / "a.jpg", quality=95)
    whole = photo.crop((200, 0, 1400, 1200)).resize((32, 32), Image.Resampling.BICUBIC)
    difference = np.abs(shown(path, 32, "crop").astype(int) - np.asarray(whole)).mean()
    assert difference < 3


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert shown(path)[8, 8].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"just text", "no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path, content, reason):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(UndecodableError, match=reason):
        shown(path)


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "webp", "tiff"])
def test_a_truncated_image_is_refused(tmp_path, ending):
    path = save(noise(0, (200, 200)), tmp_path / f"a.{ending}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UndecodableError):
        shown(path)


@pytest.mark.parametrize("side", [11_000, 100_000])
@pytest.mark.filterwarnings("error")
def test_a_decompression_bomb_is_refused_unopened(tmp_path, side, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(bomb(side))
    monkeypatch.setattr(module, "fitted", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(UndecodableError, match="pixels"):
        shown(path)


@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_any_damage_is_pixels_or_a_reason(tmp_path_factory, drawn):
    ending = drawn.draw(st.sampled_from(["jpg", "png", "gif", "webp", "tiff", "bmp", "ppm"]))
    path = save(noise(0, (24, 24)), tmp_path_factory.mktemp("damage") / f"a.{ending}")
    content = bytearray(path.read_bytes())
    for _ in range(drawn.draw(st.integers(1, 4))):
        place = drawn.draw(st.integers(0, len(content) - 1))
        content[place] = drawn.draw(st.integers(0, 255))
    path.write_bytes(content[: drawn.draw(st.integers(1, len(content)))])
    with contextlib.suppress(UndecodableError):
        assert shown(path).shape == (16, 16, 3)
