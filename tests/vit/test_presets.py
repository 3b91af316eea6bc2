import pytest
import torch
import torch.nn.functional as F
from torch import nn

from studies.training.streams import initialised
from vit import PRESETS, ViT


class NotebookAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln = nn.LayerNorm(16)
        self.qkv = nn.Linear(16, 48, bias=False)

    def forward(self, x):
        q, k, v = self.qkv(self.ln(x)).split(16, dim=-1)
        weights = F.dropout((q @ k.transpose(1, 2) / 16**0.5).softmax(dim=-1), 0.1, self.training)
        return F.dropout(weights @ v, 0.1, self.training)


class NotebookBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = NotebookAttention()
        layers = nn.LayerNorm(16), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16), nn.Dropout(0.1)
        self.ff = nn.Sequential(*layers)

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.ff(x)


class NotebookNet(nn.Module):
    """The net of the notebook (peluche/ViT), written from its description, with its state_dict keys."""

    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, 16))
        self.positional_embedding = nn.Embedding(17, 16)
        self.tile_embedding = nn.Linear(49, 16)
        self.blocks = nn.Sequential(NotebookBlock(), NotebookBlock())
        self.head = nn.Linear(16, 10)

    def forward(self, images):
        tiles = [images[:, :, y : y + 7, x : x + 7].flatten(1) for y in range(0, 28, 7) for x in range(0, 28, 7)]
        x = self.tile_embedding(torch.stack(tiles, dim=1))
        x = torch.cat([self.cls_token.expand(len(images), 1, 16), x], dim=1)
        x = x + self.positional_embedding(torch.arange(17))
        return self.head(self.blocks(x)[:, 0])


def translated(model: ViT) -> dict[str, torch.Tensor]:
    """Our weights under the notebook's names."""
    names = {
        "prefix.tokens": "cls_token",
        "positional.embedding": "positional_embedding",
        "patch_embedding": "tile_embedding",
        "norm1": "attention.ln",
        "norm2": "ff.0",
        "mlp.0": "ff.1",
        "mlp.2": "ff.3",
    }
    out = {}
    for key, value in model.state_dict().items():
        for ours, theirs in names.items():
            key = key.replace(ours, theirs)
        out[key] = value
    return out


@pytest.fixture
def pair() -> tuple[ViT, NotebookNet]:
    ours, notebook = initialised(PRESETS["notebook"], 0), NotebookNet()
    notebook.load_state_dict(translated(ours))  # strict: no weight of either net is left over
    return ours, notebook


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def test_notebook_has_the_notebooks_number_of_parameters():
    assert ViT(PRESETS["notebook"]).num_params() == 5_066


def test_notebook_equals_the_notebooks_net(pair, images):
    ours, notebook = pair
    torch.testing.assert_close(ours.eval()(images), notebook.eval()(images))


def test_notebook_drops_out_where_the_notebook_does(pair, images):
    ours = pair[0]
    torch.manual_seed(0)
    tokens = ours.encode(ours.embed(ours.patches(images)))  # all of them, as the notebook draws for all
    torch.manual_seed(0)
    torch.testing.assert_close(ours.head(tokens[:, 0]), pair[1](images))


def test_notebook_without_positions_has_no_embedding_to_train():
    assert ViT(PRESETS["notebook"].replace(positional="none")).num_params() == 5_066 - 17 * 16


def test_notebook_with_fixed_sines_trains_as_many_as_without():
    assert ViT(PRESETS["notebook"].replace(positional="sinusoidal")).num_params() == 5_066 - 17 * 16


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_scores_mnist_images(name, images):
    logits = ViT(PRESETS[name])(images)
    assert logits.shape == (8, 10)
    assert logits.isfinite().all()


def test_presets_grow():
    sizes = [ViT(PRESETS[name]).num_params() for name in ("notebook", "tiny", "small")]
    assert sizes == sorted(set(sizes))
