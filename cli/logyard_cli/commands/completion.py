"""logyard completion: the script that makes a shell complete our commands."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for your shell: commands, options, streams and drains.

    \b
      bash  echo 'eval "$(logyard completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(logyard completion zsh)"' >> ~/.zshrc
      fish  logyard completion fish > ~/.config/fish/completions/logyard.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    root = ctx.find_root()
    click.echo(found(root.command, {}, "logyard", "_LOGYARD_COMPLETE").source())
