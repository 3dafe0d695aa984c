"""GeneZip: region-aware compression of DNA, and comparison of ways to cut DNA into tokens.

``import genezip as gz``; ``gz.load(folder).encode(["ACGT..."])`` turns DNA into tokens. The names
in ``__all__`` are the public interface (docs/api.md); everything else may move without notice.
The command ``genezip`` and the Snakemake workflow build everything from genome download to report.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genezip import models, tasks
    from genezip.config import Regions
    from genezip.corpus.corpus import CorpusReader as Corpus
    from genezip.errors import GenezipError
    from genezip.genome.assembly import ReferenceGenome as Genome
    from genezip.genome.gene_models import Annotation, read_gene_models
    from genezip.genome.region_map import RegionMap
    from genezip.genome.region_rules import build_region_map
    from genezip.genome.sources.source import Source
    from genezip.inference.embedding.embed import embed_regions
    from genezip.inference.fasta import compress_fasta
    from genezip.inference.table import read_compressed
    from genezip.inference.variants.score import score_variants
    from genezip.models import load
    from genezip.models.base import Compressor, PlainCompressor, Stream, ids_of
    from genezip.models.compressed import Compressed, Embedding, Likelihood, tokens_at
    from genezip.models.genezip.compressor import GeneZip
    from genezip.region_classes import RegionClasses
    from genezip.tasks.base import Task
    from genezip.tasks.classification.sets import labelled
    from genezip.tasks.classification.task import LabelledSequences
    from genezip.view.picture import Picture
    from genezip.view.plot import plot_region

__version__ = "0.1.0"
__all__ = [
    "Annotation",
    "Compressed",
    "Compressor",
    "Corpus",
    "Embedding",
    "GeneZip",
    "GenezipError",
    "Genome",
    "LabelledSequences",
    "Likelihood",
    "Picture",
    "PlainCompressor",
    "RegionClasses",
    "RegionMap",
    "Regions",
    "Source",
    "Stream",
    "Task",
    "__version__",
    "build_region_map",
    "compress_fasta",
    "embed_regions",
    "ids_of",
    "labelled",
    "load",
    "models",
    "plot_region",
    "read_compressed",
    "read_gene_models",
    "score_variants",
    "tasks",
    "tokens_at",
]

# Module of each name. A name is imported on first use, so that genome tools and --help start fast:
# importing torch alone takes seconds.
_HOMES = {
    "Annotation": "genezip.genome.gene_models:Annotation",
    "Compressed": "genezip.models.compressed:Compressed",
    "Compressor": "genezip.models.base:Compressor",
    "Corpus": "genezip.corpus.corpus:CorpusReader",
    "Embedding": "genezip.models.compressed:Embedding",
    "GeneZip": "genezip.models.genezip.compressor:GeneZip",
    "GenezipError": "genezip.errors:GenezipError",
    "Genome": "genezip.genome.assembly:ReferenceGenome",
    "LabelledSequences": "genezip.tasks.classification.task:LabelledSequences",
    "Likelihood": "genezip.models.compressed:Likelihood",
    "Picture": "genezip.view.picture:Picture",
    "PlainCompressor": "genezip.models.base:PlainCompressor",
    "RegionClasses": "genezip.region_classes:RegionClasses",
    "RegionMap": "genezip.genome.region_map:RegionMap",
    "Regions": "genezip.config:Regions",
    "Source": "genezip.genome.sources.source:Source",
    "Stream": "genezip.models.base:Stream",
    "Task": "genezip.tasks.base:Task",
    "build_region_map": "genezip.genome.region_rules:build_region_map",
    "compress_fasta": "genezip.inference.fasta:compress_fasta",
    "embed_regions": "genezip.inference.embedding.embed:embed_regions",
    "ids_of": "genezip.models.base:ids_of",
    "labelled": "genezip.tasks.classification.sets:labelled",
    "load": "genezip.models:load",
    "models": "genezip.models",
    "plot_region": "genezip.view.plot:plot_region",
    "read_compressed": "genezip.inference.table:read_compressed",
    "read_gene_models": "genezip.genome.gene_models:read_gene_models",
    "score_variants": "genezip.inference.variants.score:score_variants",
    "tasks": "genezip.tasks",
    "tokens_at": "genezip.models.compressed:tokens_at",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'genezip' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return __all__
