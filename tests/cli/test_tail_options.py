"""Options that are wrong, or do not go together: each answer says what to write instead, before anything is shown."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from logyard_cli.main import cli


def refused(*args: str) -> str:
    """What is said about a command line that is refused."""
    result = CliRunner().invoke(cli, ["tail", "--redis", "unix:///nowhere.sock", *args])
    assert (result.exit_code, result.stdout) == (2, ""), (result.exit_code, result.stdout, result.stderr)
    assert result.stderr.startswith("logyard: ")
    return result.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-n", "ten"], "-n ten: give a number of lines, or all"),
        (["-n", "-5"], "-n -5: give a number of lines, or all"),
        (["--since", "10"], "--since '10' is no point in time: give it a unit, as in 10m, 10h or 10d"),
        (["--since", "5 minutes"], "write 5m"),
        (["--until", "soon"], "--until 'soon' is no point in time: write 10m, 2h, 1d, 14:30"),
        (["--since", "2099-01-01"], "--since '2099-01-01' lies in the future"),
        (["--since", "1h", "--until", "2h"], "--until 2h is not after --since 1h"),
        (["--since", "1h", "--until", "1m", "-f"], "--until ends by itself and -f never does: give one of them"),
        (["--timezone", "Europe/Berln"], "there is no time zone 'Europe/Berln'; did you mean Europe/Berlin"),
        (["--tz", "Tokyo", "--utc"], "--utc and --timezone name two zones: give one of them"),
        (["--tz", "Tokyo"], "did you mean Asia/Tokyo?"),
        (["--template", "{time} {instnce}"], "character 8: 'instnce' is not a placeholder; there are time"),
        (["--template", "{time"], "'{' has no partner; write {{ for the brace itself"),
        (["--template", ""], "--template is empty: write for example"),
        (["--template", "{text}", "-o", "json"], "-o json and --template do not go together"),
        (["-x", "-o", "csv"], "-o csv and -x do not go together"),
        (["-o", "xml"], "'xml' is not one of 'pretty', 'json', 'raw', 'text', 'logfmt', 'csv'"),
        (["-o", "raw", "--fields", "status"], "--fields goes with -o pretty, json, logfmt or csv, and with -x"),
        (["--template", "{text}", "--hide", "a"], "--hide goes with -o pretty, json, logfmt or csv, and with -x"),
        (["--fields", "a,,b"], "write names divided by commas, as in --fields status,user.id"),
        (["--fields", "a,b", "--hide", "b"], "--fields and --hide both name b"),
        (["-o", "json", "--highlight", "x"], "--highlight is for eyes: it goes with -o pretty, raw and text"),
        (["-A", "3"], "say which with -e, --include or --exclude"),
        (["-C", "-1", "-e", "x"], "-1 is not in the range 0<=x<=10000"),
        (["-C", "2", "-e", "x | count"], "-A, -B and -C show lines around others, and pipes give a table"),
        (["-e", "x | limit 5"], "begin with the last ones by -n, or use logyard query"),
        (["-e", "x | count", "-e", "y | count"], "several -e have pipes"),
        (["-e", "x | count", "-o", "raw"], "pipes give a table: use -o pretty, json, csv or logfmt"),
        (["--spark"], "--spark draws on a terminal, and standard output is none"),
        (["--spark", "-F"], "--spark shows the rate of what comes: it needs to follow"),
        (["a b"], "'a b' is not a stream: give a key (app.web), a glob (sys.*), a name (web) or an instance (web.3)"),
        (["--exclude-stream", "a/b"], "'a/b' is not a stream"),
        (["--colour", "sometimes"], "'sometimes' is not one of"),
        (["--includ", "x"], "'--include'"),
    ],
)
def test_a_wrong_option_is_answered_with_what_to_write(args: list[str], message: str) -> None:
    said = refused(*args)
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "shown", "message"),
    [
        (["-i", "a(b"], "  a(b\n   ^", "--include is not a regular expression: missing )"),
        (["-E", "x[0-9"], "  x[0-9\n   ^", "--exclude is not a regular expression: missing ]"),
        (["--highlight", "a**"], "  a**\n   ^", "--highlight is not a regular expression: bad repetition operator"),
        (["-i", "(?=x)"], "  (?=x)\n  ^", "RE2 has neither look-around nor back-references"),
        (["-e", "level:>=wran"], "^", "did you mean"),
        (["-e", "status>="], "^", "expected"),
        (["-e", "app:web AND"], "^", "expected"),
        (["-e", 'say "hello'], "^", """expected " to close the text"""),
        (["-e", "x | cuont by y"], "^", "count"),
    ],
)
def test_what_is_wrong_in_an_expression_is_pointed_at(args: list[str], shown: str, message: str) -> None:
    said = refused(*args)
    assert shown in said
    assert message in said
