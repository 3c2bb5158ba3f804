"""A drain is checked as far as it can be where its secrets are not."""

from __future__ import annotations

import pytest

from logyard.bus.drains import DrainSpec
from logyard.definition import check_definition
from logyard.errors import UsageError

ENVIRON = {"HERE": "/etc/ssl/ca.crt"}


@pytest.mark.parametrize(
    ("uri", "params", "missing"),
    [
        ("syslog+tls://h?ca=${env:CA}&cert=${env:CERT}&key=${file:/run/no/key}", {}, 3),
        ("syslog+tls://h", {"ca": "${env:CA}", "cert": "${env:CERT}"}, 2),
        ("syslog+tls://${env:HOST}:${env:PORT}?ca=${env:HERE}", {}, 2),
        ("syslog://h", {"max_size": "${env:SIZE}", "facility": "${env:FACILITY}"}, 2),
        ("file:///${env:FOLDER}/all.log", {"rotate_size": "${env:SIZE}", "format": "${env:FORMAT}"}, 3),
        ("redis://u:${env:PW}@h", {}, 1),
        ("${env:ALL}", {}, 1),
        ("syslog+tls://h?ca=${env:HERE}", {}, 0),
    ],
)
def test_what_is_elsewhere_is_told_and_hinders_nothing(uri: str, params: dict[str, str], missing: int) -> None:
    assert len(check_definition(DrainSpec("a", uri, params=params), ENVIRON)) == missing


@pytest.mark.parametrize(
    ("uri", "params", "told"),
    [
        ("syslog+tls://h?ca=${env:CA}&nonsense=1", {}, "no parameter 'nonsense'"),
        ("syslog+tls://h?ca=${env:CA}", {"nonsense": "${env:X}"}, "no parameter 'nonsense'"),
        ("syslog+tls://h?ca=relative.crt&cert=${env:CERT}", {}, "ca='relative.crt'"),
        ("syslog+tls://h?ca=${env:CA}&facility=nonsense&max_size=${env:SIZE}", {}, "facility"),
        ("sylsog://h?ca=${env:CA}", {}, "did you mean syslog://"),
    ],
)
def test_what_is_wrong_whatever_the_secrets_are_is_refused(uri: str, params: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_definition(DrainSpec("a", uri, params=params), ENVIRON)
    assert told in str(caught.value)


def test_a_message_about_a_secret_does_not_hold_it() -> None:
    with pytest.raises(UsageError) as caught:
        check_definition(DrainSpec("a", "tcp://h:1", params={"token": "hunter2", "format": "hunter2"}))
    assert "hunter2" not in str(caught.value)
