"""The `clipstream` command."""

from __future__ import annotations

import typer

from clipstream.client.cli import accounts, library, shares, streams, uploads, watching

app = typer.Typer(
    help="Clips in, clips found, clips shown: Clipstream from the command line.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    accounts.login,
    accounts.logout,
    accounts.whoami,
    uploads.upload,
    watching.watch,
    library.ls,
    library.search,
    library.url,
    library.rm,
    shares.share,
    shares.shares,
    shares.unshare,
):
    app.command()(command)
app.add_typer(streams.app, name="streams")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
