"""Needs of every rule of the workflow: threads, GPUs, memory, time and environment.

Each rule has one default, a function of the scale, which a profile, ``--set-resources`` and
``--set-threads`` override. The numbers are for a full-size run on one GPU; most are generous
estimates.
"""

from dataclasses import dataclass, replace

from genezip.config.section import Scale


@dataclass(frozen=True)
class Needs:
    """Needs of one job of a rule.

    Attributes
    ----------
    threads : CPU cores
    gpu : GPUs
    mem_mb : memory (MB)
    runtime : wall time (minutes)
    """

    threads: int = 1
    gpu: int = 0
    mem_mb: int = 8_000
    runtime: int = 240

    @property
    def environment(self) -> str:
        """File of the conda environment, in ``envs``."""
        return "genezip-gpu.yaml" if self.gpu else "genezip.yaml"

    @property
    def resources(self) -> dict[str, int]:
        """Values of the directive ``resources``: GPUs are on one node, each with its cores."""
        found = {"gpu": self.gpu, "mem_mb": self.mem_mb, "runtime": self.runtime}
        return {**found, "nodes": 1, "cpus_per_gpu": self.threads} if self.gpu else found


OTHER = Needs()
FULL = {
    "pretrain": Needs(threads=8, gpu=1, mem_mb=64_000, runtime=2_880),
    "compress": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=720),
    "features": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=2_880),
    "predict": Needs(threads=8, gpu=1, mem_mb=64_000, runtime=2_880),
    "label_predictions": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "labels": Needs(mem_mb=16_000),
    "codon_phase": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "masked": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "masked_markov": Needs(mem_mb=16_000),
    "ggrams": Needs(mem_mb=32_000, runtime=480),
    "pretrain_words": Needs(threads=8, gpu=1, mem_mb=64_000, runtime=2_880),
    "masked_words": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "word_floors": Needs(mem_mb=16_000),
    "word_vocabulary": Needs(mem_mb=32_000, runtime=480),
    "alignment": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "compress_trivially": Needs(mem_mb=16_000, runtime=480),
    "markov": Needs(mem_mb=16_000),
    "compression": Needs(mem_mb=16_000),
    "locus": Needs(mem_mb=16_000),
    "repeats": Needs(mem_mb=16_000, runtime=480),
    "prepare": Needs(mem_mb=16_000, runtime=720),
    "task_baselines": Needs(mem_mb=16_000, runtime=720),
    "score": Needs(mem_mb=16_000, runtime=720),
}
"""Rule -> its needs at full scale; other rules have :data:`OTHER`."""
SMALL = 60  # most minutes of a job at a small scale


def needs(rule: str, scale: Scale) -> Needs:
    """Needs of a rule at a scale.

    At small scales models are trained side by side on CPUs, with one thread each.
    """
    found = FULL.get(rule, OTHER)
    if scale == "full":
        return found
    return replace(found, threads=1, gpu=0, mem_mb=min(found.mem_mb, OTHER.mem_mb), runtime=SMALL)
