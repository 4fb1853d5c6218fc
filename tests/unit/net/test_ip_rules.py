"""The addresses that count as public, and the exceptions in the owner's list of hosts."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.net.ip_rules import TrustedHosts, is_public

CLOSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254
169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.9 192.0.0.10 192.0.0.170 192.0.2.1
192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1
239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1
2001::1 2001:0:53aa:64c:0:fbfc:80ff:fffe 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
2002:7f00:1:: 2002:808:808::1 3fff::1 4000::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0
fec0::1 ff02::1 ff0e::1
""".split()  # noqa: SIM905 - a table reads better
OPEN = """
1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.88.100.1 223.255.255.254
::ffff:8.8.8.8 2001:4860:4860::8888 2606:4700:4700::1111 2a00:1450:4001::1 2003::1
""".split()  # noqa: SIM905 - a table reads better


@pytest.mark.parametrize("address", CLOSED)
def test_reserved_private_and_tunnelled_addresses_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_addresses_on_the_internet_are_public(address):
    assert is_public(address)


@settings(deadline=None)
@given(st.ip_addresses(v=4, network="127.0.0.0/8") | st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_no_way_to_carry_a_private_address_in_ipv6_is_public(inner: IPv4Address):
    low = int(inner)
    carriers = {
        "compatible": low,
        "mapped": 0xFFFF << 32 | low,
        "translated": 0xFFFF << 48 | low,
        "NAT64": 0x64FF9B << 96 | low,
        "local NAT64": 0x64FF9B0001 << 80 | low,
        "6to4": 0x2002 << 112 | low << 80,
        "Teredo": 0x20010000 << 96 | (low ^ 0xFFFFFFFF),
    }
    found = [name for name, value in carriers.items() if is_public(str(IPv6Address(value)))]
    assert found == []


def test_trusted_entry_with_port_holds_for_that_port_only():
    hosts = TrustedHosts.parse(["127.0.0.1:8080"])
    assert hosts.allow("127.0.0.1", 8080)
    assert not hosts.allow("127.0.0.1", 8081)
    assert not hosts.allow("localhost", 8080)


def test_trusted_entry_without_port_holds_for_the_usual_ports_only():
    hosts = TrustedHosts.parse(["LocalHost"])
    assert hosts.allow("localhost.", 80)
    assert hosts.allow("localhost", 443)
    assert not hosts.allow("localhost", 9464)


def test_trusted_address_of_version_6_is_read_in_brackets():
    hosts = TrustedHosts.parse(["[::1]:8080"])
    assert hosts.allow("::1", 8080)
    assert not hosts.allow("::1", 80)


@pytest.mark.parametrize("text", ["", "a b", "http://localhost", "host:", "host:x", "::1", "a/b"])
def test_what_is_no_host_is_refused(text):
    with pytest.raises(ValueError, match="not a host"):
        TrustedHosts.parse([text])


def test_no_host_is_trusted_by_default():
    assert not TrustedHosts().allow("127.0.0.1", 80)
