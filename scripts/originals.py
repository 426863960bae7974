"""Run the code of MOSES 0.3.1 or GuacaMol 0.5.5 as it is on current libraries.

Run by scripts/verify_metrics.py and verify_pmo.py in an environment that has those packages:

    python scripts/originals.py moses generated.txt train.txt result.json
    python scripts/originals.py guacamol generated.txt train.txt result.json
    python scripts/originals.py oracles molecules.txt result.json

The text files hold a SMILES a line. Nothing of the packages is changed; what they call and is gone
from the libraries is put back before they are imported.
"""

from __future__ import annotations

import json
import sys
import time
import types
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
from rdkit import RDLogger
from rdkit.Chem import AllChem, rdFingerprintGenerator

WORKERS = 2


def put_back_what_is_gone() -> None:
    """Names that the originals use and that current libraries no longer have."""
    warnings.simplefilter("ignore")
    RDLogger.DisableLog("rdApp.*")
    np.NaN = np.nan  # noqa: NPY201
    np.row_stack = np.vstack  # noqa: NPY201
    scipy.histogram = np.histogram
    pd.DataFrame.append = lambda one, other, **options: pd.concat([one, other], **options)
    six = types.ModuleType("rdkit.six")
    six.iteritems = dict.items
    sys.modules["rdkit.six"] = six
    generators = {}

    def bit_vector(molecule, radius, nBits=2048, **_):  # noqa: N803
        if (radius, nBits) not in generators:
            generators[radius, nBits] = rdFingerprintGenerator.GetMorganGenerator(
                radius=radius, fpSize=nBits
            )
        return generators[radius, nBits].GetFingerprint(molecule)

    if not hasattr(AllChem, "GetMorganFingerprintAsBitVect"):
        AllChem.GetMorganFingerprintAsBitVect = bit_vector


def moses(generated: list[str], train: list[str]) -> dict[str, float]:
    """All metrics of MOSES against the statistics that its wheel ships."""
    from moses.dataset import get_statistics
    from moses.metrics import FragMetric, ScafMetric, remove_invalid
    from moses.metrics import metrics as module

    start = time.perf_counter()
    found = {
        name: float(value)
        for name, value in module.get_all_metrics(generated, n_jobs=WORKERS, train=train).items()
    }
    found["seconds"] = time.perf_counter() - start
    # The same two in floating point: MOSES multiplies counts as 64-bit integers.
    integers = module.cos_similarity

    def in_floats(reference: dict, counts: dict) -> float:
        return integers(*({key: float(n) for key, n in one.items()} for one in (reference, counts)))

    module.cos_similarity = in_floats
    valid = remove_invalid(generated)
    for name, metric in (("Frag", FragMetric), ("Scaf", ScafMetric)):
        counts = metric(n_jobs=1).precalc(valid)
        for called, split in (("Test", "test"), ("TestSF", "test_scaffolds")):
            shipped = get_statistics(split)[name]
            found[f"{name}/{called} in floats"] = float(metric(n_jobs=1).metric(shipped, counts))
    return found


def guacamol(generated: list[str], train: list[str]) -> dict[str, float]:
    """GuacaMol's KL divergences and FCD score."""
    from guacamol.distribution_learning_benchmark import KLDivBenchmark
    from guacamol.frechet_benchmark import FrechetBenchmark

    class Given:
        """A generator that hands out given molecules in their order."""

        def __init__(self) -> None:
            self.rest = iter(generated)

        def generate(self, number_samples: int) -> list[str]:
            return list(islice(self.rest, number_samples))

    start = time.perf_counter()
    divergence = KLDivBenchmark(10_000, train).assess_model(Given())
    frechet = FrechetBenchmark(
        train, chemnet_model_filename="ChemNet_v0.13_pretrained.pt", sample_size=10_000
    ).assess_model(Given())
    return {
        "KL score": float(divergence.score),
        **{f"KL/{name}": float(one) for name, one in divergence.metadata["kl_divs"].items()},
        "FCD score": float(frechet.score),
        "seconds": time.perf_counter() - start,
    }


def oracles(molecules: list[str]) -> dict[str, list[float]]:
    """GuacaMol's oracles that PMO uses: name to the scores of the molecules, and the seconds."""
    from guacamol import standard_benchmarks as guacamol

    start = time.perf_counter()
    suite = {
        "albuterol_similarity": guacamol.similarity(
            "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1", "Albuterol", "FCFP4", 0.75
        ),
        "amlodipine_mpo": guacamol.amlodipine_rings(),
        "celecoxib_rediscovery": guacamol.similarity(
            "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F", "Celecoxib", "ECFP4", 1.0
        ),
        "deco_hop": guacamol.decoration_hop(),
        "fexofenadine_mpo": guacamol.hard_fexofenadine(),
        "isomers_c7h8n2o2": guacamol.isomers_c7h8n2o2(),
        "isomers_c9h10n2o2pf2cl": guacamol.isomers_c9h10n2o2pf2cl(),
        "median1": guacamol.median_camphor_menthol(),
        "median2": guacamol.median_tadalafil_sildenafil(),
        "mestranol_similarity": guacamol.similarity(
            "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1", "Mestranol", "AP", 0.75
        ),
        "osimertinib_mpo": guacamol.hard_osimertinib(),
        "perindopril_mpo": guacamol.perindopril_rings(),
        "qed": guacamol.qed_benchmark(),
        "ranolazine_mpo": guacamol.ranolazine_mpo(),
        "scaffold_hop": guacamol.scaffold_hop(),
        "sitagliptin_mpo": guacamol.sitagliptin_replacement(),
        "thiothixene_rediscovery": guacamol.similarity(
            "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1", "Thiothixene", "ECFP4", 1.0
        ),
        "troglitazone_rediscovery": guacamol.similarity(
            "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O", "Troglitazone", "ECFP4", 1.0
        ),
        "valsartan_smarts": guacamol.valsartan_smarts(),
        "zaleplon_mpo": guacamol.zaleplon_with_other_formula(),
    }
    found = {
        name: [float(one) for one in benchmark.objective.score_list(molecules)]
        for name, benchmark in suite.items()
    }
    return found | {"seconds": [time.perf_counter() - start]}


if __name__ == "__main__":
    put_back_what_is_gone()
    which, *paths, target = sys.argv[1:]
    lists = [Path(path).read_text(encoding="utf-8").split("\n") for path in paths]
    run = {"moses": moses, "guacamol": guacamol, "oracles": oracles}[which]
    Path(target).write_text(json.dumps(run(*lists)))
