from pathlib import Path

import pytest

from bot.domain.errors import InvalidObjectStore
from storage.objects.store_address import VARIABLES, Bucket, SharedFolder, parse_address
from storage.objects.store_opening import open_object_store

SERVICE = {"AWS_ENDPOINT": "https://s3.example"}


def bucket(url: str = "s3://stems", **variables: str) -> Bucket:
    found = parse_address(url, variables)
    assert isinstance(found, Bucket)
    return found


def test_a_bucket_has_a_name_and_a_prefix():
    found = bucket("s3://stems/bots/first/")
    assert (found.name, found.prefix) == ("stems", "bots/first")
    assert bucket("s3://stems").prefix == ""


def test_a_folder_has_a_path():
    assert parse_address("file:///mnt/two%20words", {}) == SharedFolder(path=Path("/mnt/two words"))


@pytest.mark.parametrize(
    "url",
    [
        "stems",
        "s3://",
        "s3:///stems",
        "s3://stems/../others",
        "s3://stems?versioning",
        "s3://key:secret@stems",
        "s3://stems:port/x",
        "file:///",
        "file://relative/folder",
        "https://s3.example/stems",
        "memory:///",
        "/mnt/share",
    ],
)
def test_another_address_is_refused(url: str):
    with pytest.raises(InvalidObjectStore, match="expected an address such as s3://"):
        open_object_store(url, {})


def test_only_variables_of_the_store_reach_it():
    found = bucket(
        AWS_ACCESS_KEY_ID="key", AWS_PROFILE="work", DISCORD_TOKEN="token", AWS_REGION=""
    )
    assert found.config == {"AWS_ACCESS_KEY_ID": "key"}


def test_the_installed_obstore_knows_every_variable():
    pair = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    values = {
        "AWS_CHECKSUM_ALGORITHM": "SHA256",
        "AWS_S3_EXPRESS": "false",
        "AWS_SERVER_SIDE_ENCRYPTION": "AES256",
        "AWS_SSE_CUSTOMER_KEY_BASE64": "QUFB",
    }
    for name in VARIABLES:
        open_object_store("s3://stems", {name: values.get(name, "true"), **pair})


def test_half_a_key_is_refused():
    with pytest.raises(InvalidObjectStore, match="fit together"):
        open_object_store("s3://stems", {"AWS_ACCESS_KEY_ID": "id"})


@pytest.mark.parametrize("name", ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_the_service_has_an_address(name: str):
    assert bucket(**{name: "https://s3.example/"}).config == SERVICE


@pytest.mark.parametrize("endpoint", ["s3.example", "ftp://s3.example", "https://", "https://a b"])
def test_another_address_of_the_service_is_refused(endpoint: str):
    with pytest.raises(InvalidObjectStore, match="AWS_ENDPOINT: expected a web address"):
        bucket(AWS_ENDPOINT=endpoint)


def test_plain_http_has_to_be_allowed():
    with pytest.raises(InvalidObjectStore, match="AWS_ALLOW_HTTP=true"):
        bucket(AWS_ENDPOINT="http://127.0.0.1:9000")
    assert bucket(AWS_ENDPOINT="http://127.0.0.1:9000", AWS_ALLOW_HTTP="true").allow_http


@pytest.mark.parametrize("variables", [{"AWS_ALLOW_HTTP": "perhaps"}, {"AWS_SKIP_SIGNATURE": "?"}])
def test_a_misspelt_variable_is_refused(variables: dict[str, str]):
    with pytest.raises(InvalidObjectStore, match="AWS_"):
        open_object_store("s3://stems", variables)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_a_proxy_serves_https_alone(name: str):
    proxy = {name: "proxy.example:3128", "NO_PROXY": "localhost,.example"}
    found = bucket(**proxy)
    assert (found.proxy, found.direct) == ("http://proxy.example:3128", "localhost,.example")
    plain = {"AWS_ENDPOINT": "http://127.0.0.1:9000", "AWS_ALLOW_HTTP": "true"}
    assert not bucket(**proxy, **plain).proxy


def test_secrets_are_not_shown():
    found = bucket(AWS_SECRET_ACCESS_KEY="hidden", HTTPS_PROXY="http://me:hidden@proxy.example")
    assert "hidden" not in repr(found)
