"""Sections of published tables: where our number beside each of theirs is."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from genezip.config.section import Key, Section

RESULT_FILES = (
    "results/compress/compression.tsv",
    "results/compress/comparisons.tsv",
    "results/compress/scaling.tsv",
    "results/repeats/repeats.tsv",
    "results/pretrain/{run}/config.json",
    "results/codon_phase/{run}.tsv",
    "results/labels/{part}.tsv",
    "results/masked/{run}.tsv",
    "results/words/{run}.tsv",
    "results/tables/table5_corpora.tsv",
    "results/tables/{task_table}.tsv",
    "results/models.json",
)
"""Files of the workflow that a number may be read from; names in braces stand for any name."""

System = Literal["genezip", "dnahnet", "ldarnet", "dnazen"]


def made_by_a_rule(path: str) -> bool:
    """Whether a path, in which ``{run}`` may stand, is one of :data:`RESULT_FILES`."""
    patterns = (re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(one)) for one in RESULT_FILES)
    return any(re.fullmatch(pattern, path) for pattern in patterns)


def _check_file(path: str | None) -> None:
    if path is not None and not made_by_a_rule(path):
        raise ValueError(
            f"{path} is made by no rule, so no number can be read from it; use one of "
            + ", ".join(RESULT_FILES)
        )


class Measured(Section):
    """Our number: one cell of a result file."""

    file: str | None = Field(
        None,
        description="result file, by default that of the table; `{run}` stands for each run of "
        "the row's model",
    )
    where: dict[str, str] = Field(
        {},
        description="columns of a TSV file and their text in the one row (of each seed) with the "
        "number, besides those of the table; names in braces are replaced by those of the row, "
        "`{reference}` and `{control}` by the models of the report",
    )
    value: str = Field(
        "value", description="column of the number; in a JSON file its keys, joined by dots"
    )
    tolerance: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="a number is reproduced if it differs from the published one by at most this "
        "share of it; null means equal in all digits that were published",
    )
    factor: float = Field(1.0, description="our number is multiplied by this, for equal units")
    any_scale: bool = Field(
        False, description="whether the number must be reproduced at every scale, not at full only"
    )
    note: str = Field("", description="in which way our number is another quantity than theirs")


class Order(Section):
    """A comparison that the paper makes: which of two numbers is larger."""

    text: str = Field(description="the comparison, as one sentence")
    published: list[tuple[str, str]] = Field(
        [],
        max_length=2,
        description="row and column of the two published numbers, of which the first is compared "
        "with the second; empty where the paper gives the direction alone",
    )
    measured: Measured = Field(description="our difference (or ratio) of the two, with interval")
    names: dict[str, list[str]] = Field(
        {}, description="more names for braces: of each list the first model that the run has"
    )
    above: float | None = Field(None, description="the comparison holds above this value")
    below: float | None = Field(None, description="the comparison holds below this value")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("set exactly one of above and below")
        if len(self.published) == 1:
            raise ValueError("published needs two numbers, or none")
        return self


class PaperTable(Section):
    """One table or figure of a paper."""

    title: str = Field(description="what it shows")
    editions: list[Literal["v1", "v3"]] = Field(
        ["v1"], description="editions of the GeneZip paper that have it"
    )
    systems: list[System] = Field(
        ["genezip"], min_length=1, description="runs that have it: those with a model of these"
    )
    published: str | None = Field(
        None, description="name of the table of published numbers in the package, without ending"
    )
    row: list[str] = Field(["model"], min_length=1, description="its columns that name a row")
    rows: dict[str, dict[str, str | list[str]]] = Field(
        {},
        description="row of that table -> names for braces; `model` is a list, of which the first "
        "that the run has is taken; rows that are left out have no number of ours",
    )
    file: str | None = Field(None, description="result file of all columns that name no other")
    where: dict[str, str] = Field({}, description="`where` of all columns with this file")
    columns: dict[str, Measured] = Field({}, description="column of that table -> our number")
    cells: dict[str, dict[str, Measured]] = Field(
        {}, description="row -> column -> our number, where it is not that of the column"
    )
    unlike: dict[str, str] = Field({}, description="column -> why there is no number of ours")
    verdicts: bool = Field(
        True, description="whether numbers are tested; false where ours are another quantity"
    )
    only_rows: bool = Field(
        False, description="whether rows of that table that are not in `rows` are left out"
    )
    other_rows: str = Field(
        "this system is not part of the workflow",
        description="why rows that are not in `rows` have no number of ours",
    )
    orders: list[Order] = Field([], description="comparisons that it makes")
    note: str = Field("", description="what a reader has to know")

    @model_validator(mode="after")
    def _files(self) -> Self:
        _check_file(self.file)
        for one in (*self._cells(), *(order.measured for order in self.orders)):
            _check_file(one.file)
            if one.file is None and self.file is None:
                raise ValueError("a number has no file; set file of the table or of the number")
        return self

    def _cells(self) -> list[Measured]:
        by_row = [one for cells in self.cells.values() for one in cells.values()]
        return [*self.columns.values(), *by_row]

    def whole(self, one: Measured) -> Measured:
        """A number with the file and the conditions that it takes from the table."""
        if one.file not in (None, self.file):
            return one
        where = {**self.where, **one.where}
        return one.model_copy(update={"file": self.file, "where": where})

    def cell(self, row: str, column: str) -> Measured | None:
        """Our number beside that of a row and column; None where there is none."""
        own = self.cells.get(row, {}).get(column) or self.columns.get(column)
        return None if own is None else self.whole(own)

    @property
    def files(self) -> list[str]:
        """All files that numbers are read from, each once."""
        measured = [*self._cells(), *(order.measured for order in self.orders)]
        return list(dict.fromkeys(str(self.whole(one).file) for one in measured))


Tables = dict[Key, PaperTable | None]
