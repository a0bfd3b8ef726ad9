"""The formula of each kind of source in methods/kinds.toml: `Inputs` to the `Linear` form of its emissions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from accounting.factors import formulas_carbon as carbon
from accounting.factors import formulas_gases as gases
from accounting.factors import formulas_process as process
from accounting.factors.inputs import Inputs
from accounting.factors.linear import Linear

Formula = Callable[[Inputs], Linear]

KINDS: Mapping[str, Formula] = MappingProxyType(
    {
        "combustion": carbon.combustion,
        "blended_fuel": carbon.blended_fuel,
        "alternative_fuel": carbon.alternative_fuel,
        "vehicle_distance": carbon.vehicle_distance,
        "carbon_in": carbon.carbon_mass,
        "carbon_out": carbon.carbon_mass,
        "feedstock": carbon.feedstock,
        "coke_burn": carbon.coke_burn,
        "catalyst_regeneration": carbon.catalyst_regeneration,
        "flare": carbon.flare,
        "flare_with_ch4": carbon.flare_with_ch4,
        "flare_by_duration": carbon.flare_by_duration,
        "flare_by_carbon_number": carbon.flare_by_carbon_number,
        "flare_without_co2": carbon.flare_without_co2,
        "factor": process.factor,
        "energy": process.factor,
        "carbonate": process.carbonate,
        "carbonation": process.carbonation,
        "oxide_calcination": process.oxide_calcination,
        "body_carbonate": process.body_carbonate,
        "anode_consumption": process.anode_consumption,
        "gas_volume_co2": process.gas_volume_co2,
        "pure_co2": process.pure_co2,
        "acid_gas_removal": process.acid_gas_removal,
        "furnace_decoking": process.furnace_decoking,
        "co2_loss": process.co2_loss,
        "urea": process.urea,
        "shielding_gas": process.shielding_gas,
        "gas_volume_ch4": gases.gas_volume_ch4,
        "pure_ch4": gases.pure_ch4,
        "ch4_own_use": gases.ch4_own_use,
        "ch4_flared": gases.ch4_flared,
        "vent_by_duration": gases.vent_by_duration,
        "facility_ch4": gases.facility_ch4,
        "gas_throughput_ch4": gases.gas_throughput_ch4,
        "oil_throughput_ch4": gases.oil_throughput_ch4,
        "activity_ch4": gases.activity_ch4,
        "wastewater_ch4": gases.wastewater_ch4,
        "wastewater_ch4_gross": gases.wastewater_ch4_gross,
        "vehicle_exhaust": gases.vehicle_exhaust,
        "nitrous_oxide": gases.nitrous_oxide,
        "sf6_equipment": gases.sf6_equipment,
        "anode_effect_cf4": gases.anode_effect_cf4,
        "anode_effect_c2f6": gases.anode_effect_c2f6,
        "etching_gas": gases.etching_gas,
        "etching_byproduct": gases.etching_byproduct,
        "equipment_stock": gases.equipment_stock,
        "connection_leakage": gases.connection_leakage,
        "hcfc22_production": gases.hcfc22_production,
        "hfc23_destruction": gases.hfc23_destruction,
        "fgas_production": gases.fgas_production,
    }
)


def linear_form(inputs: Inputs) -> Linear:
    """The formula of the inputs' method, applied. Values that can't be had are in `inputs.faults` afterwards."""
    return KINDS[inputs.method.kind](inputs)
