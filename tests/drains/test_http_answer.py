"""What each answer means, what of it is shown, and what never is."""

from __future__ import annotations

import pytest

from logyard.errors import DrainError, Permanent, Refused, RetryLater, TooLarge, UsageError
from logyard_drains.http_answer import Answer, Masking, StatusCodes, failure, retry_after

NOW = 1_795_339_800.0  # Sun, 22 Nov 2026 09:30:00 GMT


def told(status: int, text: str = "", **headers: str) -> DrainError:
    return failure("https://h:1", Answer(status, text, **headers), Masking(["s3cret"]), NOW)


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (302, Permanent, "redirects are not followed"),
        (400, Refused, "Bad Request"),
        (401, Permanent, "check the user and password"),
        (403, Permanent, "check the user and password"),
        (404, Permanent, "check the address's path"),
        (405, Permanent, "check method="),
        (408, RetryLater, "Request Timeout"),
        (409, Refused, "Conflict"),
        (410, Permanent, "check the address's path"),
        (413, TooLarge, "413"),
        (415, Permanent, "check content_type="),
        (418, Permanent, "check the address"),
        (422, Refused, "422"),
        (425, RetryLater, "Too Early"),
        (429, RetryLater, "Too Many Requests"),
        (500, RetryLater, "Internal Server Error"),
        (501, Permanent, "check method="),
        (502, RetryLater, "Bad Gateway"),
        (503, RetryLater, "Service Unavailable"),
        (504, RetryLater, "Gateway Timeout"),
        (507, RetryLater, "Insufficient Storage"),
        (599, RetryLater, "answered 599"),
    ],
)
def test_each_code_has_its_meaning_and_is_told_with_what_to_check(
    status: int, kind: type[DrainError], hint: str
) -> None:
    error = told(status)
    assert type(error) is kind
    assert str(error).startswith(f"https://h:1 answered {status}")
    assert hint in str(error)


def test_what_a_destination_says_of_its_codes_counts_more() -> None:
    answer = Answer(403)
    assert str(failure("h", answer, Masking(), NOW, {403: "the token is wrong"})).endswith("; the token is wrong")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("999999999999999999999", 3600.0),
        ("Sun, 22 Nov 2026 09:31:30 GMT", 90.0),
        ("Sunday, 22-Nov-26 09:31:30 GMT", 90.0),
        ("Sun Nov 22 09:31:30 2026", 90.0),
        ("Sun, 22 Nov 2026 09:29:00 GMT", 0.0),
        ("Sun, 22 Nov 2099 09:29:00 GMT", 3600.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Sun, 99 Nov 2026 09:31:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_nonsense(text: str, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_server_that_says_when_is_asked_then(status: int) -> None:
    error = told(status, retry_after="30")
    assert isinstance(error, RetryLater)
    assert error.delay == 30.0
    later = told(status)
    assert isinstance(later, RetryLater)
    assert later.delay is None


def test_the_answers_text_is_one_short_line_without_control_characters_and_secrets() -> None:
    error = str(told(500, "no\r\n\x1b[31mtoken s3cret \x9b1m\u202e is\tknown " + "x" * 1000))
    assert "no [31mtoken **** 1m is known xxx" in error
    assert error.isprintable()
    assert "s3cret" not in error
    assert error.endswith("...")
    assert len(error) < 300


def test_a_secret_within_another_one_is_masked_whole() -> None:
    masked = Masking(["abcd", "xxabcdxx", "no"])
    assert masked("xxabcdxx and abcd, not no") == "**** and ****, not no"
    assert "abcd" not in repr(masked)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://other.example:8443/login?token=s3cret", "redirects to https://other.example:8443,"),
        ("https://user:pw@other.example/", "redirects to https://other.example,"),
        ("//other.example/x", "redirects to the same scheme://other.example,"),
        ("/login?token=abc", "redirects to another path,"),
        ("", "redirects to another path,"),
        ("https://[::1", "redirects to no address,"),
    ],
)
def test_a_redirect_names_the_server_it_leads_to_and_nothing_secret(location: str, shown: str) -> None:
    error = told(301, location=location)
    assert isinstance(error, Permanent)
    assert shown in str(error)
    for secret in ("s3cret", "pw@", "abc"):
        assert secret not in str(error)


def test_success_is_ranges_of_codes() -> None:
    codes = StatusCodes.parse("200-204, 409")
    assert [status for status in range(100, 600) if status in codes] == [200, 201, 202, 203, 204, 409]
    assert 299 in StatusCodes()
    assert 300 not in StatusCodes()


@pytest.mark.parametrize("text", ["", "2xx", "200-", "299-200", "600", "99", "200;201", "200,"])
def test_wrong_codes_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"write status codes and ranges of them: 200-299,409"):
        StatusCodes.parse(text)
