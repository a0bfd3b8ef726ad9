"""The words of a template, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["zh", "en"]

_WORDS: Mapping[str, tuple[str, str]] = {
    "data": ("数据", "data"),
    "guide": ("#填表说明", "#guide"),
    "sources": ("#排放源", "#sources"),
    "fuels": ("#燃料", "#fuels"),
    "defaults": ("#缺省值", "#defaults"),
    "electricity": ("#电力因子", "#electricity"),
    "lists": ("#列表", "#lists"),
    "required": ("必填", "required"),
    "optional": ("选填", "optional"),
    "for people": ("仅供阅读，不核对", "for people, not checked"),
    "edition": (
        "选填；不填为 {edition}（或登记的版本）",
        "optional; left out: {edition}, or the registered one",
    ),
    "year": (
        "必填，如 2023；部分年度改用 from、to 两列",
        "required, such as 2023; part of a year: columns from and to",
    ),
    "source": ("必填，见“#排放源”", "required, see #sources"),
    "fuel": ("燃烧类必填，见“#燃料”", "required where fuel is burnt, see #fuels"),
    "material": ("按排放源，见“#缺省值”", "by source, see #defaults"),
    "amount": ("必填，不带千分位的数", "required, a number without separators"),
    "unit": ("必填", "required"),
    "provenance": (
        "必填：verified 核查、reported 申报、estimated 估算",
        "required: verified, reported or estimated",
    ),
    "reference": ("选填：发票、台账、检测报告编号", "optional: invoice, ledger, test report"),
    "parameter": ("不填用缺省值；适用：{sources}", "left out: the default; of {sources}"),
    "parameter optional": ("可不填；适用：{sources}", "may be left out; of {sources}"),
    "parameter required": ("必填：{required}", "required by {required}"),
    "example": ("示例：删去 # 即生效", "an example: remove the # to use it"),
    "source code": ("排放源代码", "source"),
    "source name": ("名称", "name"),
    "formula": ("计算公式", "formula"),
    "units": ("活动数据单位", "units of the amount"),
    "required parameters": ("必填参数", "required parameters"),
    "other parameters": ("可选参数（有缺省值或可不填）", "other parameters"),
    "gas": ("气体", "gas"),
    "scope": ("范围", "scope"),
    "boundary": ("核算边界", "boundary"),
    "deduction": ("扣减项", "deduction"),
    "yes": ("是", "yes"),
    "clause": ("指南条款", "clause"),
    "confidence": ("可信度", "confidence"),
    "code": ("代码", "code"),
    "Chinese name": ("中文名称", "Chinese name"),
    "English name": ("英文名称", "English name"),
    "value": ("数值", "value"),
    "value unit": ("单位", "unit"),
    "origin": ("来源", "source of the figure"),
    "from edition": ("版本", "edition"),
    "material code": ("燃料、原料、产品或工艺", "fuel, material, product or technology"),
    "parameter name": ("参数", "parameter"),
    "area": ("地区代码", "area"),
    "vintage": ("年份", "year"),
}

GUIDE: Mapping[Language, tuple[str, ...]] = {
    "zh": (
        "#{name}（{industry}）历史碳排放数据录入模板，核算版本 {edition}：{document}",
        "一行为一项活动。同一企业同一年份的各行合成一份核算；之后再导入同一企业同一年份，整年替换（旧版本保留可查）。",
        "企业须已登记。行业、地区、电网因子和版本取自登记信息。",
        "参数列名为“名称 [单位]”；同一参数可按任一列出的单位填写，不填则用指南缺省值，结果中注明来源。",
        "数值按原样保存：小数点用“.”，不用千分位；比例填小数（0.98，不是 98）。公式请粘贴为数值。",
        "数据性质：verified 核查、reported 申报、estimated 估算，逐行填写，随结果保存。",
        "首格以 # 开头的行、名称以 # 开头的工作表不读入。列可删减，次序不限。",
        "可信度：H 原文或两份独立资料，M 一份资料，L 待核实。",
    ),
    "en": (
        "#Template for the history of {name} ({industry}), edition {edition}: {document}",
        "A row is one activity. All rows of an enterprise and year make one inventory; importing that year again "
        "replaces all of it (earlier versions stay).",
        "The enterprise must be registered: industry, district, grid factor and edition come from the registry.",
        "Parameters are columns 'name [unit]', in whichever unit is offered; left out, the guideline's default holds "
        "and the answer says so.",
        "Values are kept as they are written: a point for decimals, no separators; shares as fractions (0.98, not 98). "
        "Paste formulas as values.",
        "Provenance, row by row: verified, reported or estimated; it is kept with the result.",
        "Rows whose first cell begins with # and sheets whose name does aren't read. Columns may be left out or moved.",
        "Confidence: H the text itself or two independent copies, M one source, L to be checked.",
    ),
}


def word(key: str, language: Language, **values: str) -> str:
    zh, en = _WORDS[key]
    return (zh if language == "zh" else en).format(**values)
