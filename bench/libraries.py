"""The architecture of a ViTConfig built by other libraries, each in its own code."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor, nn

from vit import ViTConfig


def foreign(package: str) -> ModuleType:
    """A library that imports torchvision, beside a torch for CPUs.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    _operators_for_torchvision()
    return import_module(package)


def timm(config: ViTConfig) -> nn.Module:
    """``timm.models.vision_transformer.VisionTransformer``: the same parameters, one by one."""
    _operators_for_torchvision()
    model: nn.Module = import_module("timm.models.vision_transformer").VisionTransformer(
        img_size=config.image_shape,
        patch_size=config.patch_shape,
        in_chans=config.in_channels,
        num_classes=config.num_classes,
        embed_dim=config.embed_dim,
        depth=config.depth,
        num_heads=config.num_heads,
        mlp_ratio=config.mlp_ratio,
        reg_tokens=config.num_registers,
        norm_layer=partial(nn.LayerNorm, eps=1e-5),
    )
    return model


def timm_eva(config: ViTConfig) -> nn.Module:
    """``timm.models.eva.Eva`` with axial RoPE as its ``vit_small_patch16_rope_224`` has it: the same parameters.

    Ours takes the row's angle before the column's and pairs a value with that half a head further; Eva has both orders.
    """
    _operators_for_torchvision()
    model: nn.Module = import_module("timm.models.eva").Eva(
        img_size=config.image_shape,
        patch_size=config.patch_shape,
        in_chans=config.in_channels,
        num_classes=config.num_classes,
        global_pool="token",
        embed_dim=config.embed_dim,
        depth=config.depth,
        num_heads=config.num_heads,
        mlp_ratio=config.mlp_ratio,
        attn_type="rope",
        use_abs_pos_emb=False,
        use_rot_pos_emb=True,
        rope_temperature=100.0,
        rope_rotate_half=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-5),
    )
    return model


def vit_pytorch(config: ViTConfig) -> nn.Module:
    """``vit_pytorch.ViT``."""
    _operators_for_torchvision()
    model: nn.Module = import_module("vit_pytorch").ViT(
        image_size=config.image_shape,
        patch_size=config.patch_shape,
        channels=config.in_channels,
        num_classes=config.num_classes,
        dim=config.embed_dim,
        depth=config.depth,
        heads=config.num_heads,
        dim_head=config.head_dim,
        mlp_dim=int(config.embed_dim * config.mlp_ratio),
    )
    return model


def vit_pytorch_cct(config: ViTConfig) -> nn.Module:
    """``vit_pytorch.cct.CCT`` without dropout, its tokenizer halving as our stem does: by stride, pools of one pixel.

    Those stay, because it adds positions in place, which the gradient of a ReLU right before them would not survive.
    """
    _operators_for_torchvision()
    library = import_module("vit_pytorch.cct")
    tokenizer = {
        "n_input_channels": config.in_channels,
        "n_conv_layers": 2,
        "kernel_size": 3,
        "stride": 2,
        "padding": 1,
        "pooling_kernel_size": 1,
        "pooling_stride": 1,
        "pooling_padding": 0,
    }
    model: nn.Module = library.CCT(
        img_size=config.image_shape,
        num_classes=config.num_classes,
        embedding_dim=config.embed_dim,
        num_layers=config.depth,
        num_heads=config.num_heads,
        mlp_ratio=config.mlp_ratio,
        attention_dropout=0.0,
        stochastic_depth_rate=0.0,
        positional_embedding="learnable",
        **tokenizer,
    )
    model.tokenizer = library.Tokenizer(  # CCT passes no width of its first convolution on
        in_planes=config.embed_dim // 2, n_output_channels=config.embed_dim, activation=nn.ReLU, **tokenizer
    )
    return model


def transformers(config: ViTConfig) -> nn.Module:
    """``transformers.ViTForImageClassification``: the same parameters, queries, keys, values in three layers."""
    _operators_for_torchvision()
    library = import_module("transformers")
    settings = library.ViTConfig(
        image_size=config.image_shape,
        patch_size=config.patch_shape,
        num_channels=config.in_channels,
        num_labels=config.num_classes,
        hidden_size=config.embed_dim,
        num_hidden_layers=config.depth,
        num_attention_heads=config.num_heads,
        intermediate_size=int(config.embed_dim * config.mlp_ratio),
    )
    return _Logits(library.ViTForImageClassification(settings))


class _Logits(nn.Module):
    """The logits of a model that returns them in a record."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images).logits
        return logits


def _operators_for_torchvision() -> None:
    """Import torchvision, whose wheel for CUDA finds no operators beside a torch for CPUs: declare those it misses.

    The peers take transforms from it and call none of its operators.
    """
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in ("nms", "qnms"):
            _DECLARED.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_module("torchvision")


_DECLARED = torch.library.Library("torchvision", "FRAGMENT")  # a declaration lasts as long as this
