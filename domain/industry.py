"""The 24 industries of the accounting guidelines, and the editions under which each may be accounted."""

from __future__ import annotations

from dataclasses import dataclass

EDITIONS = (
    "ndrc-2013",
    "ndrc-2014",
    "ndrc-2015",
    "mee-2021",
    "mee-2022",
    "mee-2022-12",
    "mee-2024",
    "mee-2025",
    "gbt-32151",
)


@dataclass(frozen=True, slots=True)
class Industry:
    """An industry with a guideline: `editions` begins with the guideline's own."""

    code: str
    name_zh: str
    editions: tuple[str, ...]


_GBT = ("gbt-32151",)  # the industries that a part of GB/T 32151 covers

INDUSTRIES: dict[str, Industry] = {
    industry.code: industry
    for industry in (
        Industry("power_generation", "发电", ("ndrc-2013", "mee-2021", "mee-2022", "mee-2022-12", *_GBT)),
        Industry("power_grid", "电网", ("ndrc-2013", *_GBT)),
        Industry("steel", "钢铁", ("ndrc-2013", "mee-2025", *_GBT)),
        Industry("chemicals", "化工", ("ndrc-2013", *_GBT)),
        Industry("aluminium", "电解铝", ("ndrc-2013", "mee-2024", *_GBT)),
        Industry("magnesium", "镁冶炼", ("ndrc-2013", *_GBT)),
        Industry("flat_glass", "平板玻璃", ("ndrc-2013", *_GBT)),
        Industry("cement", "水泥", ("ndrc-2013", "mee-2024", *_GBT)),
        Industry("ceramics", "陶瓷", ("ndrc-2013", *_GBT)),
        Industry("civil_aviation", "民航", ("ndrc-2013", *_GBT)),
        Industry("oil_gas", "石油和天然气生产", ("ndrc-2014", *_GBT)),
        Industry("petrochemicals", "石油化工", ("ndrc-2014", *_GBT)),
        Industry("coking", "独立焦化", ("ndrc-2014", *_GBT)),
        Industry("coal", "煤炭生产", ("ndrc-2014", *_GBT)),
        Industry("paper", "造纸和纸制品", ("ndrc-2015",)),
        Industry("nonferrous", "其他有色金属冶炼和压延", ("ndrc-2015", *_GBT)),
        Industry("electronics", "电子设备制造", ("ndrc-2015",)),
        Industry("machinery", "机械设备制造", ("ndrc-2015",)),
        Industry("mining", "矿山", ("ndrc-2015",)),
        Industry("food", "食品、烟草及酒、饮料和精制茶", ("ndrc-2015",)),
        Industry("public_buildings", "公共建筑运营", ("ndrc-2015",)),
        Industry("land_transport", "陆上交通运输", ("ndrc-2015",)),
        Industry("fluorochemicals", "氟化工", ("ndrc-2015", *_GBT)),
        Industry("other_industry", "工业其他行业", ("ndrc-2015",)),
    )
}
