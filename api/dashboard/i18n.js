// Every word of the page, in English and Chinese. Terms are those of the accounting guidelines.

const STRINGS = {
  "brand": ["carbonmeter", "碳表"],
  "title": ["carbonmeter · carbon accounts", "碳表 · 企业碳账户"],
  "skip": ["Skip to the enterprise", "跳到企业详情"],
  "language": ["中文", "English"],
  "language.label": ["切换为中文", "Switch to English"],
  "theme.label": ["Switch between light and dark", "切换浅色与深色"],
  "key.change": ["Key", "密钥"],
  "key.title": ["API key", "API 密钥"],
  "key.why": [
    "Figures are shown to who holds a key of scope emissions:read. It stays in this tab and is forgotten when the tab closes.",
    "查看数据需要具有 emissions:read 权限的密钥。密钥只保存在此标签页，关闭即清除。"],
  "key.how": ["Made with", "生成方式"],
  "key.open": ["Show figures", "查看数据"],
  "key.refused": ["This key was refused.", "密钥被拒绝。"],
  "docs": ["API", "接口文档"],

  "status.live": ["live", "实时"],
  "status.behind": ["behind by {age}", "滞后 {age}"],
  "status.offline": ["server unreachable; showing {time}", "无法连接服务器；显示 {time} 的数据"],
  "status.waiting": ["server not ready yet", "服务尚未就绪"],
  "status.key": ["a key is needed", "需要密钥"],
  "status.none": ["no data yet", "暂无数据"],

  "city.heading": ["Emission rate now", "实时排放速率"],
  "city.district": ["District {code}", "行政区 {code}"],
  "city.choose": ["District", "行政区"],
  "city.quarter": ["quarter-hour {from}–{to}", "{from}–{to} 一刻钟"],
  "city.partial": ["{coverage} of the sources known", "已知排放源占 {coverage}"],
  "city.hour": ["Last hour", "近 1 小时"],
  "city.day": ["Last 24 h", "近 24 小时"],
  "city.coverage": ["Coverage 24 h", "24 小时覆盖率"],
  "city.until": ["Known until", "数据截至"],
  "city.chart": [
    "Emission rate of the last 24 hours by scope, tonnes CO2e an hour", "近 24 小时分范围排放速率，吨 CO2e/小时"],
  "city.empty": [
    "No quarter-hour is known yet. Figures appear a moment after the first readings of registered meters arrive.",
    "尚无任何一刻钟的数据。已登记仪表的首批读数到达后，数据随即出现。"],
  "city.note": [
    "Scope 1 and 2 stand side by side: a generator's fuel and its buyers' electricity are both in them.",
    "范围一与范围二并列：发电燃料与用户外购电力的排放同时计入。"],
  "scope": ["Scope {n}", "范围{n}"],
  "scope.1": ["Scope 1, 24 h", "范围一，24 小时"],
  "scope.2": ["Scope 2, 24 h", "范围二，24 小时"],

  "list.heading": ["Enterprises", "企业"],
  "list.search": ["Find an enterprise", "查找企业"],
  "list.empty": [
    "No enterprise is registered. Import a registry document: carbonmeter registry import FILE",
    "尚未登记企业。请导入登记文件：carbonmeter registry import FILE"],
  "list.none": ["No enterprise matches.", "没有匹配的企业。"],
  "list.day": ["24 h", "24 小时"],

  "report.of": ["Report of {year}", "{year} 年度报告"],
  "park": ["Park", "园区"],
  "uscc": ["USCC", "统一社会信用代码"],
  "flag.key": ["key enterprise", "规上重点"],
  "flag.two_high": ["two-high", "两高"],
  "flag.ets": ["ETS", "碳市场"],

  "window.24h": ["24 hours", "24 小时"],
  "window.7d": ["7 days", "7 天"],
  "window.30d": ["30 days", "30 天"],
  "window.12m": ["12 closed months", "近 12 个完整月"],
  "window.mtd": ["Month to date", "本月至今"],
  "window.ytd": ["Year to date", "本年至今"],
  "windows.heading": ["Rolling emissions", "滚动排放"],
  "coverage": ["coverage", "覆盖率"],

  "emissions.heading": ["Emissions by source", "分排放源排放"],
  "view.last24h": ["Last 24 hours", "近 24 小时"],
  "view.day": ["Day", "日"],
  "view.month": ["Month", "月"],
  "view.year": ["Year", "年"],
  "view.label": ["Period", "时段"],
  "view.previous": ["Previous", "上一个"],
  "view.next": ["Next", "下一个"],
  "view.latest": ["Latest", "最新"],
  "view.chart": ["Chart", "图"],
  "view.table": ["Table", "表"],
  "view.as": ["Show as", "显示为"],
  "boundary": ["Boundary", "核算边界"],
  "boundary.account": ["Carbon account", "碳账户"],
  "boundary.ets": ["ETS", "碳市场"],
  "net": ["Net", "净排放"],
  "gross": ["Emitted", "排放"],
  "deductions": ["Deducted", "扣减"],
  "total": ["Total", "合计"],
  "per.15m": ["per quarter-hour", "每刻钟"],
  "per.hour": ["per hour", "每小时"],
  "per.day": ["per day", "每日"],
  "per.month": ["per month", "每月"],
  "emissions.empty": ["Nothing is known of this period.", "该时段没有已知数据。"],
  "emissions.go": ["Go to {period}", "转到 {period}"],
  "emissions.ets": ["No source of this enterprise lies in this boundary.", "该企业没有属于此边界的排放源。"],
  "emissions.hint": ["Choose a bar to see where its figure comes from.", "点选柱形，查看该数字的来源。"],
  "lane": ["Quality of the data in each period", "各时段数据质量"],
  "missing.band": ["no data", "无数据"],
  "missing.part": ["incomplete", "不完整"],
  "period": ["Period", "时段"],
  "source": ["Source", "排放源"],
  "share": ["Share", "占比"],
  "amount": ["Amount", "数量"],
  "quality": ["Quality", "质量"],
  "flags": ["Flags", "标记"],
  "factor": ["Factor in force", "现行因子"],
  "sources.heading": ["Sources and factors", "排放源与因子"],

  "quality.measured": ["measured", "实测"],
  "quality.interpolated": ["interpolated", "插值"],
  "quality.estimated": ["estimated", "估算"],
  "quality.missing": ["missing", "缺失"],
  "sent.estimate": ["device's estimate", "设备估计"],
  "sent.invalid": ["invalid", "无效"],
  "coverage.of": ["{coverage} known", "已知 {coverage}"],

  "flag.gap": ["gap", "间断"],
  "flag.rollover": ["rollover", "翻转"],
  "flag.reset": ["reset", "归零"],
  "flag.restart": ["restart", "重新起算"],
  "flag.replaced": ["meter replaced", "换表"],
  "flag.negative": ["negative", "负值"],
  "flag.late": ["late", "迟到"],
  "flag.conflict": ["conflict", "冲突"],
  "flag.implausible": ["implausible", "不可信"],
  "flag.substituted": ["substituted", "替代"],
  "flag.receipt_time": ["time of receipt", "接收时刻"],

  "confidence.H": ["H: read in the standard itself", "H：已核对原文"],
  "confidence.M": ["M: from a secondary source", "M：来自二手资料"],
  "confidence.L": ["L: to be checked", "L：待核实"],
  "provisional": ["provisional", "暂用"],
  "provisional.why": [
    "an earlier year's factor stands in until the year's own is published, then figures are restated",
    "当年因子公布前暂用较早年份的因子，公布后自动重算"],
  "origin.measured": ["measured", "实测"],
  "origin.contract": ["by contract", "合同约定"],
  "origin.given": ["registered", "登记值"],
  "origin.guideline_default": ["guideline default", "指南缺省值"],
  "origin.guideline_default_of_an_earlier_edition": ["default of an earlier edition", "较早版本缺省值"],
  "origin.published_for_the_year": ["published for the year", "当年公布"],
  "origin.older_vintage": ["older vintage", "较早年份"],

  "figure.emission_factor": ["emission factor", "排放因子"],
  "figure.ncv": ["net calorific value", "低位发热量"],
  "figure.carbon_content": ["carbon content", "单位热值含碳量"],
  "figure.carbon_content_mass": ["carbon content", "含碳量"],
  "figure.oxidation_rate": ["oxidation rate", "碳氧化率"],
  "figure.gwp": ["GWP", "全球变暖潜势"],

  "intensity.heading": ["Intensity", "排放强度"],
  "intensity.empty": ["No product output is known in this period.", "该时段没有已知的产品产量。"],
  "intensity.none": ["No product is registered for this enterprise.", "该企业未登记产品。"],
  "intensity.unit": ["kg CO₂e per {unit}", "kg CO₂e/{unit}"],
  "intensity.latest": ["latest", "最近"],
  "intensity.whole": ["whole period", "整个时段"],

  "meters.heading": ["Meters", "计量器具"],
  "meters.empty": ["No meter is registered.", "尚未登记仪表。"],
  "meters.channel": ["Channel", "通道"],
  "meters.last": ["Last reading", "最近读数"],
  "meters.day": ["Last day", "近一日质量"],
  "meters.never": ["none in the last 24 h", "近 24 小时无读数"],
  "meters.strip": [
    "{measured} measured, {interpolated} interpolated, {estimated} estimated, {missing} missing of {all} quarter-hours",
    "{all} 个刻钟：实测 {measured}，插值 {interpolated}，估算 {estimated}，缺失 {missing}"],
  "meters.healthy": ["healthy", "正常"],
  "meters.stale": ["late", "迟到"],
  "meters.silent": ["silent", "失联"],
  "meters.ended": ["ended", "已停用"],
  "meters.summary": ["{healthy} of {all} healthy", "{all} 个中 {healthy} 个正常"],
  "derived": ["derived", "派生"],

  "years.heading": ["Years", "历年排放"],
  "years.year": ["Year", "年份"],
  "years.file": ["By files", "填报数据"],
  "years.meters": ["By meters", "计量数据"],
  "years.provenance": ["Provenance", "数据性质"],
  "years.version": ["version {n}", "第 {n} 版"],
  "years.note": [
    "Years by rows of a file and by meters stand beside each other; neither is added to the other.",
    "填报数据与计量数据并列显示，互不相加。"],
  "provenance.verified": ["verified", "核查"],
  "provenance.reported": ["reported", "申报"],
  "provenance.estimated": ["estimated", "估算"],

  "findings.heading": ["Findings of the checks between channels", "通道间校核发现"],
  "findings.summary": ["{open} open, {explained} explained", "待处理 {open}，已说明 {explained}"],
  "findings.empty": ["The checks between channels have found nothing.", "通道间校核未发现问题。"],
  "findings.more": ["and {n} more", "另有 {n} 条"],
  "findings.what": ["Finding", "发现"],
  "findings.severity": ["Severity", "严重程度"],
  "findings.doubt": ["In doubt", "存疑排放量"],
  "findings.state": ["State", "状态"],
  "findings.evidence": ["Evidence and history", "依据与经过"],
  "findings.note": [
    "Findings change no figure. What is wrong is mended by a correction, and the finding settles.",
    "校核发现不改动任何数字；更正数据后，发现自动了结。"],
  "severity.high": ["high", "高"],
  "severity.medium": ["medium", "中"],
  "severity.low": ["low", "低"],
  "finding.open": ["open", "待处理"],
  "finding.explained": ["explained", "已说明"],
  "finding.settled": ["settled", "已了结"],

  "derivation.heading": ["Where this figure comes from", "数字来源"],
  "derivation.step.readings": ["Readings", "读数"],
  "derivation.step.intervals": ["Intervals", "时段用量"],
  "derivation.step.factor": ["Factor", "因子"],
  "derivation.step.sum": ["Sum", "求和"],
  "derivation.sum": [
    "Entries in the sum: {count}. It is exact; each entry was rounded once, to the milligram.",
    "求和条目：{count}。求和精确无余，每条仅在毫克处舍入一次。"],
  "derivation.consumption": ["Consumption", "用量"],
  "derivation.emission": ["Emission", "排放"],
  "derivation.clause": ["Clause", "条款"],
  "derivation.edition": ["Edition", "版本"],
  "derivation.method": ["Method", "方法"],
  "derivation.formula": ["Formula", "公式"],
  "derivation.rules": ["Rules version", "规则版本"],
  "derivation.set": ["Factor set", "因子集"],
  "derivation.meter": ["Meter", "仪表"],
  "derivation.close": ["Close", "关闭"],
  "derivation.zoom": ["Open this {view}", "打开此{view}"],
  "derivation.more": ["Show more", "显示更多"],
  "derivation.expression": ["Sum over", "计量表达式"],
  "derivation.restated": ["restated", "已重算"],
  "derivation.before": ["before: {before} ({why})", "此前：{before}（{why}）"],
  "derivation.committed": ["Committed", "入库时间"],
  "derivation.aside": ["set aside", "未采用"],
  "derivation.nothing": ["Nothing is known of this source in this period.", "该排放源在此时段没有已知数据。"],
  "derivation.sent": ["as sent: {value}", "原始值：{value}"],
  "derivation.json": ["As JSON", "JSON 原文"],
  "derivation.source": ["Source of the factor", "因子出处"],
  "derivation.valid": ["Valid", "有效期"],
  "origin": ["Origin", "来源"],
  "value": ["Value", "值"],
  "time": ["Time", "时间"],
  "reading": ["Reading", "读数"],

  "loading": ["loading", "载入中"],
  "retry": ["Try again", "重试"],
  "error.unreachable": ["The server can't be reached.", "无法连接服务器。"],
  "error.unexpected": ["The answer was not what this page expects.", "返回内容不符合预期。"],
  "error.charts": ["The chart library did not load; figures are in the table.", "图表库未能加载，请查看数据表。"],

  "age.seconds": ["{n} s ago", "{n} 秒前"],
  "age.minutes": ["{n} min ago", "{n} 分钟前"],
  "age.hours": ["{n} h ago", "{n} 小时前"],
  "age.days": ["{n} d ago", "{n} 天前"],
  "span.minutes": ["{n} min", "{n} 分钟"],
  "span.hours": ["{n} h", "{n} 小时"],
  "span.days": ["{n} d", "{n} 天"],

  "industry.power_generation": ["Power generation", "发电"],
  "industry.power_grid": ["Power grid", "电网"],
  "industry.steel": ["Steel", "钢铁"],
  "industry.chemicals": ["Chemicals", "化工"],
  "industry.aluminium": ["Aluminium", "电解铝"],
  "industry.magnesium": ["Magnesium", "镁冶炼"],
  "industry.flat_glass": ["Flat glass", "平板玻璃"],
  "industry.cement": ["Cement", "水泥"],
  "industry.ceramics": ["Ceramics", "陶瓷"],
  "industry.civil_aviation": ["Civil aviation", "民航"],
  "industry.oil_gas": ["Oil and gas", "石油和天然气生产"],
  "industry.petrochemicals": ["Petrochemicals", "石油化工"],
  "industry.coking": ["Coking", "独立焦化"],
  "industry.coal": ["Coal", "煤炭生产"],
  "industry.paper": ["Paper", "造纸和纸制品"],
  "industry.nonferrous": ["Non-ferrous metals", "其他有色金属冶炼和压延"],
  "industry.electronics": ["Electronics", "电子设备制造"],
  "industry.machinery": ["Machinery", "机械设备制造"],
  "industry.mining": ["Mining", "矿山"],
  "industry.food": ["Food and drink", "食品、烟草及酒、饮料和精制茶"],
  "industry.public_buildings": ["Public buildings", "公共建筑运营"],
  "industry.land_transport": ["Land transport", "陆上交通运输"],
  "industry.fluorochemicals": ["Fluorochemicals", "氟化工"],
  "industry.other_industry": ["Other industry", "工业其他行业"],

  "method.fuel_combustion": ["Fuel combustion", "化石燃料燃烧"],
  "method.purchased_electricity": ["Purchased electricity", "净购入电力"],
  "method.exported_electricity": ["Exported electricity", "输出电力"],
  "method.purchased_heat": ["Purchased heat", "净购入热力"],
  "method.exported_heat": ["Exported heat", "输出热力"],

  "list.comma": [", ", "，"],

  "fuel.anthracite": ["anthracite", "无烟煤"],
  "fuel.bituminous_coal": ["bituminous coal", "烟煤"],
  "fuel.lignite": ["lignite", "褐煤"],
  "fuel.washed_coal": ["washed coal", "洗精煤"],
  "fuel.coke": ["coke", "焦炭"],
  "fuel.crude_oil": ["crude oil", "原油"],
  "fuel.fuel_oil": ["fuel oil", "燃料油"],
  "fuel.gasoline": ["gasoline", "汽油"],
  "fuel.diesel": ["diesel", "柴油"],
  "fuel.lpg": ["LPG", "液化石油气"],
  "fuel.natural_gas": ["natural gas", "天然气"],
  "fuel.coke_oven_gas": ["coke-oven gas", "焦炉煤气"],
  "fuel.blast_furnace_gas": ["blast-furnace gas", "高炉煤气"],
  "fuel.converter_gas": ["converter gas", "转炉煤气"],

  // Prefecture-level codes of Hunan, where the first accounts are kept; any other shows its code.
  "district.430000": ["Hunan", "湖南省"],
  "district.430100": ["Changsha", "长沙市"],
  "district.430200": ["Zhuzhou", "株洲市"],
  "district.430300": ["Xiangtan", "湘潭市"],
  "district.430400": ["Hengyang", "衡阳市"],
  "district.430500": ["Shaoyang", "邵阳市"],
  "district.430600": ["Yueyang", "岳阳市"],
  "district.430700": ["Changde", "常德市"],
  "district.430800": ["Zhangjiajie", "张家界市"],
  "district.430900": ["Yiyang", "益阳市"],
  "district.431000": ["Chenzhou", "郴州市"],
  "district.431100": ["Yongzhou", "永州市"],
  "district.431200": ["Huaihua", "怀化市"],
  "district.431300": ["Loudi", "娄底市"],
  "district.433100": ["Xiangxi", "湘西州"],
};

const LANGUAGES = ["en", "zh"];
let language = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";

export function chooseLanguage(code) {
  if (LANGUAGES.includes(code)) language = code;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

export function currentLanguage() {
  return language;
}

/** The text of a key, with {names} filled in; the last part of the key where there is no such text. */
export function t(key, values = {}) {
  const found = STRINGS[key];
  const text = found ? found[LANGUAGES.indexOf(language)] : key.slice(key.indexOf(".") + 1);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function has(key) {
  return key in STRINGS;
}

/** The name of a thing that carries name_zh and name_en. */
export function nameOf(thing) {
  return (language === "zh" ? thing.name_zh || thing.name_en : thing.name_en || thing.name_zh) ?? "";
}

/** For the test that no text is missing or left unfilled: [key, en, zh]. */
export function allStrings() {
  return Object.entries(STRINGS).map(([key, [en, zh]]) => [key, en, zh]);
}
