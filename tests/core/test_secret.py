"""Secrets and references to them: found where they are used, and never part of a message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logyard.bus.drains import DrainSpec
from logyard.errors import UsageError
from logyard.secret import FILE_LIMIT, Mask, expand, exposed, unresolved

ENVIRON = {"PW": "p@ss/w", "EMPTY": ""}


def test_what_is_put_into_an_address_is_encoded_and_a_parameter_is_left_as_it_is() -> None:
    assert expand("redis://u:${env:PW}@h", ENVIRON) == "redis://u:p%40ss%2Fw@h"
    assert expand("Bearer ${env:PW}", ENVIRON, address=False) == "Bearer p@ss/w"
    assert expand("${env:PW}", ENVIRON) == "p@ss/w"


def test_the_line_end_of_a_file_is_no_part_of_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b" secret \r\n")
    assert expand(f"${{file:{path}}}") == " secret "


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("${env:NOT_SET}", "the environment variable NOT_SET is not set"),
        ("${env:EMPTY}", "the environment variable EMPTY is empty"),
        ("${file:/no/such}", "cannot read the file: No such file or directory"),
        ("${file:token}", "cannot read the file: give its absolute path"),
        ("${file:/proc}", "cannot read the file: Is a directory"),
        ("${file:/dev/null}", "cannot read the file: it is no regular file"),
        ("${vault:x}", "write ${env:NAME} or ${file:PATH}"),
    ],
)
def test_what_cannot_be_found_is_named(reference: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        expand(f"tcp://{reference}", ENVIRON)
    assert reference in str(caught.value) and told in str(caught.value)
    assert unresolved(f"tcp://{reference}", ENVIRON) == [str(caught.value)]


@pytest.mark.parametrize("content", [b"", b"\n", b"s" * (FILE_LIMIT + 1), b"secret\xff"])
def test_a_file_that_holds_no_secret_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        expand(f"${{file:{path}}}")
    assert str(path) in str(caught.value) and "secret" not in str(caught.value) and "ssss" not in str(caught.value)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        expand(f"${{file:{tmp_path}/pipe}}")


def test_a_file_that_everybody_may_read_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret")
    path.chmod(0o600)
    assert exposed(f"http://${{file:{path}}}@h") == []
    path.chmod(0o644)
    (warning,) = exposed(f"http://${{file:{path}}}@h")
    assert f"chmod o-r {path}" in warning


def test_a_mask_hides_secrets_in_the_texts_of_others_in_every_form() -> None:
    mask = Mask(["hunter2/", "hunter2/and-more", "abc"])
    assert mask("401 for hunter2/and-more, hunter2/ and hunter2%2F; abc") == "401 for ****, **** and ****; abc"
    assert "hunter2" not in repr(mask)


def test_the_secrets_of_a_drain_are_those_typed_in_and_those_referred_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGYARD_TEST_HOST", "collector")
    monkeypatch.setenv("LOGYARD_TEST_PATH", "services-T123")
    spec = DrainSpec(
        "a",
        "http://u:typed-one@${env:LOGYARD_TEST_HOST}/${env:LOGYARD_TEST_PATH}?api_key=typed-two",
        params={"header.Authorization": "Bearer typed-three", "format": "json"},
    )
    text = "collector refused typed-one, typed-two, typed-three and services-T123 as json"
    assert spec.mask(text) == "collector refused ****, ****, **** and **** as json"
