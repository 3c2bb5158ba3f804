"""Commands whose argument is a filter, which may begin with a minus: ``logyard query '-healthz'``."""

from __future__ import annotations

import re

import click

__all__ = ["FilterCommand"]

_WITH_VALUE = re.compile(r"-[A-Za-z]\d+|-o[a-z]+")


class FilterCommand(click.Command):
    """A command that takes ``-word`` for a filter, unless it is one of its options.

    Options are two dashes and a name, one dash and a letter, or the latter with its value behind it (``-n5``,
    ``-ojson``).
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options, filters = self._parted(ctx, args)
        return super().parse_args(ctx, [*options, "--", *filters] if filters else options)

    def _parted(self, ctx: click.Context, args: list[str]) -> tuple[list[str], list[str]]:
        if "--" in args:
            return args, []
        taking = {
            name
            for param in self.get_params(ctx)
            if isinstance(param, click.Option) and not param.is_flag
            for name in param.opts
        }
        options: list[str] = []
        filters: list[str] = []
        value_next = False
        for arg in args:
            if not value_next and _is_filter(arg):
                filters.append(arg)
            else:
                options.append(arg)
            value_next = not value_next and arg in taking
        return options, filters


def _is_filter(arg: str) -> bool:
    return arg.startswith("-") and not arg.startswith("--") and len(arg) > 2 and not _WITH_VALUE.fullmatch(arg)
