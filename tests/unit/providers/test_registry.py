"""Building providers in the owner's order, leaving out those that fail, with a reason."""

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import httpx
import pytest
from dotenv import dotenv_values
from pydantic import SecretStr

from bot.config import Settings
from bot.domain.clock import SystemClock
from bot.domain.recipes import Stem
from bot.net.downloads import Downloads
from bot.net.ip_rules import TrustedHosts
from bot.net.transport import GuardedTransport
from bot.providers.interface import Call, Capabilities, Lost, Model, ProviderContext, Source, names
from bot.providers.registry import BUILT_IN, UnknownProvider, build
from tests.contract.vendor import call, song
from tests.support.scripted_server import answering, ok, serving
from tests.support.transport_fakes import no_tls

ROOT = Path(__file__).parents[3]
KEYS = {adapter.declared.key_setting: "k" for adapter in BUILT_IN.values()}


class Toy:
    """A provider as a third party would write it."""

    def __init__(self, name: str = "toy") -> None:
        model = Model(name="all", stems=frozenset({Stem.VOCALS}))
        self.capabilities = Capabilities(name=name, title="Toy", models=(model,))

    async def submit(self, call: Call, source: Source):
        raise NotImplementedError

    async def poll(self, ref):
        return Lost()

    async def fetch(self, file, into):
        raise NotImplementedError

    async def cancel(self, ref):
        raise NotImplementedError

    async def aclose(self):
        pass


def make_toy(context: ProviderContext) -> Toy | None:
    return Toy() if context.setting("TOY_KEY") else None


def make_stranger(context: ProviderContext) -> Toy:
    return Toy("other")


def make_trouble(context: ProviderContext) -> Toy:
    raise RuntimeError("no")


def offered(name: str, factory: str) -> EntryPoint:
    return EntryPoint(name, f"{__name__}:{factory}", "stemcord.providers")


def context(**settings: str) -> ProviderContext:
    guarded = GuardedTransport(trusted=TrustedHosts(), tls=no_tls())
    return ProviderContext(
        settings=settings,
        transport=guarded,
        downloads=Downloads(transport=guarded),
        clock=SystemClock(),
        max_result_bytes=1000,
    )


def built(*order: str, installed=(), **settings: str):
    return build(order, context(**settings), ready={"local": Toy("local")}, installed=installed)


def test_providers_come_in_the_owners_order():
    made = built("soundverse", "local", "audiocleaner", "finevoice", **KEYS)
    assert names(made.providers) == ("soundverse", "local", "audiocleaner", "finevoice")
    assert made.left_out == {}


def test_only_named_providers_are_built():
    assert names(built("finevoice", **KEYS).providers) == ("finevoice",)


def test_each_built_in_is_known_by_the_name_it_declares():
    made = built(*BUILT_IN, **KEYS)
    assert names(made.providers) == tuple(BUILT_IN)


@pytest.mark.parametrize("blank", [{}, {"FINEVOICE_API_KEY": ""}, {"FINEVOICE_API_KEY": " "}])
def test_a_hosted_provider_without_a_key_is_left_out_and_said_so(blank, caplog):
    made = built("finevoice", "local", **blank)
    assert names(made.providers) == ("local",)
    assert made.left_out == {"finevoice": "FINEVOICE_API_KEY is not set"}
    assert "FINEVOICE_API_KEY is not set" in caplog.text


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(UnknownProvider) as caught:
        built("finvoice", "local")
    assert "finvoice" in str(caught.value)
    assert "audiocleaner, finevoice, local, soundverse" in str(caught.value)


def test_an_installed_package_adds_a_provider():
    made = built("toy", "local", installed=[offered("toy", "make_toy")], TOY_KEY="k")
    assert names(made.providers) == ("toy", "local")


def test_an_installed_package_without_its_settings_is_left_out():
    made = built("toy", "local", installed=[offered("toy", "make_toy")])
    assert made.left_out == {"toy": "its settings are missing"}


@pytest.mark.parametrize("factory", ["make_trouble", "not_there", "__doc__"])
def test_a_broken_package_is_left_out_and_the_rest_goes_on(factory, caplog):
    made = built("toy", "local", installed=[offered("toy", factory)])
    assert names(made.providers) == ("local",)
    assert made.left_out == {"toy": "its package is broken"}
    assert factory in caplog.text


def test_a_package_that_cannot_be_imported_is_left_out():
    point = EntryPoint("toy", "no_such_package_at_all:make", "stemcord.providers")
    assert built("toy", "local", installed=[point]).left_out == {"toy": "its package is broken"}


def test_a_broken_package_that_nobody_named_is_not_even_loaded():
    made = built("local", installed=[offered("toy", "make_trouble")])
    assert made.left_out == {}


@pytest.mark.parametrize("name", ["audiocleaner", "local"])
def test_a_package_cannot_take_the_name_of_an_own_provider(name, caplog):
    made = built(name, installed=[offered(name, "make_trouble")], **KEYS)
    assert names(made.providers) == (name,)
    assert "is refused" in caplog.text


def test_two_packages_of_one_name_are_both_left_out():
    points = [offered("toy", "make_toy"), offered("toy", "make_stranger")]
    made = built("toy", "local", installed=points, TOY_KEY="k")
    assert made.left_out == {"toy": "several installed packages offer it"}


def test_a_package_that_calls_itself_something_else_is_left_out():
    made = built("toy", "local", installed=[offered("toy", "make_stranger")])
    assert made.left_out == {"toy": "it calls itself other"}


def test_the_context_does_not_show_its_settings():
    assert "SECRET" not in repr(context(FINEVOICE_API_KEY="SECRET"))


async def test_a_base_address_set_by_the_owner_needs_no_other_trust():
    body = b'{"code": 100000, "data": {"job_id": "j1"}}'
    async with serving(answering(ok(body))) as server:
        made = built(
            "audiocleaner", AUDIOCLEANER_BASE_URL=server.url + "/", AUDIOCLEANER_API_KEY="k"
        )
        (provider,) = made.providers
        accepted = await provider.submit(call(provider.capabilities.models[0]), song())
        await provider.aclose()
    assert accepted.ref == "j1"
    path = b"POST /audio/api/v1/api-keys/separation/task/create "
    assert server.requests[0].startswith(path)


def test_a_client_made_for_one_address_trusts_no_other():
    guarded = GuardedTransport(trusted=TrustedHosts(), tls=no_tls())
    assert guarded.trusting("http://127.0.0.1:1") is not guarded
    with pytest.raises(httpx.InvalidURL):
        guarded.trusting("http://127.0.0.1:port")


def test_every_secret_that_is_handed_out_is_reported_for_redaction():
    told: list[str] = []
    settings = replace(context(TOY_KEY="s3cr3t-toy", OTHER="plain"), on_secret=told.append)
    assert settings.secret("TOY_KEY") == SecretStr("s3cr3t-toy")
    assert settings.secret("MISSING") is None
    assert settings.setting("OTHER") == "plain"
    assert told == ["s3cr3t-toy"]


each_built_in = pytest.mark.parametrize("adapter", BUILT_IN.values(), ids=list(BUILT_IN))


@each_built_in
def test_each_built_in_has_its_rows_in_the_example_settings(adapter):
    declared = adapter.declared
    shown = dotenv_values(ROOT / ".env.example")
    assert shown[declared.key_setting] == ""
    assert shown[declared.base_url_setting] == declared.base_url


@each_built_in
def test_each_built_in_has_its_row_in_the_readme(adapter):
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line[:1] == "|"]
    [row] = [row for row in rows if f"`{adapter.declared.key_setting}`" in row]
    assert adapter.declared.title in row
    assert adapter.declared.base_url in row


@each_built_in
def test_each_built_in_is_a_setting_with_the_declared_default(adapter):
    fields = {field.alias: field for field in Settings.model_fields.values()}
    assert fields[adapter.declared.key_setting].default is None
    assert fields[adapter.declared.base_url_setting].default == adapter.declared.base_url
    assert adapter.declared.name in fields["STEMCORD_PROVIDERS"].default


def test_a_name_with_a_hyphen_gives_names_that_a_shell_can_set():
    declared = Capabilities(name="my-toy", title="Toy", models=())
    assert (declared.key_setting, declared.base_url_setting) == (
        "MY_TOY_API_KEY",
        "MY_TOY_BASE_URL",
    )
