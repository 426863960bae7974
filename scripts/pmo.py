"""The 20 oracles of the PMO benchmark that need RDKit alone. A new one is a line in `PARTS`.

Gao et al., 2022 (arXiv:2206.12411) took them from GuacaMol (Brown et al., 2019,
doi:10.1021/acs.jcim.8b00839), whose definitions these are. The three others of the benchmark, DRD2,
GSK3B and JNK3, are classifiers. `verify_pmo.py` compares all 20 with GuacaMol's own code.
"""

from __future__ import annotations

from collections.abc import Callable

from pmo_parts import (
    ATOM_PAIRS,
    ECFP4,
    ECFP6,
    FCFP4,
    PHARMACOPHORES,
    Part,
    at_least,
    at_most,
    average,
    between,
    elements,
    enough,
    gaussian,
    has,
    isomer,
    lacks,
    like,
    product,
    same,
    value,
)
from rdkit.Chem import QED, Crippen, GraphDescriptors, rdMolDescriptors

from molvae.chem.molecules import parse

TARGETS = {
    "albuterol": "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1",
    "amlodipine": r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC",
    "camphor": "CC1(C)C2CCC1(C)C(=O)C2",
    "celecoxib": "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F",
    "fexofenadine": "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4",
    "menthol": "CC(C)C1CCC(C)CC1O",
    "mestranol": "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1",
    "osimertinib": "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34",
    "perindopril": "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC",
    "quinazoline": "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C",
    "ranolazine": "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2",
    "sildenafil": "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C",
    "sitagliptin": "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F",
    "tadalafil": "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C",
    "thiothixene": "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1",
    "troglitazone": "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O",
    "zaleplon": "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1",
}
"""The molecules that oracles compare with; "quinazoline" is the one that has no name of its own."""

SCAFFOLD = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"
DECORATION = "[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"

_logp, _tpsa, _bertz = Crippen.MolLogP, rdMolDescriptors.CalcTPSA, GraphDescriptors.BertzCT
_rings, _aromatic = rdMolDescriptors.CalcNumRings, rdMolDescriptors.CalcNumAromaticRings
_t = TARGETS

PARTS: dict[str, Part] = {
    "albuterol_similarity": like(_t["albuterol"], FCFP4, enough(0.75)),
    "amlodipine_mpo": product(like(_t["amlodipine"], ECFP4), value(_rings, gaussian(3, 0.5))),
    "celecoxib_rediscovery": like(_t["celecoxib"], ECFP4),
    "deco_hop": average(
        like(_t["quinazoline"], PHARMACOPHORES, enough(0.85)),
        lacks("CS([#6])(=O)=O"),
        lacks("[#7]-c1ccc2ncsc2c1"),
        has(SCAFFOLD),
    ),
    "fexofenadine_mpo": product(
        like(_t["fexofenadine"], ATOM_PAIRS, enough(0.8)),
        value(_tpsa, at_least(90, 10)),
        value(_logp, at_most(4, 1)),
    ),
    "isomers_c7h8n2o2": isomer("C7H8N2O2"),
    "isomers_c9h10n2o2pf2cl": isomer("C9H10N2O2PF2Cl"),
    "median1": between(_t["camphor"], _t["menthol"], ECFP4),
    "median2": between(_t["tadalafil"], _t["sildenafil"], ECFP6),
    "mestranol_similarity": like(_t["mestranol"], ATOM_PAIRS, enough(0.75)),
    "osimertinib_mpo": product(
        like(_t["osimertinib"], FCFP4, enough(0.8)),
        like(_t["osimertinib"], ECFP6, at_most(0.85, 0.1)),
        value(_tpsa, at_least(100, 10)),
        value(_logp, at_most(1, 1)),
    ),
    "perindopril_mpo": product(like(_t["perindopril"], ECFP4), value(_aromatic, gaussian(2, 0.5))),
    "qed": value(QED.qed),
    "ranolazine_mpo": product(
        like(_t["ranolazine"], ATOM_PAIRS, enough(0.7)),
        value(_logp, at_least(7, 1)),
        value(_tpsa, at_least(95, 20)),
        value(lambda molecule: elements(molecule)["F"], gaussian(1, 1)),
    ),
    "scaffold_hop": average(
        like(_t["quinazoline"], PHARMACOPHORES, enough(0.75)), has(DECORATION), lacks(SCAFFOLD)
    ),
    "sitagliptin_mpo": product(
        like(_t["sitagliptin"], ECFP4, gaussian(0, 0.1)),
        same(_logp, _t["sitagliptin"], 0.2),
        same(_tpsa, _t["sitagliptin"], 5),
        isomer("C16H15F6N5O"),
    ),
    "thiothixene_rediscovery": like(_t["thiothixene"], ECFP4),
    "troglitazone_rediscovery": like(_t["troglitazone"], ECFP4),
    "valsartan_smarts": product(
        has("CN(C=O)Cc1ccc(c2ccccc2)cc1"),
        same(_logp, _t["sitagliptin"], 0.2),
        same(_tpsa, _t["sitagliptin"], 5),
        same(_bertz, _t["sitagliptin"], 30),
    ),
    "zaleplon_mpo": product(like(_t["zaleplon"], ECFP4), isomer("C19H17N3O2")),
}
"""Name to what scores a molecule."""


def _of_smiles(part: Part) -> Callable[[str], float]:
    return lambda smiles: float(part(parse(smiles)))


ORACLES: dict[str, Callable[[str], float]] = {
    name: _of_smiles(part) for name, part in PARTS.items()
}
"""Name to what scores a canonical SMILES, 0 to 1. MoleculeError for what is no molecule."""
