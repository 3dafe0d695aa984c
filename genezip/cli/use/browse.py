"""``genezip browse``: tracks in a genome browser on this machine, or in one file."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options


def browse(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of tracks, shown together.", metavar="FOLDER...")
    ],
    page: Annotated[
        Path | None,
        typer.Option(help="Write one HTML file with the data of the locus, to send to others."),
    ] = None,
    session: Annotated[
        Path | None,
        typer.Option(help="Write one session for IGV on the desktop, above all tracks."),
    ] = None,
    locus: Annotated[
        str | None,
        typer.Option(
            help="chrom:start-end, counted from 1 as in a browser, a contig, or the locus table "
            "of a run; default: that of the tracks."
        ),
    ] = None,
    fasta: Annotated[
        Path | None, typer.Option(help="FASTA, plain or bgzip, in place of that of the tracks.")
    ] = None,
    bases: Annotated[
        bool, typer.Option("--bases/--no-bases", help="Show the bases of the FASTA.")
    ] = True,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the page; 0 takes a free one.")
    ] = 0,
    open_it: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the web browser.")
    ] = True,
) -> None:
    """Show tracks in a genome browser (igv.js), without a network.

    FOLDER was written by `genezip compress --tracks` or by the workflow
    (results/tracks). The page is served to this machine alone until Ctrl-C; with
    --page it is one file instead, of at most 20 MB.

    \b
    Example:
      genezip browse tracks --locus chr9:120,001-185,536 --page locus.html
    """
    from tempfile import TemporaryDirectory

    from genezip.browse import folder, server
    from genezip.browse.page import write_page
    from genezip.errors import GenezipError
    from genezip.formats.igv import write_igv_session

    if page is not None and session is not None:
        raise GenezipError("--page and --session are two outputs; give one at a time")
    with TemporaryDirectory(prefix="genezip-") as scratch:
        view = folder.view_of(folders, Path(scratch), fasta, bases).at(locus)
        if session is not None:
            write_igv_session(session, folder.session_of(view, session.parent))
            options.echo(f"{len(view.tracks)} tracks in {session}", session)
        elif page is not None:
            size = write_page(view, page)
            options.echo(f"{len(view.tracks)} tracks, {size / 1e6:.1f} MB in {page}", page)
        else:
            server.show(server.answers(view), port, open_it, typer.echo)
