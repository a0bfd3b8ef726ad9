"""The words of a report in Chinese and English. A guideline's own terms where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("企业温室气体排放报告", "Greenhouse gas emissions report"),
    "inventory_title": ("温室气体排放核算", "Greenhouse gas inventory"),
    "as_of": ("账面时点", "books as of"),
    "page": ("第 {page} 页，共 {pages} 页", "page {page} of {pages}"),
    "hash": ("报告 SHA-256：{hash}", "report SHA-256: {hash}"),
    "none": ("无", "none"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    # who reports
    "reporter": ("报告主体", "Reporting enterprise"),
    "item": ("项目", "item"),
    "value": ("数值", "value"),
    "uscc": ("统一社会信用代码", "unified social credit code"),
    "name": ("企业名称", "name"),
    "industry": ("适用指南行业", "guideline industry"),
    "gb_t_4754": ("国民经济行业代码（GB/T 4754）", "GB/T 4754 code"),
    "district": ("行政区划代码", "district code"),
    "park": ("所在园区", "park"),
    "grid": ("电力因子口径", "basis of the electricity factor"),
    "flags": ("企业属性", "flags"),
    "period": ("报告期", "period"),
    "not_complete": ("报告期尚未结束", "the period has not ended yet"),
    "edition_of": ("{boundary}的核算依据", "edition for the {boundary}"),
    "account": ("企业碳账户", "account"),
    "ets": ("全国碳市场", "emissions trading (ETS)"),
    # table 1
    "table1": ("表1 报告主体排放量汇总", "Table 1 Emissions of the enterprise"),
    "table1_sources": ("表1-1 分排放源排放量", "Table 1-1 Emissions by source"),
    "total": ("排放总量（tCO2e）", "total (tCO2e)"),
    "reported": ("填报值（tCO2e，按核算依据修约）", "as reported (tCO2e, rounded as the edition says)"),
    "gross": ("扣除前排放量（tCO2e）", "before deductions (tCO2e)"),
    "deductions": ("扣除量（tCO2e）", "deductions (tCO2e)"),
    "scope": ("范围", "scope"),
    "gas": ("气体", "gas"),
    "coverage": ("数据覆盖率", "coverage"),
    "estimated_share": ("估算数据所占排放份额", "share of emissions on estimated input"),
    "substituted_share": ("替代数据所占排放份额", "share of emissions on substituted input"),
    "estimated_or_substituted_share": (
        "估算或替代数据所占排放份额",
        "share of emissions on estimated or substituted input",
    ),
    "confidence_share": ("依据可信度 {mark} 级的排放份额", "share of emissions whose weakest mark is {mark}"),
    "shares_note": (
        "份额按各条目绝对值计算，扣除项不相互抵消；覆盖率不计替代数据。",
        "Shares are of the magnitudes of entries, so that deductions don't cancel; coverage leaves out what was"
        " substituted.",
    ),
    "exact_note": (
        "总量为各条目精确之和，修约前相加；千克列为精确值。",
        "Totals are exact sums of entries, added before rounding; the kilogram columns are exact.",
    ),
    "source": ("排放源", "source"),
    "method": ("排放类别", "category"),
    "fuel_or_material": ("燃料或物料", "fuel or material"),
    "account_tco2e": ("碳账户 tCO2e", "account tCO2e"),
    "ets_tco2e": ("碳市场 tCO2e", "ETS tCO2e"),
    "account_kg": ("碳账户 kg（精确）", "account kg (exact)"),
    "ets_kg": ("碳市场 kg（精确）", "ETS kg (exact)"),
    "deduction": ("扣除项", "deduction"),
    # table 2
    "table2": ("表2 活动水平数据", "Table 2 Activity data"),
    "table2_months": ("表2-1 活动水平分月数据", "Table 2-1 Activity data by month"),
    "table2_origins": (
        "表2-2 活动水平数据来源（计量器具）",
        "Table 2-2 Origin of activity data: meters and channels",
    ),
    "expression": ("计算式", "sum"),
    "amount": ("活动水平", "amount"),
    "unit": ("单位", "unit"),
    "converted": ("换算值", "converted"),
    "substitution": ("替代规则", "substitution rule"),
    "channel": ("数据通道", "channel"),
    "sign": ("符号", "sign"),
    "meter": ("计量器具", "meter"),
    "quantity": ("计量量", "quantity"),
    "kind": ("读数类型", "kind"),
    "multiplier": ("倍率", "multiplier"),
    "resolution": ("分辨力", "resolution"),
    "derived": ("导出函数", "derived by"),
    # table 3
    "table3": ("表3 排放因子和计算系数", "Table 3 Emission factors and parameters"),
    "table3_factors": ("表3-1 采用的计算公式与因子", "Table 3-1 Formulas and factors used"),
    "table3_means": (
        "表3-2 年内变化参数的加权平均值",
        "Table 3-2 Weighted means of what changed within the year",
    ),
    "figure": ("参数", "parameter"),
    "days": ("适用日期", "days"),
    "origin": ("取值方式", "origin"),
    "reference": ("来源", "reference"),
    "edition": ("版本", "edition"),
    "mark": ("可信度", "mark"),
    "boundary": ("边界", "boundary"),
    "formula": ("公式", "formula"),
    "clause": ("条款", "clause"),
    "document": ("文件", "document"),
    "factor_value": ("tCO2e/单位", "tCO2e per unit"),
    "tco2e": ("tCO2e", "tCO2e"),
    "provisional": ("暂用", "provisional"),
    "values": ("取值个数", "values"),
    "mean": ("加权平均值", "weighted mean"),
    "weights": ("权重", "weights"),
    # energy, products
    "table4": ("表4 净购入电力和热力", "Table 4 Electricity and heat, bought and passed on"),
    "carrier": ("能源", "carrier"),
    "electricity": ("电力", "electricity"),
    "heat": ("热力", "heat"),
    "direction": ("方向", "direction"),
    "purchased": ("购入", "purchased"),
    "exported": ("输出", "exported"),
    "net": ("净购入", "net"),
    "effective_factor": ("平均因子 tCO2/单位", "mean factor, tCO2 per unit"),
    "table5": ("表5 产品产量与排放强度", "Table 5 Products and intensity"),
    "product": ("产品", "product"),
    "quality": ("质量", "quality"),
    "account_intensity": ("碳账户 kgCO2e/单位", "account kgCO2e per unit"),
    "ets_intensity": ("碳市场 kgCO2e/单位", "ETS kgCO2e per unit"),
    # quality
    "table6": ("表6 数据质量", "Table 6 Data quality"),
    "expected": ("应有时段", "expected"),
    "known_short": ("已知", "known"),
    "measured": ("实测", "measured"),
    "interpolated": ("内插", "interpolated"),
    "estimated": ("估算", "estimated"),
    "substituted": ("替代", "substituted"),
    "missing": ("缺失", "missing"),
    "table6_substitutions": ("表6-1 替代数据", "Table 6-1 What was substituted"),
    "replaced": ("被替代项", "replaced"),
    "original": ("原值", "before"),
    "effect": ("影响 tCO2e", "effect, tCO2e"),
    "substitutions_note": (
        "影响：替代参数与此前最近一次数值之差，或全部补足的排放量。",
        "The effect is against the last earlier figures, or all that was filled.",
    ),
    "table7": (
        "表7 可信度为 M、L 级或暂用的依据",
        "Table 7 Figures marked M or L, and provisional ones",
    ),
    "marks_note": (
        "H：取自指南或标准原文；M：取自一份二手资料或长期通用；L：待核对；暂用：待当年数值发布后重述。",
        "H: read in the guideline or standard itself; M: one secondary source, or long use; L: to be checked;"
        " provisional: restated once the year's figure appears.",
    ),
    # an inventory by a document
    "number": ("序号", "no."),
    "reported_short": ("填报值", "as reported"),
    "uncertainty": ("碳账户不确定度（±%，95%）", "uncertainty of the account (± %, at 95 %)"),
    "inventory_totals": ("排放量汇总", "Totals"),
    "inventory_activities": ("活动水平与排放量", "Activities and what they emit"),
    "inventory_figures": ("排放因子和计算系数", "Factors and parameters"),
    "inventory_warnings": ("提示", "To know"),
    "period_half_open": ("核算期 {first} 至 {end}（不含）", "from {first} to {end}, which isn't in it"),
    "place": ("位置", "place"),
    "message": ("内容", "message"),
    # findings
    "table8": ("表8 数据校核发现", "Table 8 Findings of the checks between channels"),
    "finding": ("校核规则", "check"),
    "severity": ("严重程度", "severity"),
    "high": ("高", "high"),
    "medium": ("中", "medium"),
    "low": ("低", "low"),
    "subject": ("对象", "subject"),
    "finding_period": ("时段", "period"),
    "finding_days": ("天数", "days"),
    "doubt": ("存疑 tCO2e", "tCO2e in doubt"),
    "state": ("状态", "state"),
    "open": ("待处理", "open"),
    "explained": ("已说明", "explained"),
    "settled": ("已了结", "settled"),
    "explanation": ("说明", "explanation"),
    "findings_note": (
        "校核发现本身不改变任何数值。",
        "Findings change no figure by themselves.",
    ),
    # what was stated by rows of a file
    "table9": ("表9 填报数据核算", "Table 9 Stated by rows of a file"),
    "table9_note": (
        "企业填报的年度数据（文件 {file}，{by}，{at}，第 {number} 版），与仪表数据并列，不相加。",
        "The year as it was stated (file {file}, {by}, {at}, version {number}), beside what the meters tell; the two"
        " are never added up.",
    ),
    "statement_provenance": ("数据性质", "provenance"),
    "reported_provenance": ("已填报", "reported"),
    "verified": ("已核查", "verified"),
    # provenance
    "provenance": ("数据溯源", "Provenance"),
    "run": ("核算批次", "run of accounting"),
    "run_committed_at": ("批次时间", "run committed at"),
    "registry_version": ("台账版本", "registry version"),
    "rules_versions": ("核算规则版本", "rules version"),
    "factor_sets": ("因子集（SHA-256）", "factor set (SHA-256)"),
    "ledger_sha256": ("账目 SHA-256（表1至表3）", "ledger SHA-256 (tables 1 to 3)"),
    "sha256": ("报告 SHA-256", "report SHA-256"),
    "software": ("软件", "software"),
}

# What is shown as it is called in English: origins of figures, kinds of readings, flags, bases.
_CODES: Mapping[str, str] = {
    "measured": "实测",
    "contract": "合同约定",
    "given": "登记值",
    "guideline default": "指南缺省值",
    "guideline default of an earlier edition": "较早版本缺省值",
    "published for the year": "当年公布",
    "older vintage": "较早年份",
    "register": "累计值",
    "delta": "时段量",
    "rate": "瞬时值",
    "gap": "间断",
    "rollover": "翻转",
    "reset": "归零",
    "restart": "重新起算",
    "replaced": "换表",
    "negative": "负值",
    "late": "迟到",
    "conflict": "冲突",
    "implausible": "不可信",
    "substituted": "替代",
    "receipt time": "接收时刻",
    "province": "省级",
    "region": "区域",
    "national": "全国",
    "key": "规上重点",
    "two high": "两高",
    "ets": "碳市场",
}


def text(key: str, language: str, **values: object) -> str:
    """A text by its key; what stands in braces is filled in."""
    return template(key, language).format(**values)


def template(key: str, language: str) -> str:
    """A text with its braces."""
    return _TEXTS[key][0 if language == Language.ZH else 1]


def code_text(code: str, language: str) -> str:
    """A code of a closed list: in Chinese by its name, in English as it is called."""
    words = code.replace("_", " ")
    return _CODES.get(words, code) if language == Language.ZH else words


def keys() -> list[str]:
    return list(_TEXTS)
