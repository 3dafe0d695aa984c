"""What every rule of the workflow needs: threads, GPUs, memory, time and an environment.

Each rule has one default, a function of the scale. A profile, ``--set-resources`` and
``--set-threads`` override it. The numbers are those of a run at full size on one GPU: most are
estimates from reading and arithmetic, with room.
"""

from dataclasses import dataclass, replace

from genezip.config.section import Scale


@dataclass(frozen=True)
class Needs:
    """What one job of a rule asks for.

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
        """File in ``envs`` with the libraries."""
        return "genezip-gpu.yaml" if self.gpu else "genezip.yaml"

    @property
    def resources(self) -> dict[str, int]:
        """What the directive ``resources`` takes: GPUs lie on one node, and each has its cores."""
        found = {"gpu": self.gpu, "mem_mb": self.mem_mb, "runtime": self.runtime}
        return {**found, "nodes": 1, "cpus_per_gpu": self.threads} if self.gpu else found


OTHER = Needs()
FULL = {
    "pretrain": Needs(threads=8, gpu=1, mem_mb=64_000, runtime=2_880),
    "compress": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=720),
    "features": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=2_880),
    "predict": Needs(threads=8, gpu=1, mem_mb=64_000, runtime=2_880),
    "labels": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "compress_trivially": Needs(mem_mb=16_000, runtime=480),
    "markov": Needs(mem_mb=16_000),
    "compression": Needs(mem_mb=16_000),
    "locus": Needs(mem_mb=16_000),
    "repeats": Needs(mem_mb=16_000, runtime=480),
    "prepare": Needs(mem_mb=16_000, runtime=720),
    "task_baselines": Needs(mem_mb=16_000, runtime=720),
    "score": Needs(mem_mb=16_000, runtime=720),
}
"""Rule -> its needs at full scale; a rule that is not here has :data:`OTHER`."""
SMALL = 60  # minutes that a job of a small scale takes at most


def needs(rule: str, scale: Scale) -> Needs:
    """What a rule needs at a scale.

    Small scales train their models side by side on CPUs, with one thread each.
    """
    found = FULL.get(rule, OTHER)
    if scale == "full":
        return found
    return replace(found, threads=1, gpu=0, mem_mb=min(found.mem_mb, OTHER.mem_mb), runtime=SMALL)
