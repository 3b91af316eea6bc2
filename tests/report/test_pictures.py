import base64
import io
import re
import warnings
from urllib.parse import unquote
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from studies.report.colours import DARK, LIGHT
from studies.report.images import picture_of
from studies.report.pictures import PICTURES, Look, compare, gallery, side_by_side
from studies.report.pictures.canvas import explode, mosaic, thumbnails
from studies.report.pictures.cuts import recut
from studies.report.pictures.gallery import on_one_scale
from vit import CHUNKINGS, POOLINGS, POSITIONALS, UnknownNameError, ViT, ViTConfig, lens

BASE = ViTConfig(image_size=12, patch_size=3, num_classes=4, embed_dim=16, depth=1, num_heads=2)
CONFIGS = {
    **{chunking: BASE.replace(chunking=chunking, image_size=16, patch_size=4) for chunking in CHUNKINGS},
    **{pooling: BASE.replace(pooling=pooling, num_registers=1) for pooling in POOLINGS},
    "colour, oblong": BASE.replace(image_size=(6, 18), patch_size=(3, 6), in_channels=3),
    "one patch": BASE.replace(patch_size=12, pooling="mean"),
    "lines of one pixel": BASE.replace(chunking="horizontal", patch_size=1),
    "many heads": BASE.replace(depth=3, num_heads=8, patch_size=2, embed_dim=16),
}


def seen(config: ViTConfig, count: int = 9, **options) -> Look:
    torch.manual_seed(0)
    images = torch.rand(count, config.in_channels, *config.image_shape)
    return Look(ViT(config), images, torch.arange(count) % 3, **options)


@pytest.fixture(autouse=True)
def strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def is_picture(path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 2000


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("picture", PICTURES)
def test_every_picture_of_every_geometry_saves_without_a_warning(picture, config, tmp_path):
    figure = PICTURES[picture](seen(config))
    assert isinstance(figure, Figure)
    assert min(figure.get_size_inches()) > 1.5
    figure.savefig(tmp_path / "x.png", dpi=50)
    assert is_picture(tmp_path / "x.png")


@pytest.mark.parametrize("positional", POSITIONALS)
@pytest.mark.parametrize("picture", ["positions", "position-similarity"])
@pytest.mark.parametrize("chunking", ["tiles", "vertical"])
def test_every_scheme_is_drawn_or_gives_a_reason(picture, positional, chunking, tmp_path):
    look = seen(BASE.replace(positional=positional, chunking=chunking))
    hidden = {"positions": {"none", "rope2d", "rope2d_mixed", "relative", "alibi2d"}, "position-similarity": {"none"}}[
        picture
    ]
    if positional in hidden:
        with pytest.raises(lens.NothingToSeeError, match=positional):
            PICTURES[picture](look)
    else:
        PICTURES[picture](look).savefig(tmp_path / "x.png", dpi=50)


def test_the_first_line_of_every_docstring_says_what_is_seen():
    assert all((draw.__doc__ or "").strip() for draw in PICTURES.values())


def test_gallery_writes_all_pictures_and_says_what_is_missing(tmp_path):
    look = seen(BASE.replace(positional="relative"), count=3)
    labels = lens.predict(look.model, look.images).argmax(dim=1)
    drawn = gallery(look.model, look.images, labels, tmp_path / "new" / "folder")
    assert [path.stem for path in drawn.paths] == [p for p in PICTURES if p not in ("positions", "mistakes")]
    assert all(is_picture(path) for path in drawn.paths)
    assert drawn.missing == {
        "positions": "positional='relative' adds no vector to the tokens",
        "mistakes": "all 3 images are classified correctly",
    }
    assert look.model.training


def test_gallery_of_chosen_pictures(tmp_path):
    look = seen(BASE)
    drawn = gallery(look.model, look.images, look.labels, tmp_path, pictures=["cuts", "confusion"])
    assert [path.name for path in drawn.paths] == ["cuts.png", "confusion.png"]
    with pytest.raises(UnknownNameError, match="unknown picture 'cut'; did you mean 'cuts'"):
        gallery(look.model, look.images, look.labels, tmp_path / "none", pictures=["cut"])
    assert not (tmp_path / "none").exists()


def test_an_svg_takes_its_ink_from_the_paper_and_keeps_every_pixel_of_its_images(tmp_path):
    look = seen(BASE)
    for name in ("a", "b"):
        drawn = gallery(look.model, look.images, look.labels, tmp_path / name, pictures=["rollout"], form="svg")
    (path,) = drawn.paths
    assert path.read_bytes() == (tmp_path / "a" / "rollout.svg").read_bytes()
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    kinds = [one.tag.rpartition("}")[2] for one in root.iter()]
    assert {"text", "image"} <= set(kinds)
    style, body = path.read_text(encoding="utf-8").split("</style>", 1)
    assert f"--ink:{DARK.ink}" in style
    assert "var(--ink)" in body
    assert LIGHT.ink not in body
    shots = [
        Image.open(io.BytesIO(base64.b64decode(text))) for text in re.findall(r"data:image/png;base64,([^\"]+)", body)
    ]
    assert BASE.image_shape in {shot.size for shot in shots}
    shown = picture_of(path, "rollout")
    assert not shown.opaque
    assert unquote(shown.uri.partition(",")[2]) == path.read_text(encoding="utf-8")


def test_two_arms_side_by_side(tmp_path):
    looks = {"tiles": seen(BASE), "strips": seen(BASE.replace(chunking="horizontal"))}
    alone = [PICTURES["rollout"](look).get_size_inches() for look in looks.values()]
    figure = compare("rollout", looks)
    width, height = figure.get_size_inches()
    assert width == pytest.approx(sum(size[0] for size in alone), abs=0.02)
    assert height > max(size[1] for size in alone)
    assert [text.get_text() for text in figure.texts] == ["tiles", "strips"]
    figure.savefig(tmp_path / "x.png")
    assert is_picture(tmp_path / "x.png")


def colour_bars(figure: Figure) -> list[tuple[float, float]]:
    return [axes.get_ylim() for axes in figure.axes if axes.get_label() == "<colorbar>"]


def louder(look: Look) -> Look:
    """The same look at a model whose weights, and so whose attention, gradients and positions, are larger."""
    with torch.no_grad():
        for parameter in look.model.parameters():
            parameter.mul_(3.0)
    return look


@pytest.mark.parametrize("picture", [name for name in PICTURES if name not in ("cuts", "mistakes")])
def test_pictures_side_by_side_have_one_scale_that_holds_both(picture):
    looks = {"quiet": seen(BASE), "loud": louder(seen(BASE))}
    quiet, loud = on_one_scale(picture, looks).values()
    own = {name: PICTURES[picture](look) for name, look in looks.items()}
    if picture == "attention-distance":
        assert quiet.axes[0].get_ylim() == loud.axes[0].get_ylim()
        return
    assert colour_bars(quiet) == colour_bars(loud)
    for shared, *bars in zip(colour_bars(quiet), *map(colour_bars, own.values()), strict=True):
        assert shared == (min(low for low, _ in bars), max(high for _, high in bars))


def test_a_picture_alone_keeps_its_own_scale():
    look = seen(BASE)
    before = colour_bars(PICTURES["gradients"](look))
    on_one_scale("gradients", {"quiet": look, "loud": louder(seen(BASE))})
    assert colour_bars(PICTURES["gradients"](look)) == before


def test_one_arm_side_by_side_is_itself():
    assert len(side_by_side({"alone": PICTURES["cuts"](seen(BASE))}).axes) == 1


def test_the_callers_style_is_neither_used_nor_changed():
    with matplotlib.rc_context({"font.size": 31.0, "axes.titlesize": 40}):
        before = dict(matplotlib.rcParams)
        figure = PICTURES["confusion"](seen(BASE))
        assert dict(matplotlib.rcParams) == before
    assert figure.axes[0].xaxis.label.get_size() == 9


def test_names_and_wanted_labels_are_shown():
    look = seen(BASE, names=["ant", "bee", "cat", "dog"], wanted=(2, 0, 3))
    assert look.compared == [2, 0]
    titles = [axes.get_title() for axes in PICTURES["median-attention"](look).axes]
    assert titles[:4] == ["cat", "ant", "cat − mean", "ant − mean"]
    assert "ant" in [axes.get_title() for axes in PICTURES["gradients"](look).axes]


def test_wanted_labels_that_no_image_has_are_replaced():
    assert seen(BASE, wanted=(8,)).compared == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": 9}, "image=9: there are 9 images"),
        ({"names": ["a"]}, "1 names for num_classes=4"),
        ({"count": 0}, "0 images and 0 labels"),
    ],
)
def test_a_look_at_nothing_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        seen(BASE, **options)


def test_mistakes_are_titled_predicted_real_and_loss():
    look = seen(BASE)
    worst = lens.worst_mistakes(look.logits, look.labels)[0]
    axes = PICTURES["mistakes"](look).axes[0]
    assert axes.get_title().strip() == f"{worst.predicted}, not {worst.real}"
    assert axes.texts[0].get_text() == f"loss {worst.loss:.1f} · #{worst.index}"


# the parts


@pytest.mark.parametrize("chunking", ["horizontal", "vertical", "tiles", "overlap", "spt"])
def test_exploding_keeps_every_pixel_and_opens_gaps(chunking):
    config = BASE.replace(chunking=chunking, patch_size=6, image_size=12)
    pixels = np.random.default_rng(0).uniform(0.0, 0.5, (12, 12, 3))
    spread = explode(pixels, config)
    blank = (spread.pixels == 1.0).all(axis=2)
    rows, columns = config.grid_size
    assert (spread.height, spread.width) == (12 + rows - 1, 12 + columns - 1)
    assert (~blank).sum() == 144
    np.testing.assert_array_equal(np.sort(spread.pixels[~blank], axis=0), np.sort(pixels.reshape(-1, 3), axis=0))
    assert spread.corners[0] == (0, 0)
    assert len(spread.corners) == config.num_patches


def test_thin_patches_get_thin_gaps():
    spread = explode(np.zeros((12, 12, 3)), BASE.replace(chunking="vertical", patch_size=1))
    assert spread.height == 12
    assert 12 < spread.width < 14


@pytest.mark.parametrize("chunking", ["horizontal", "vertical", "tiles"])
def test_thumbnails_are_the_patches(chunking):
    config = BASE.replace(chunking=chunking)
    image = torch.rand(1, 3, 12, 12, dtype=torch.float64)
    small = thumbnails(image[0].permute(1, 2, 0).numpy(), config)
    patches = ViT(config.replace(in_channels=3)).patches(image)[0]
    for picture, patch in zip(small, patches, strict=True):
        assert picture.shape == (*config.patch_shape, 3)
        np.testing.assert_array_equal(picture.transpose(2, 0, 1).ravel(), patch.numpy())


def test_a_mosaic_lays_cells_out_in_order():
    shown = mosaic(np.arange(6.0).reshape(2, 3, 1, 1), zoom=1, gap=1)
    assert shown.shape == (3, 5)
    np.testing.assert_array_equal(shown[::2, ::2], [[0, 1, 2], [3, 4, 5]])
    assert np.isnan(shown[1]).all()


@pytest.mark.parametrize("own", CHUNKINGS)
@pytest.mark.parametrize("other", CHUNKINGS)
def test_an_image_is_cut_by_every_chunking(own, other):
    config = ViTConfig(image_size=(12, 20), chunking=own, patch_size=4)
    cut = recut(config, other)
    assert cut.chunking == other
    assert cut.image_shape == (12, 20)
    assert min(cut.patch_shape) == 4
