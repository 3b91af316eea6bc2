"""The promises. Each is a check of one configuration that raises ``AssertionError`` where it is broken."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.func import functional_call

from vit import lens
from vit.attention import ATTENTION_KERNELS
from vit.chunking import CHUNKINGS
from vit.config import ViTConfig
from vit.model import ViT
from vit.registry import Registry
from vit.stacked import stack

CONTRACT: Registry[Callable[[ViTConfig], None]] = Registry("promise")
"""By a sentence that says what is promised."""
BATCH = 4
close = torch.testing.assert_close


@CONTRACT.register("logits are finite, and one per class")
def _logits(config: ViTConfig) -> None:
    logits = built(config)(images_of(config))
    assert logits.shape == (BATCH, config.num_classes), f"shape {tuple(logits.shape)}"
    assert logits.isfinite().all(), "not all are finite"


@CONTRACT.register("backends of a chunking are bit-equal, and every pixel has one patch that stands for it")
def _cuts(config: ViTConfig) -> None:
    chunking, shape = CHUNKINGS[config.chunking], config.patch_shape
    owners = lens.patch_of_pixel(config).flatten()
    assert set(owners.tolist()) == set(range(config.num_patches)), "a patch stands for no pixel"
    if not chunking.cuts_images():
        return
    for images in (images_of(config), (255 * images_of(config)).to(torch.uint8)):
        cut, by_hand = chunking.einops(images, *shape), chunking.manual(images, *shape)
        assert cut.shape == (BATCH, config.num_patches, config.patch_dim), f"shape {tuple(cut.shape)}"
        assert cut.dtype == by_hand.dtype == images.dtype, f"{images.dtype} becomes {cut.dtype}"
        assert torch.equal(cut, by_hand), "einops and manual differ"


@CONTRACT.register("the tokens that a pooling reads are all it needs")
def _reads(config: ViTConfig) -> None:
    for kernel in ATTENTION_KERNELS:
        model = built(config).eval().use_attention(kernel)
        images = images_of(config)
        close(model(images), model.head(model.pooling(model.encode(model.embed(model.patches(images))))))


@CONTRACT.register("a finite gradient that is not zero reaches every parameter")
def _gradients(config: ViTConfig) -> None:
    model = built(config).eval()  # in training, drop path may leave a whole branch out
    loss_of(model(images_of(config))).backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has none"
        assert parameter.grad.isfinite().all(), f"{name}: not finite"
        assert parameter.grad.any(), f"{name}: zero"


@CONTRACT.register("the state dict round trips")
def _round_trip(config: ViTConfig) -> None:
    model, twin = built(config).eval(), built(config, seed=1).eval()
    images = images_of(config)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(images), model(images)), "a model with the same weights says something else"


@CONTRACT.register("bfloat16 stays near float32: by autocast, and with weights in bfloat16 beside buffers in float32")
def _bfloat16(config: ViTConfig) -> None:
    for kernel in ATTENTION_KERNELS:
        model = built(config).eval().use_attention(kernel)
        twin = copy.deepcopy(model)
        for parameter in twin.parameters():
            parameter.data = parameter.data.bfloat16()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits, of_twin = model(images_of(config)), twin(images_of(config))
            loss_of(twin.train()(images_of(config)).float()).backward()  # type: ignore[no-untyped-call]
        close(logits.float(), model(images_of(config)), atol=0.06, rtol=0.06)
        close(of_twin.float(), model(images_of(config)), atol=0.1, rtol=0.1)


@CONTRACT.register("attention kernels agree")
def _kernels(config: ViTConfig) -> None:
    model = built(config).eval()
    explicit, *others = (model.use_attention(kernel)(images_of(config)) for kernel in ATTENTION_KERNELS)
    for logits in others:
        close(logits, explicit, atol=1e-5, rtol=1e-5)


@CONTRACT.register("an image is scored without regard to its batch")
def _batch(config: ViTConfig) -> None:
    model, images = built(config).eval(), images_of(config)
    close(model(images)[1:2], model(images[1:2]), atol=1e-5, rtol=1e-5)


@CONTRACT.register("initial weights are drawn in reset_parameters alone, so that arms and seeds can be paired")
def _initial(config: ViTConfig) -> None:
    first, second = (redrawn(config, before).state_dict() for before in (1, 2))
    for name, value in first.items():
        assert torch.equal(value, second[name]), f"{name} is drawn elsewhere"


@CONTRACT.register("only a model without positions overlooks shuffled patches")
def _shuffled(config: ViTConfig) -> None:
    config = config.replace(pooling="mean", num_registers=0, num_class_tokens=1)
    model = built(config).double().eval()
    patches = model.patches(images_of(config).double())
    shuffled = patches[:, torch.randperm(config.num_patches, generator=torch.Generator().manual_seed(3))]
    change = (model.classify(shuffled) - model.classify(patches)).abs().max().item()
    as_promised = change < 1e-12 if config.positional == "none" else change > 1e-6
    assert as_promised or torch.equal(shuffled, patches), f"logits change by {change:.1e} where patches are shuffled"


@CONTRACT.register("packed models compute what each computes alone, or say why they cannot be packed")
def _packed(config: ViTConfig) -> None:
    models = [built(config, seed).eval() for seed in range(3)]  # at rest: draws of a pack are not tested here
    images = torch.stack([images_of(config, i) for i in range(3)])
    try:
        stacked = stack(models)
    except TypeError:  # it says why, and its trials train alone
        return
    logits = stacked(images)
    loss_of(logits.flatten(0, 1), "sum").div(BATCH).backward()  # type: ignore[no-untyped-call]
    for i, model in enumerate(models):
        alone = model(images[i])
        loss_of(alone).backward()  # type: ignore[no-untyped-call]
        close(logits[i], alone, atol=1e-5, rtol=1e-5)
        for name, parameter in model.named_parameters():
            joined = stacked.body.get_parameter(name)
            assert joined.shape == (3, *parameter.shape), name
            assert joined.grad is not None, name
            close(joined.grad[i], parameter.grad, atol=1e-5, rtol=1e-4)


@CONTRACT.register("it computes with the weights it is handed, and on tensors without data")
def _functional(config: ViTConfig) -> None:
    """What ``torch.compile``, a CUDA graph and the prediction of memory ask of a model."""
    model, other = built(config).eval(), built(config, seed=1).eval()
    weights: dict[str, Tensor] = dict(other.named_parameters())
    assert torch.equal(functional_call(model, weights, (images_of(config),)), other(images_of(config))), "it keeps some"
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    with FakeCopyMode(fake):
        bare = copy.deepcopy(built(config.replace(depth=1)))
    with fake:
        loss_of(bare(torch.zeros(images_of(config).shape))).backward()  # type: ignore[no-untyped-call]


@CONTRACT.register("pictures of attention and positions can be drawn")
def _pictures(config: ViTConfig) -> None:
    model, images = built(config).double().eval(), images_of(config).double()
    shares = lens.rollout(model, images)
    assert shares.shape == (BATCH, config.num_patches), f"shape {tuple(shares.shape)}"
    close(shares.sum(dim=1), torch.ones(BATCH).double())
    try:
        similar = lens.position_similarity(model).values
    except lens.NothingToSeeError:
        return
    assert similar.shape == (config.num_patches, config.num_patches), f"shape {tuple(similar.shape)}"


def sentence_of(component: type) -> str:
    """The first line of a component's docstring, which lists and legends show.

    Raises:
        AssertionError: it has none, or that is no sentence.
    """
    text = component.__dict__.get("__doc__")
    assert text, f"{component.__name__} has no docstring of its own: lists and legends show its first line"
    first = inspect.cleandoc(text).splitlines()[0]
    is_sentence = first[0].isupper() and first.endswith(".") and len(first.split()) >= 3
    assert is_sentence, f"{component.__name__}: {first!r} must be a sentence: a capital, three words, a full stop"
    return first


def built(config: ViTConfig, seed: int = 0) -> ViT:
    """A model drawn from this seed; torch's global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ViT(config)


def redrawn(config: ViTConfig, before: int) -> ViT:
    """A model whose constructor draws from the seed ``before``, its modules afterwards from one and the same."""
    model = built(config, before)
    with torch.random.fork_rng(devices=[]):
        for i, (_, module) in enumerate(model.drawing_modules()):
            torch.manual_seed(i)
            module.reset_parameters()  # type: ignore[operator]
    return model


def images_of(config: ViTConfig, seed: int = 0) -> Tensor:
    """A batch in [0, 1] that the model takes."""
    shape = (BATCH, config.in_channels, *config.image_shape)
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def loss_of(logits: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy of labels 0, 1, ..."""
    return F.cross_entropy(logits, torch.arange(len(logits)) % BATCH % logits.shape[1], reduction=reduction)
