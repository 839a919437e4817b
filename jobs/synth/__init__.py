"""A synthetic country: deliveries as an operator makes them, and the truth that they under-observe."""

from jobs.synth.country import Country, build_country
from jobs.synth.dirt import Dirt, Reason
from jobs.synth.scenario import FLOOD, Scenario, read_scenario
from jobs.synth.synthesis import SynthesisReport, synthesise

__all__ = [
    "FLOOD",
    "Country",
    "Dirt",
    "Reason",
    "Scenario",
    "SynthesisReport",
    "build_country",
    "read_scenario",
    "synthesise",
]
