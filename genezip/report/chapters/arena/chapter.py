"""The chapter on the arena: the verdict in words, the ranked table, and what else was measured."""

from genezip.report.chapter import Chapter, Section
from genezip.report.chapters.arena import behaviour, learned, tokens
from genezip.report.results import Results
from genezip.report.systems import arena


def section(results: Results) -> Section | None:
    """Text with the verdict, and the tables; None where there was no arena."""
    names = tokens.ranked(results)
    if not names:
        return None
    text = [
        "Systems keep very different numbers of tokens, so none is compared with another one "
        "directly. Each stands beside controls with its own number of tokens in every window: "
        "chunks of equal length, and chunks that begin at random bases. The difference of its "
        "promoter enrichment from that of equal chunks is what the places of its tokens are "
        "worth, and it is ranked; windows that get more tokens do not count.",
        tokens.verdict(results, names),
    ]
    tables = [tokens.table(results, names)]
    if results.arena.is_whole:
        text += [
            f"Behind the tokens there may be a network. {arena.finding(results)} Every system "
            "stands beside its twins: the same network on tokens in other places, so that their "
            "difference is what these places taught it, or what it is claimed to beat. "
            f"{arena.plain(results)}",
            *learned.sentences(results),
        ]
        everywhere = [
            learned.bits(results, names),
            learned.recall(results, names),
            learned.probes(results, names),
            tokens.by_class(results, names),
            behaviour.boundaries(results, names),
            behaviour.ids(results, names),
            behaviour.cost(results, names),
            *(tokens.elsewhere(results, genome) for genome in results.arena.elsewhere),
        ]
        tables += [table for table in everywhere if table is not None]
    return Section(text, tables)


CHAPTER = Chapter("arena", "Ways of cutting DNA", section)
