// The HTTP API's shapes and operations, made from the OpenAPI document.
// Not to be edited: `python -m carbonmeter.typed_clients` writes it. Exact decimals, times and dates are strings.

export type Activity = {
  source: string;
  method: string;
  name_zh: string;
  name_en: string;
  fuel: string | null;
  material: string | null;
  expression: string;
  unit: string;
  amount: string | null;
  converted: string | null;
  converted_unit: string | null;
  months: MonthAmount[];
  origins: ChannelOrigin[];
  substitution: string | null;
};

export type AggregateBy = "scope" | "total";

export type AnswerFormat = "json" | "csv";

export type Attachment = {
  name: string;
  sha256: string;
  /** Where it is kept. */
  reference: string;
};

export type BalanceBasis = "year_end" | "average";

export type BandItem = {
  low: string | null;
  high: string | null;
  over: "day" | "month";
};

export type BenchmarkItem = {
  product: string;
  id: string;
  standard: string;
  item: string;
  unit: string;
  /** Four places, half to even. */
  value: string;
  /** Levels 1, 2, 3 under the conditions. */
  levels: (string | null)[];
  corrections: string[];
  conditions: Record<string, string>;
  /** Exact decimal. */
  emissions_t: string;
  /** Four places, half to even. */
  score: string;
  source: string;
  confidence: string;
  /** By how much the value falls for the next label. */
  to_next_label: string | null;
};

export type BenchmarkStatement = {
  product: string;
  /** Id of a benchmark, or its product code: then the mandatory one in force. Null takes it back. */
  benchmark: string | null;
  conditions?: Record<string, unknown>;
  sources?: string[];
};

export type Boundary = "account" | "ets";

export type BoundarySource = {
  source: string;
  account_t: string | null;
  ets_t: string | null;
  boundaries: ("account" | "ets")[];
};

export type BoundaryTotals = {
  account_t: string | null;
  account_coverage: string | null;
  ets_t: string | null;
  ets_coverage: string | null;
  sources: BoundarySource[];
};

export type By = "source" | "scope" | "gas" | "total";

export type CalibrationItem = {
  /** Local day. */
  from: string;
  until: string | null;
  reference: string | null;
};

export type CapItem = {
  id: string;
  cap: string;
  why: string;
};

export type CauseItem = {
  kind: string;
  by: string;
  why: string;
  batch: number | null;
};

export type CertificateEntries = {
  certificates: CertificateEntry[];
};

export type CertificateEntry = {
  number: string;
  /** Calendar year of the electricity. */
  year: number;
  /** One is 1 MWh; more than 0. */
  mwh?: string;
  retired_on: string;
  evidence: string;
};

export type CertificateItem = {
  number: string;
  uscc: string;
  year: number;
  /** Exact decimal. */
  mwh: string;
  /** Local day. */
  retired_on: string;
  evidence: string;
  /** RFC 3339 with an offset. */
  at: string;
  by: string;
  voided_at: string | null;
  voided_by: string | null;
  void_why: string | null;
};

export type CertificateVoid = {
  number: string;
  why: string;
};

export type CertificatesPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: CertificateItem[];
};

export type CertificatesTaken = {
  new: number;
  /** Entered already, the same in every field. */
  known: number;
};

export type ChangeByWay = {
  way: "new" | "gone" | "amount" | "factor" | "amount_and_factor" | "quality";
  entries: number;
  /** Exact decimal. */
  difference_kg: string;
};

export type ChangeItem = {
  id: number;
  /** RFC 3339 with an offset. */
  at: string;
  version: number;
  by: string;
  why: string;
  kind: string;
  uscc: string | null;
  key: string[];
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
};

export type ChangeKind = "enterprise.registered" | "enterprise.changed" | "month.restated" | "report.published" | "finding.changed" | "period.closed" | "grade.recorded" | "quota.warned";

export type ChangedFactor = {
  entries: number;
  /** Exact decimal. */
  difference_kg: string;
  /** Values of the factor that are others now. */
  values: ChangedValue[];
  /** What else is another: edition, formula, boundaries … */
  fields: ChangedField[];
  mg_per_unit: Record<string, string | null>;
};

export type ChangedField = {
  name: string;
  before: unknown;
  after: unknown;
};

export type ChangedValue = {
  name: string;
  before: FactorValue | null;
  after: FactorValue | null;
};

export type ChangesPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: ChangeItem[];
};

export type ChannelItem = {
  id: string;
  channel: string;
  quantity: string;
  kind: "register" | "delta" | "rate";
  /** Unit of its consumption. */
  unit: string;
  derived: DerivedItem | null;
  versions: ChannelVersionItem[];
};

export type ChannelOrigin = {
  channel: string;
  sign: number;
  meter: string | null;
  quantity: string;
  kind: string;
  unit: string;
  multiplier: string | null;
  resolution: string | null;
  derived: string | null;
};

export type ChannelStory = {
  channel: string;
  sign: -1 | 1;
  meter: string | null;
  unit: string;
  /** Which derived channel it is an input of, and as what. */
  input: Record<string, string> | null;
  derived: DerivedItem | null;
  versions: ChannelVersionItem[];
  readings: ReadingItem[];
};

export type ChannelVersionItem = {
  /** RFC 3339 with an offset. */
  valid_from: string;
  valid_to: string | null;
  quantity: string;
  kind: "register" | "delta" | "rate";
  unit: string;
  /** Exact decimal. */
  multiplier: string;
  /** Exact decimal. */
  resolution: string;
  modulus: string | null;
  max_rate: string | null;
  max_gap: string | null;
  period: string | null;
  snap: boolean;
  opening: string | null;
  closing: string | null;
};

export type CheckItem = {
  id: string;
  rule: CheckRule;
  main: string | null;
  subs: string | null;
  product: string | null;
  consumption: string | null;
  /** The channel that the limits are for; null: all. */
  channel: string | null;
  /** Null: the rule's own, as for shortest. */
  tolerance: string | null;
  /** ISO 8601. */
  shortest: string | null;
  active: boolean;
};

export type CheckRule = "main_against_subs" | "register_against_delta" | "siblings_present" | "multiplier_jump" | "frozen_value" | "no_consumption" | "prolonged_estimation" | "out_of_calibration" | "product_band";

export type Choice = {
  ids?: number[] | null;
  reason?: string | null;
  /** USCC/ID. */
  gateway?: string | null;
  /** Letters received, held readings measured at or after. */
  from?: string | null;
};

export type CompletenessItem = {
  uscc: string;
  name_zh: string;
  name_en: string;
  industry: string;
  district: string | null;
  years: YearCell[];
  missing: number[];
};

export type CompletenessPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: CompletenessItem[];
};

export type ConsentItem = {
  id: number;
  uscc: string;
  /** Code of the bank. */
  consumer: string;
  purpose: string;
  fields: DomainAccessPart[];
  /** That may be read of; none: all. */
  periods: ConsentPeriod[];
  granted_by: string;
  legal_text_alg: string;
  /** Hexadecimal, of the text that was agreed to. */
  legal_text_hash: string;
  /** RFC 3339 with an offset. */
  recorded_at: string;
  recorded_by: string;
  /** RFC 3339 with an offset. */
  valid_from: string;
  valid_to: string | null;
  revoked_at: string | null;
  revoked_by: string | null;
  revoked_why: string | null;
  state: "valid" | "not yet" | "ended" | "revoked";
};

export type ConsentPeriod = {
  /** A local day. */
  from: string;
  /** The first day after it. */
  to: string;
};

export type ConsentsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: ConsentItem[];
};

export type ConsumptionItem = {
  /** RFC 3339 with an offset. */
  at: string;
  amount: string | null;
  unit: string;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  coverage: string | null;
};

export type ConsumptionPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: ConsumptionItem[];
};

export type DatedValue = {
  /** Null: for all time. */
  from: string | null;
  value: string | string[] | null;
};

export type DeadLetterItem = {
  id: number;
  /** RFC 3339 with an offset. */
  received_at: string;
  reason: string;
  topic: string;
  /** USCC/ID; null: on no account. */
  gateway: string | null;
  /** Bytes of the payload. */
  size: number;
  /** What it counts on the gateway's account. */
  readings: number;
  /** Which readings of the payload; null: all of it. */
  positions: number[] | null;
  detail: string;
  via: string;
  decoder: string;
  replayed_at: string | null;
};

export type DeadLettersPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: DeadLetterItem[];
};

export type DenominatorCode = "equity_plus_debt" | "evic" | "total_assets" | "revenue" | "project_total";

export type DenominatorItem = {
  denominator: string;
  /** Exact decimal. */
  value: string;
  unit: string;
  period: Period;
  matched_months: number;
  /** Exact decimal. */
  co2e_t: string;
  providers: string[];
};

export type Derivation = {
  uscc: string;
  source: string;
  boundary: "account" | "ets";
  /** RFC 3339 with an offset. */
  from: string;
  /** RFC 3339 with an offset. */
  to: string;
  co2e_kg: string | null;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  intervals_known: number;
  sum: string;
  method: string | null;
  expression: string | null;
  formula: string | null;
  clause: string | null;
  edition: string | null;
  factor_set: string | null;
  rules_version: string | null;
  factors: (Record<string, unknown>)[];
  used_factors: UsedFactorItem[];
  /** By today's registry and factor set; empty where nothing is missing but readings. */
  missing_factors: MissingFactor[];
  intervals: DerivedInterval[];
  channels: ChannelStory[];
  next: string | null;
};

export type DerivedInterval = {
  /** RFC 3339 with an offset. */
  at: string;
  amount: string | null;
  unit: string | null;
  co2e_kg: string | null;
  co2e_mg: string | null;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  /** Its `used_factors` entry, by id; of several gases the first's. */
  factor: number | null;
  /** By gas, as they are known; `co2e_mg` is their sum. */
  parts: GasPart[];
  terms: TermItem[];
  committed_at: string | null;
  rules_version: string | null;
  cause: CauseItem | null;
  supersedes: SupersededItem | null;
  substitution: SubstitutionItem | null;
};

export type DerivedItem = {
  function: string;
  inputs: Record<string, string>;
};

export type DifferenceBy = "source" | "total";

export type DifferenceCause = {
  /** Exact decimal. */
  before_kg: string;
  /** Exact decimal. */
  after_kg: string;
  /** Exact decimal. */
  difference_kg: string;
  entries: number;
  /** Of the entries: those that took the place of others. */
  superseded: number;
  kind: "arrival" | "registry" | "factors" | "rules";
  by_whom: string;
  why: string;
  /** RFC 3339 with an offset. */
  first_at: string;
  /** RFC 3339 with an offset. */
  last_at: string;
  runs: number;
  ways: ChangeByWay[];
  factors: ChangedFactor[];
};

export type DifferencePage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: SourceDifference[];
};

export type DistanceItem = {
  to_label: string;
  /** Four places, half to even. */
  to_score: string;
  /** Four places, half to even. */
  d_score: string;
  /** Null: reducing emissions alone doesn't reach it. */
  d_tco2e: string | null;
  d_share: string | null;
  d_unit: UnitItem[];
  blocked_by: string[];
};

export type Done = Record<string, unknown>;

export type DueItem = {
  /** Local day. */
  day: string;
  event: string;
  period: string;
  is_alarm: boolean;
  days_left: number;
};

export type EarlierLog = {
  size: number;
  root: string;
  /** As it was signed; null where none was of just that size. */
  checkpoint: string | null;
};

export type EditionInForce = {
  boundary: string;
  edition: string;
  document: string;
  confidence: string;
  first_day: string;
  last_day: string;
};

export type Electricity = {
  uscc: string;
  year: number;
  purchased_mwh: string | null;
  /** Of retired certificates of this calendar year. */
  certified_mwh: string;
  /** Certified beyond what was bought. */
  idle_mwh: string | null;
  /** As in the account. */
  location_tco2e: string | null;
  market_tco2e: string | null;
  /** What isn't covered is counted by it [tCO2/MWh]. */
  market_factor: Record<string, unknown> | null;
};

export type EmissionItem = {
  /** RFC 3339 with an offset. */
  at: string;
  source?: string | null;
  scope?: number | null;
  gas?: string | null;
  co2e_kg: string | null;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time" | "suppressed")[];
  coverage: string | null;
  /** Hash of the factor set; several are joined by commas. */
  factor_set: string | null;
};

export type EmissionLine = {
  source: string;
  method: string;
  name_zh: string;
  name_en: string;
  fuel: string | null;
  material: string | null;
  gas: string;
  scope: number;
  deduction: boolean;
  account_kg: string | null;
  account_tco2e: string | null;
  ets_kg: string | null;
  ets_tco2e: string | null;
};

export type EmissionsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: EmissionItem[];
};

export type EnergyLine = {
  source: string;
  carrier: string;
  direction: string;
  amount: string | null;
  unit: string;
  tco2e_per_unit: string | null;
  account_tco2e: string | null;
};

export type Enterprise = {
  uscc: string;
  name_zh: string;
  name_en: string;
  industry: string;
  edition: string | null;
  grid: string | null;
  gb_t_4754: string | null;
  district: string | null;
  park: string | null;
  flags: string[];
  history: History;
  gateways: string[];
  meters: string[];
  sources: ApiSchemasSourceItem[];
  products: ProductItem[];
  /** What it says of the checks between channels. */
  checks: CheckItem[];
};

export type EnterpriseItem = {
  uscc: string;
  name_zh: string;
  name_en: string;
  industry: string;
  edition: string | null;
  grid: string | null;
  gb_t_4754: string | null;
  district: string | null;
  park: string | null;
  flags: string[];
};

export type EnterpriseStatement = {
  uscc: string;
  figures?: FigureStatement[];
  outputs?: OutputStatement[];
  benchmarks?: BenchmarkStatement[];
  facts?: FactStatement[];
};

export type EnterprisesPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: EnterpriseItem[];
};

export type ErrorItem = {
  /** Parameter or field that is at fault; empty where it is the request as such. */
  place: string;
  message: string;
  /** Of a file: the sheet, null in CSV. */
  sheet?: string | null;
  /** Of a file: the row, the first is 1. */
  row?: number | null;
  /** Of a file: the column in letters. */
  column?: string | null;
  /** Of a file: what the column holds, by its code. */
  field?: string | null;
  /** Of a file: what the cell says, shortened. */
  value?: string | null;
};

export type EvidenceCheckpoint = {
  origin: string;
  /** Leaves. */
  size: number;
  /** Base64. */
  root: string;
  /** RFC 3339 with an offset. */
  signed_at: string;
  key_id: string;
  /** The signed note, as C2SP tlog-checkpoint describes it. */
  note: string;
};

export type EvidenceConsistency = {
  format: "carbonmeter/evidence/1";
  /** Hashes in base64, as RFC 9162 orders them. */
  proof: string[];
  /** The signed note that it is proved against. */
  checkpoint: string;
  keys: PublicKey[];
  first: EarlierLog;
};

export type EvidenceInclusion = {
  format: "carbonmeter/evidence/1";
  /** Hashes in base64, as RFC 9162 orders them. */
  proof: string[];
  /** The signed note that it is proved against. */
  checkpoint: string;
  keys: PublicKey[];
  leaf: ProvenLeaf;
};

export type EvidenceKey = {
  /** Of the signatures; ed25519. */
  alg: string;
  key_id: string;
  /** Base64. */
  public_key: string;
  /** RFC 3339 with an offset. */
  first_used_at: string;
  /** Rotated: it signs no more; what it signed still holds. */
  retired_at: string | null;
  /** NAME+HASH+KEY, for verifiers of signed notes. */
  verifier_key: string;
};

export type EvidenceKeys = {
  /** The log's name in its checkpoints. */
  origin: string;
  items: EvidenceKey[];
};

export type EvidenceLeaf = {
  index: number;
  /** Hexadecimal SHA-256 of a zero byte and the content. */
  hash: string;
  kind: string | null;
  reference: string | null;
  /** Canonical JSON; null to those who may not read it. */
  content: string | null;
};

export type Explanation = {
  by: string;
  text: string;
};

export type FactStatement = {
  id: "FALSE_DATA" | "QUOTA_DUE" | "ACCIDENT";
  /** A local calendar month, such as 2026-06. */
  from: string;
  /** The last month, included; null while it isn't over. */
  to?: string | null;
  evidence: string;
  /** It doesn't hold and never did. */
  withdrawn?: boolean;
};

export type FactorUsed = {
  source: string;
  method: string;
  gas: string;
  boundaries: string[];
  formula: string | null;
  clause: string | null;
  edition: string | null;
  document: string | null;
  confidence: string | null;
  first_day: string;
  last_day: string;
  amount: string;
  unit: string;
  tco2e_per_amount: string | null;
  amount_unit: string | null;
  tco2e: string;
  provisional: boolean;
  figures: FigureUsed[];
  passed_over: string[];
  factor_set: string;
};

export type FactorValue = {
  value: string;
  unit?: string | null;
  origin?: string | null;
  reference?: string | null;
  edition?: string | null;
};

export type FeedItem = {
  /** The same however often it is told. */
  id: string;
  number: number;
  kind: ChangeKind;
  /** RFC 3339 with an offset. */
  at: string;
  uscc: string | null;
  /** The local days that it is about; null: none. */
  from: string | null;
  to: string | null;
  data: Record<string, unknown>;
};

export type FeedPage = {
  items: FeedItem[];
  /** Where to go on, also where this is all there is now. */
  next: string;
};

export type Figure = {
  amount?: string | null;
  /** Its unit is converted: MWh, GJ or t is counted. */
  product?: string | null;
};

export type FigureStatement = {
  denominator: "value_added" | "revenue" | "output_value" | "tax";
  /** A local calendar month, such as 2026-06. */
  from: string;
  /** The last month, included. */
  to: string;
  /** Null takes back what was stated of these months. */
  value: string | null;
  /** At constant prices. */
  constant?: string | null;
  provider: string;
  provenance?: "reported" | "verified" | "estimated";
};

export type FigureUsed = {
  name: string;
  value: string;
  unit: string;
  origin: string | null;
  reference: string | null;
  edition: string | null;
  confidence: string | null;
  valid_from: string | null;
  valid_to: string | null;
  area: string | null;
  year: number | null;
  provisional: boolean;
  note: string | null;
};

export type FinanceMark = {
  code: string;
  source: string;
  confidence: "H" | "M" | "L";
};

export type FinancedAnswer = {
  year: number;
  balance: BalanceBasis;
  items: FinancedItem[];
  totals: FinancedTotals;
  /** Denominators, options and exclusions that were used, with their sources. */
  marks: FinanceMark[];
  /** Hash of the rules that this was computed by. */
  rules: string;
};

export type FinancedItem = {
  id: string;
  uscc: string | null;
  /** Exact decimal. */
  amount: string;
  denominator: DenominatorCode;
  emissions_t: string | null;
  /** From the account's ledger, from what was stated of the year, or given in the list. */
  origin: "ledger" | "statement" | "given" | null;
  /** Of the ledger's year. */
  coverage: string | null;
  attribution: string | null;
  financed_t: string | null;
  /** The loan is above its denominator: it counts as the whole. */
  capped: boolean;
  option: OptionCode | null;
  pcaf_option: string | null;
  pcaf_score: number | null;
  method: string | null;
  method_score: number | null;
  /** Why it isn't counted. */
  reason: string | null;
};

export type FinancedTotals = {
  loans: number;
  counted: number;
  /** Exact decimal. */
  amount: string;
  /** Exact decimal. */
  counted_amount: string;
  /** Exact decimal. */
  financed_t: string;
  /** Weighted by the amounts outstanding. */
  pcaf_score: string | null;
  /** Weighted by financed emissions. */
  method_score: string | null;
};

export type Finding = {
  id: number;
  uscc: string;
  rule: CheckRule;
  name_zh: string;
  name_en: string;
  severity: Severity;
  /** METER/CHANNEL, a meter, a source, a product or a check's id. */
  subject: string;
  channels: string[];
  /** Beginning of the first interval concerned. */
  from: string;
  /** End of the last interval concerned. */
  to: string;
  /** Local days (or months) on which it was found, one after another. */
  days: number;
  /** How much of the account is in doubt; no figure is changed. */
  in_doubt_co2e_kg: string;
  state: FindingState;
  /** Whether the rules find it now. */
  holds: boolean;
  /** The last that a person gave. */
  explanation: Explanation | null;
  /** RFC 3339 with an offset. */
  found_at: string;
  /** When it came to its state, by whom and why. */
  changed_at: string;
  changed_by: string;
  why: string;
  /** What its days show, of many the first and the last; amounts are exact decimals. */
  evidence: (Record<string, unknown>)[];
  history: StateItem[];
};

export type FindingItem = {
  id: number;
  uscc: string;
  rule: CheckRule;
  name_zh: string;
  name_en: string;
  severity: Severity;
  /** METER/CHANNEL, a meter, a source, a product or a check's id. */
  subject: string;
  channels: string[];
  /** Beginning of the first interval concerned. */
  from: string;
  /** End of the last interval concerned. */
  to: string;
  /** Local days (or months) on which it was found, one after another. */
  days: number;
  /** How much of the account is in doubt; no figure is changed. */
  in_doubt_co2e_kg: string;
  state: FindingState;
  /** Whether the rules find it now. */
  holds: boolean;
  /** The last that a person gave. */
  explanation: Explanation | null;
  /** RFC 3339 with an offset. */
  found_at: string;
  /** When it came to its state, by whom and why. */
  changed_at: string;
  changed_by: string;
  why: string;
};

export type FindingLine = {
  id: number;
  rule: string;
  name_zh: string;
  name_en: string;
  severity: string;
  subject: string;
  channels: string[];
  begins_at: string;
  ends_at: string;
  days: number;
  doubt_tco2e: string;
  state: string;
  said_by: string | null;
  explanation: string | null;
};

export type FindingState = "open" | "explained" | "settled";

export type FindingsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: FindingItem[];
};

export type ForecastItem = {
  emissions_t: Spread;
  way: "nothing_left" | "year_before" | "recent_days";
  known_days: number;
  days_left: number;
};

export type GasPart = {
  gas: string;
  /** Exact decimal. */
  co2e_mg: string;
  /** Its `used_factors` entry, by id. */
  factor: number;
};

export type GatewayAccount = {
  received: number;
  stored: number;
  held: number;
  rejected: number;
  duplicates: number;
  conflicts: number;
};

export type GradeRecord = {
  id: number;
  uscc: string;
  kind: "INDICATIVE" | "PUBLISHED" | "ANNUAL";
  period: Period;
  scheme: SchemeName;
  label: string;
  label_zh: string;
  state: "RATED" | "NR" | "VERIFYING";
  provisional: boolean;
  score: string | null;
  /** S as a fraction. */
  score_exact: string | null;
  label_by_score: string;
  track: string | null;
  scores: Record<string, string>;
  weights: Record<string, string>;
  /** Exact decimal. */
  emissions_t: string;
  emissions_by_source: ApiGradeSchemasSourceItem[];
  factor_sets: string[];
  coverage: string | null;
  months: number;
  matched_months: Record<string, number>;
  denominators: DenominatorItem[];
  benchmarks: BenchmarkItem[];
  peers: PeersItem | null;
  trend: TrendItem | null;
  ceilings: CapItem[];
  overrides: CapItem[];
  hysteresis: HysteresisItem;
  difference_to_reported: string | null;
  side: SideItem | null;
  reasons: string[];
  distance: DistanceItem | null;
  input_snapshot_hash: string;
  supersedes: number | null;
  /** RFC 3339 with an offset. */
  created_at: string;
  signature: SignatureItem | null;
};

export type GradeStatements = {
  statements: EnterpriseStatement[];
  why: string;
};

export type GradesPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: GradeRecord[];
};

export type GrantBody = {
  uscc: string;
  /** Code of the bank, as its key names it. */
  consumer: string;
  purpose: string;
  /** Parts of the account. */
  fields: string[];
  /** That may be read of. None: all. */
  periods?: GrantPeriod[];
  /** Who has signed for the enterprise. */
  granted_by: string;
  /** Hexadecimal, of the text that was agreed to. */
  legal_text_hash: string;
  legal_text_alg?: string;
  /** Left out: from now on. */
  valid_from?: string | null;
  /** Left out: until it is revoked. */
  valid_to?: string | null;
};

export type GrantPeriod = {
  from: string;
  /** The first day after it. */
  to: string;
};

export type Granularity = "15m" | "hour" | "day" | "month" | "year";

export type HeldItem = {
  id: number;
  /** RFC 3339 with an offset. */
  received_at: string;
  reason: string;
  topic: string;
  gateway: string;
  channel: string;
  /** RFC 3339 with an offset. */
  at: string;
  /** Exact decimal. */
  sent: string;
  quality: "good" | "estimate" | "invalid";
  revision: number;
  detail: string;
};

export type HeldPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: HeldItem[];
};

export type History = {
  edition: DatedValue[];
  grid: DatedValue[];
  district: DatedValue[];
  park: DatedValue[];
  flags: DatedValue[];
};

export type HistoryImported = {
  /** Null where nothing was written: all of it was in already, or only checked. */
  batch: number | null;
  dry_run: boolean;
  rows: number;
  new: number;
  superseded: number;
  unchanged: number;
  years: ImportedYear[];
};

export type HistoryItem = {
  year: number;
  version: number;
  /** Which version of the year it is, from 1. */
  number: number;
  supersedes: number | null;
  industry: string;
  edition: string;
  period: InventoryPeriod;
  /** The weakest of its rows. */
  provenance: "estimated" | "reported" | "verified";
  /** Exact decimal. */
  account_tco2e: string;
  /** Exact decimal. */
  ets_tco2e: string;
  /** Exact decimal. */
  deductions_tco2e: string;
  by_scope: Record<string, string>;
  by_gas: Record<string, string>;
  by_provenance: Record<string, ProvenanceShare>;
  /** Rounded as the edition says. */
  reported: ApiHistorySchemasReported;
  activities: number;
  warnings: number;
  factor_set: string;
  /** RFC 3339 with an offset. */
  at: string;
  by: string;
  why: string;
  cause: "import" | "factors";
  file: string | null;
};

export type HistoryPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: HistoryItem[];
};

export type HistoryRow = {
  sheet: string | null;
  row: number;
  provenance: "estimated" | "reported" | "verified";
  /** Its cells, by the code of the column. */
  sent: Record<string, string>;
};

export type HistoryTemplate = {
  industry: string;
  edition: string;
  columns: TemplateColumn[];
  /** By column: what its cells may be chosen from. */
  lists: Record<string, string[]>;
  tables: TemplateTable[];
};

export type HistoryYear = {
  year: number;
  version: number;
  /** Which version of the year it is, from 1. */
  number: number;
  supersedes: number | null;
  industry: string;
  edition: string;
  period: InventoryPeriod;
  /** The weakest of its rows. */
  provenance: "estimated" | "reported" | "verified";
  /** Exact decimal. */
  account_tco2e: string;
  /** Exact decimal. */
  ets_tco2e: string;
  /** Exact decimal. */
  deductions_tco2e: string;
  by_scope: Record<string, string>;
  by_gas: Record<string, string>;
  by_provenance: Record<string, ProvenanceShare>;
  /** Rounded as the edition says. */
  reported: ApiHistorySchemasReported;
  activities: number;
  warnings: number;
  factor_set: string;
  /** RFC 3339 with an offset. */
  at: string;
  by: string;
  why: string;
  cause: "import" | "factors";
  file: string | null;
  /** Its activities are in the order of the rows. */
  inventory: InventoryAnswer;
  rows: HistoryRow[];
  /** All versions of the year, the first one first. */
  versions: HistoryItem[];
};

export type HoldReason = "unknown_meter" | "unknown_channel" | "outside_validity" | "ahead_of_clock" | "far_ahead_of_clock";

export type HysteresisItem = {
  prev: string | null;
  held: string;
  streak: (string | null)[];
  applied: boolean;
};

export type ImportedYear = {
  uscc: string;
  year: number;
  outcome: "new" | "superseded" | "unchanged";
  /** The version in force; null where it was only checked. */
  version: number | null;
  supersedes: number | null;
  /** The weakest of its rows. */
  provenance: "estimated" | "reported" | "verified";
  /** Exact decimal. */
  account_tco2e: string;
  /** Exact decimal. */
  ets_tco2e: string;
  /** Of the version that it supersedes. */
  before_account_tco2e: string | null;
};

export type InputUncertainty = {
  name: string;
  /** Exact decimal. */
  percent: string;
  origin: "given" | "default";
  reference: string | null;
  confidence: "H" | "M" | "L" | null;
};

export type IntensityItem = {
  /** RFC 3339 with an offset. */
  at: string;
  product: string;
  /** kg CO2e per unit of the product, up to 12 decimals. */
  intensity: string | null;
  /** Unit of the product. */
  unit: string;
  co2e_kg: string | null;
  /** Output of the product. */
  amount: string | null;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  /** Of the emissions. */
  coverage: string | null;
  /** Of the output. */
  amount_coverage: string | null;
  factor_set: string | null;
};

export type IntensityPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: IntensityItem[];
};

export type InventoryActivity = {
  id?: string | null;
  source: string;
  name: string;
  fuel?: string | null;
  material?: string | null;
  /** Exact decimal. */
  amount: string;
  unit: string;
  /** Exact decimal. */
  tco2e: string;
  /** CO2, or several: CO2+CH4. */
  gas: string;
  by_gas: Record<string, string>;
  scope: number;
  boundaries: ("account" | "ets")[];
  deduction: boolean;
  formula: string;
  clause: string;
  factors: InventoryFactor[];
  /** Relative half-width at 95 % [%], where asked for. */
  uncertainty?: string | null;
  uncertainty_inputs?: InputUncertainty[] | null;
};

export type InventoryAnswer = {
  industry: string;
  edition: string;
  document: string;
  period: InventoryPeriod;
  enterprise: string | null;
  activities: InventoryActivity[];
  totals: InventoryTotals;
  reported: InventoryTotals;
  rounding: Rounded;
  factor_set: string;
  warnings: InventoryWarning[];
};

export type InventoryFactor = {
  name: string;
  value: string;
  unit: string;
  origin: string;
  reference: string | null;
  edition?: string | null;
  confidence?: "H" | "M" | "L" | null;
  note?: string | null;
};

export type InventoryPeriod = {
  from: string;
  to: string;
};

export type InventoryTotals = {
  /** Exact decimal. */
  account_tco2e: string;
  /** Exact decimal. */
  ets_tco2e: string;
  by_scope: Record<string, string>;
  by_gas: Record<string, string>;
  /** The part of the account that is deducted, negative. */
  deductions_tco2e: string;
  /** Of the account, relative half-width at 95 % [%], where asked for. */
  uncertainty?: string | null;
  ets_uncertainty?: string | null;
};

export type InventoryWarning = {
  /** activities[2].parameters.ncv; empty where it is the whole inventory. */
  place: string;
  message: string;
};

export type Language = "zh" | "en";

export type LimitItem = {
  name: string;
  /** Exact decimal. */
  value: string;
  unit: "fraction" | "intervals" | "count" | "days";
  meaning: string;
};

export type LineAllowanceItem = {
  id: string;
  /** Exact decimal. */
  emissions_t: string;
  output_t: string | null;
  intensity: string | null;
  balance_value: string | null;
  /** X = (BP − I) ÷ BP. */
  deviation: string | null;
  /** Exact decimal. */
  alpha: string;
  /** Exact decimal. */
  allowance_t: string;
  marks: QuotaMark[];
};

export type LineStatement = {
  id: string;
  /** Of the whole year [t]. */
  emissions_t?: string | null;
  /** Sources of the registry whose ETS entries are its emissions. */
  sources?: string[] | null;
  /** t of hot metal, clinker or liquid metal. */
  output?: Figure | null;
};

export type Live = {
  state: "live";
  version: string;
  mode: "timescale" | "plain" | null;
};

export type Mean = {
  source: string;
  gas: string;
  boundaries: string[];
  name: string;
  unit: string;
  values: number;
  mean: string;
  weights: string;
};

export type MeterItem = {
  uscc: string;
  id: string;
  name: string | null;
  calibrations: CalibrationItem[];
  channels: ChannelItem[];
};

export type MetersPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: MeterItem[];
};

export type MissingFactor = {
  /** The first local day, such as 2009-01-01. */
  from: string;
  /** The day after the last. */
  to: string;
  /** Of the parameter; null where something else is wrong. */
  name: string | null;
  unit: string | null;
  fuel: string | null;
  material: string | null;
  /** Whose electricity factor was looked for: 行政区划代码, or CN. */
  area: string | null;
  /** The emission year it was looked for. */
  year: number | null;
  edition: string | null;
  why: string;
  /** The next step. */
  do: string;
};

export type MonthAmount = {
  month: string;
  amount: string | null;
  known: number;
};

export type NetEnergy = {
  carrier: string;
  amount: string;
  unit: string;
  account_tco2e: string;
};

export type NewWebhook = {
  id: number;
  url: string;
  /** Prefix of the key whose eyes it hears with. */
  key: string;
  /** None: all. */
  kinds: ChangeKind[];
  state: "active" | "dead" | "removed";
  /** The last change that it took, or that wasn't for it. */
  cursor: string;
  /** In vain, for the next one. */
  attempts: number;
  /** RFC 3339 with an offset. */
  next_attempt_at: string;
  last_error: string | null;
  delivered: number;
  delivered_at: string | null;
  /** RFC 3339 with an offset. */
  created_at: string;
  created_by: string;
  /** Signs what it is sent; it can't be shown again. */
  secret: string;
};

export type OAuthError = {
  error: "invalid_request" | "invalid_client" | "unauthorized_client" | "unsupported_grant_type" | "invalid_scope" | "temporarily_unavailable";
  error_description: string;
};

export type ObjectionEntry = {
  text: string;
  attachments?: Attachment[];
};

export type ObjectionItem = {
  id: number;
  grade: number;
  uscc: string;
  text: string;
  attachments: Attachment[];
  /** RFC 3339 with an offset. */
  at: string;
  by: string;
  /** Local day. */
  due: string;
  /** 维持 or 更正; null while it is open. */
  outcome: "UPHELD" | "CORRECTED" | null;
  new_grade: number | null;
  decided_at: string | null;
  decided_by: string | null;
  why: string | null;
};

export type ObjectionsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: ObjectionItem[];
};

export type OptionCode = "verified" | "reported" | "energy" | "production" | "revenue" | "sector";

export type OutputStatement = {
  product: string;
  /** A local calendar month, such as 2026-06. */
  month: string;
  /** Null takes the month back. */
  energy: string | null;
  /** Exact decimal, not negative. */
  output?: string;
};

export type ParameterItem = {
  name: string;
  /** Exact decimal. */
  value: string;
  unit: string | null;
  from: string | null;
  origin: string | null;
  reference: string | null;
};

export type ParkItem = {
  code: string;
  name_zh: string;
  name_en: string;
  district: string;
};

export type ParksPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: ParkItem[];
};

export type PeersItem = {
  step: string;
  n: number | null;
  max_share: string | null;
  denominator: string;
  basis: string;
  /** Exact decimal. */
  ratio_t_per_10k_yuan: string;
  /** Four places, half to even. */
  k: string;
  /** Steps that didn't do, with why. */
  refused: string[];
  source: string | null;
};

export type Period = {
  /** A local calendar month, such as 2026-06. */
  from: string;
  /** A local calendar month, such as 2026-06. */
  to: string;
};

export type Problem = {
  /** urn:carbonmeter:error:… */
  type: string;
  title: string;
  status: number;
  /** All faults in one text. */
  detail: string;
  /** The path that was asked for. */
  instance: string;
  /** Every fault. */
  errors: ErrorItem[];
};

export type ProductItem = {
  id: string;
  unit: string;
  expression: string;
  versions: ProductVersionItem[];
};

export type ProductLine = {
  product: string;
  amount: string | null;
  unit: string;
  quality: string;
  coverage: string | null;
  account_kg_per_unit: string | null;
  ets_kg_per_unit: string | null;
};

export type ProductVersionItem = {
  from: string | null;
  unit: string;
  expression: string;
  /** What the emission is expected within, kg CO2e per unit. */
  band: BandItem | null;
};

export type ProvenLeaf = {
  index: number;
  kind: string;
  reference: string;
  hash: string;
  content: string;
};

export type ProvenanceInput = "estimated" | "reported" | "verified";

export type ProvenanceOutput = {
  as_of: string;
  run: number | null;
  run_committed_at: string | null;
  registry_version: number;
  rules_versions: string[];
  factor_sets: string[];
  ledger_sha256: string;
  software: string;
};

export type ProvenanceShare = {
  activities: number;
  /** Exact decimal. */
  account_tco2e: string;
};

export type PublicKey = {
  /** Of the signatures; ed25519. */
  alg: string;
  key_id: string;
  /** Base64. */
  public_key: string;
};

export type Publication = {
  /** A local calendar year. */
  year: number;
  /** Kept with the report. */
  why: string;
  /** The books as of this moment; left out: as they stand now. */
  as_of?: string | null;
};

export type PublishedReport = {
  id: number;
  uscc: string;
  year: number;
  /** The books as of this moment. */
  as_of: string;
  /** RFC 3339 with an offset. */
  published_at: string;
  by: string;
  why: string;
  /** Of the report, as it says itself. */
  sha256: string;
  account_kg: string | null;
  ets_kg: string | null;
};

export type PublishedReportsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: PublishedReport[];
};

export type QualityLine = {
  source: string;
  boundary: string;
  expected: number;
  known: number;
  coverage: string | null;
  measured: number;
  interpolated: number;
  estimated: number;
  substituted: number;
  estimated_share: string | null;
  substituted_share: string | null;
  estimated_or_substituted_share: string | null;
  flags: string[];
};

export type Quota = {
  uscc: string;
  year: number;
  sector: Sector | null;
  statement: QuotaStatementItem | null;
  totals: BoundaryTotals;
  forecast: ForecastItem | null;
  units: UnitAllowanceItem[];
  lines: LineAllowanceItem[];
  /** Power: the least an entity is due, by its emissions. */
  floor_t: string | null;
  /** For the whole year, by P50 where it hasn't ended. */
  allowance_t: string | null;
  holdings_t: string | null;
  /** Emissions − allowances − holdings: above zero, lacking. */
  gap_t: Spread | null;
  warning: WarningItem | null;
  /** Why something above is null. */
  lacking: string[];
  calendar: DueItem[];
  /** Hash of the tables that this was computed by. */
  tables: string;
};

export type QuotaMark = {
  status: "final" | "draft";
  source: string;
  confidence: "H" | "M" | "L";
};

export type QuotaStatement = {
  uscc: string;
  year: number;
  sector: Sector;
  /** Of power. */
  units?: UnitStatement[];
  /** Of steel, cement, aluminium. */
  lines?: LineStatement[];
  /** BP, a scenario until it is published. */
  balance_value?: string | null;
  /** Allowances and offsets held beside the year's own [t]. */
  holdings_t?: string;
};

export type QuotaStatementItem = {
  id: number;
  uscc: string;
  year: number;
  /** RFC 3339 with an offset. */
  at: string;
  by: string;
  why: string;
  statement: Record<string, unknown>;
};

export type QuotaStatements = {
  statements: QuotaStatement[];
  /** Kept with the statements. */
  why: string;
};

export type QuotaStatementsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: QuotaStatementItem[];
};

export type RankItem = {
  /** Null: not rated. */
  rank: number | null;
  /** Null: this key may not read of it. */
  uscc: string | null;
  name_zh: string | null;
  label: string;
  state: string;
  score: string | null;
};

export type RankingPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  kind: "INDICATIVE" | "PUBLISHED" | "ANNUAL";
  month: string | null;
  rated: number;
  items: RankItem[];
};

export type ReadItem = {
  /** Of the entry in the log; between two there are reads of others. */
  number: number;
  /** RFC 3339 with an offset. */
  at: string;
  request_id: string;
  who: string;
  /** Prefix of the key; null: a visitor, where reading is open. */
  key: string | null;
  role: string | null;
  tenant: string[];
  /** Method and route. */
  what: string;
  /** Part of the account. */
  part: string;
  /** What of it: a channel, a source, a report, a year. */
  object: string;
  period: Record<string, string> | null;
  /** By what right; none: it was refused. */
  basis: string;
  /** Of the answer. */
  status: number;
  alg: string;
  /** Hexadecimal, of this entry and the digest before it. */
  digest: string;
};

export type ReadLogPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: ReadItem[];
};

export type ReadingItem = {
  /** RFC 3339 with an offset. */
  at: string;
  /** Rounded to the resolution, before the multiplier. */
  value: string | null;
  /** Exact decimal. */
  sent: string;
  quality: "good" | "estimate" | "invalid";
  revision: number;
  /** RFC 3339 with an offset. */
  committed_at: string;
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  /** Whether the ledger counts it. */
  stands: boolean;
  /** USCC/ID of the gateway that sent it. */
  gateway: string | null;
};

export type ReadingsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: ReadingItem[];
};

export type Ready = {
  state: "ready";
  mode: "timescale" | "plain";
  version: string;
  versions: Record<string, string>;
  services: ServiceItem[];
};

export type ReceiptAnswer = {
  /** As sent; null where the object carried none. */
  seq: number | string | null;
  stored: number;
  held: number;
  rejected: number;
  /** RFC 3339. */
  committed_at: string;
};

export type RejectReason = "bad_topic" | "bad_payload" | "bad_reading" | "bad_id" | "bad_time" | "bad_value" | "out_of_range" | "unknown_enterprise" | "unknown_gateway" | "not_authorized" | "unknown_alias" | "retained" | "no_time_for_delta" | "no_time_at_qos_2" | "refused_by_database" | "discarded";

export type Replaced = {
  name: string;
  original: string | null;
  unit: string | null;
  reference: string | null;
};

export type Replay = {
  /** Behind this change; left out: from where it stands. */
  cursor?: string | null;
};

export type Report = {
  form: string;
  enterprise: Reporter;
  period: ReportPeriod;
  totals: Total[];
  emissions: EmissionLine[];
  activities: Activity[];
  factors: FactorUsed[];
  means: Mean[];
  energy: EnergyLine[];
  net_energy: NetEnergy[];
  products: ProductLine[];
  quality: QualityLine[];
  substitutions: SubstitutionUsed[];
  weak_figures: WeakFigure[];
  findings: FindingLine[];
  statement: Statement | null;
  provenance: ProvenanceOutput;
  sha256?: string;
};

export type ReportDifferences = {
  id: number;
  uscc: string;
  year: number;
  /** RFC 3339 with an offset. */
  published_as_of: string;
  /** RFC 3339 with an offset. */
  present_as_of: string;
  /** Whether the ledger says anything else, though its sums be the same. */
  differs: boolean;
  totals: ReportTotalChange[];
  sources: ReportSourceChange[];
  /** By boundary: the request that tells the causes. */
  explained_by: Record<string, string>;
};

export type ReportFormat = "json" | "xlsx" | "pdf";

export type ReportPeriod = {
  year: number;
  first_day: string;
  last_day: string;
  zone: string;
  complete: boolean;
};

export type ReportSourceChange = {
  boundary: "account" | "ets";
  published_kg: string | null;
  present_kg: string | null;
  /** Exact decimal. */
  difference_kg: string;
  source: string;
};

export type ReportTotalChange = {
  boundary: "account" | "ets";
  published_kg: string | null;
  present_kg: string | null;
  /** Exact decimal. */
  difference_kg: string;
};

export type Reporter = {
  uscc: string;
  name_zh: string;
  name_en: string;
  industry: string;
  industry_zh: string;
  industry_en: string;
  gb_t_4754: string | null;
  district: string | null;
  park: string | null;
  grid: string;
  flags: string[];
  editions: EditionInForce[];
};

export type Restatement = {
  /** RFC 3339 with an offset. */
  at: string;
  run: number;
  rules_version: string;
  factor_set: string;
  registry_version: number;
  causes: RestatementCause[];
};

export type RestatementCause = {
  /** Exact decimal. */
  before_kg: string;
  /** Exact decimal. */
  after_kg: string;
  /** Exact decimal. */
  difference_kg: string;
  entries: number;
  /** Of the entries: those that took the place of others. */
  superseded: number;
  kind: "arrival" | "registry" | "factors" | "rules";
  by_whom: string;
  why: string;
  batch: number | null;
  sources: SourceChange[];
};

export type RestatementsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: Restatement[];
};

export type Revocation = {
  why: string;
};

export type Rounded = {
  decimals: number;
  mode: "half_up" | "half_even";
};

export type RuleItem = {
  code: CheckRule;
  name_zh: string;
  name_en: string;
  severity: Severity;
  judges: string;
  /** How the tonnes in doubt are computed. */
  in_doubt: string;
  limits: LimitItem[];
  source: string;
  confidence: "H" | "M" | "L";
};

export type RulesPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: RuleItem[];
};

export type SchemeEntry = {
  /** A version to keep (docs/grades.md). */
  scheme?: Record<string, unknown> | null;
  /** `ID VERSION` that grades from a closing month on. */
  adopt?: string | null;
  from?: string | null;
  why: string;
};

export type SchemeItem = {
  id: string;
  version: string;
  hash: string;
  shipped: boolean;
  /** It grades the newest closed month. */
  in_force: boolean;
  document: Record<string, unknown>;
};

export type SchemeName = {
  id: string;
  version: string;
  hash: string;
};

export type SchemesPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: SchemeItem[];
};

export type Sector = "power" | "steel" | "cement" | "aluminium";

export type ServiceItem = {
  name: string;
  pid: number;
  /** RFC 3339 with an offset. */
  started_at: string;
  /** RFC 3339 with an offset. */
  beat_at: string;
  fresh: boolean;
  ready: boolean;
  detail: Record<string, unknown>;
};

export type Severity = "high" | "medium" | "low";

export type Shadow = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  scheme: SchemeName;
  graded: number;
  moved: number;
  up: number;
  down: number;
  /** Who would have another label. */
  items: ShadowItem[];
};

export type ShadowItem = {
  uscc: string;
  /** A local calendar month, such as 2026-06. */
  month: string;
  label: string;
  shadow_label: string;
  score: string | null;
  shadow_score: string | null;
};

export type SideItem = {
  /** Exact decimal. */
  ratio_t_per_10k_yuan: string;
  label: string;
};

export type SignatureItem = {
  alg: string;
  key_id: string;
  signature: string;
};

export type SourceChange = {
  /** Exact decimal. */
  before_kg: string;
  /** Exact decimal. */
  after_kg: string;
  /** Exact decimal. */
  difference_kg: string;
  entries: number;
  /** Of the entries: those that took the place of others. */
  superseded: number;
  source: string;
  /** RFC 3339 with an offset. */
  from: string;
  /** RFC 3339 with an offset. */
  to: string;
  ways: ChangeByWay[];
  factors: ChangedFactor[];
};

export type SourceDifference = {
  source?: string | null;
  /** The first interval that differs begins here. */
  from: string;
  /** RFC 3339 with an offset. */
  to: string;
  before_kg: string | null;
  after_kg: string | null;
  /** The sum of its causes' differences, exactly. */
  difference_kg: string;
  causes: DifferenceCause[];
};

export type SourceVersionItem = {
  from: string | null;
  method: string;
  fuel: string | null;
  material: string | null;
  expression: string;
  substitution: string | null;
};

export type Spread = {
  /** Exact decimal. */
  p10: string;
  /** Exact decimal. */
  p50: string;
  /** Exact decimal. */
  p90: string;
};

export type StateItem = {
  state: FindingState;
  /** RFC 3339 with an offset. */
  at: string;
  /** A person's or key's name; carbonmeter: the rules. */
  by: string;
  why: string;
};

export type Stated = {
  /** How many differ from what was in force. */
  kept: number;
};

export type Statement = {
  version: number;
  number: number;
  at: string;
  by: string;
  why: string;
  file: string | null;
  provenance: string;
  answer: Record<string, unknown>;
};

export type StatementItem = {
  uscc: string;
  kind: string;
  document: Record<string, unknown>;
  /** RFC 3339 with an offset. */
  at: string;
  by: string;
  why: string;
};

export type StatementsPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: StatementItem[];
};

export type SubstitutionItem = {
  rule: string | null;
  /** By the last values before it; null: what it stands for was missing. */
  original_kg: string | null;
  /** What it adds; null where the values before it aren't known. */
  effect_kg: string | null;
};

export type SubstitutionUsed = {
  source: string;
  gas: string;
  boundaries: string[];
  rule: string;
  first_day: string;
  last_day: string;
  intervals: number;
  unit: string;
  tco2e: string;
  replaced: Replaced[];
  effect_tco2e: string | null;
};

export type SupersededItem = {
  amount: string | null;
  co2e_kg: string | null;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  factor: number | null;
  committed_at: string | null;
};

export type TemplateColumn = {
  code: string;
  title: string;
  hint: string;
};

export type TemplateFormat = "json" | "xlsx" | "csv";

export type TemplateTable = {
  name: string;
  header: string[];
  rows: string[][];
};

export type TermInput = {
  channel: string;
  amount: string | null;
  unit: string;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  as: string;
};

export type TermItem = {
  channel: string;
  amount: string | null;
  unit: string;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  sign: -1 | 1;
  inputs: TermInput[];
};

export type Token = {
  access_token: string;
  token_type: "Bearer";
  /** Seconds. */
  expires_in: number;
  /** Separated by spaces. */
  scope: string;
};

export type Total = {
  boundary: string;
  kg: string | null;
  tco2e: string | null;
  reported: AccountingReportDocumentReported | null;
  gross_kg: string | null;
  deductions_kg: string | null;
  by_scope: AccountingReportDocumentPart[];
  by_gas: AccountingReportDocumentPart[];
  by_method: AccountingReportDocumentPart[];
  coverage: string | null;
  estimated_share: string | null;
  substituted_share: string | null;
  estimated_or_substituted_share: string | null;
  confidence_shares: Record<string, string>;
};

export type TrendItem = {
  /** Four places, half to even. */
  rho: string;
  of: string;
  basis: string;
  constant_prices: boolean | null;
  /** Exact decimal. */
  now: string;
  /** Exact decimal. */
  before: string;
};

export type UnitAllowanceItem = {
  id: string;
  class: UnitClass;
  /** Exact decimal. */
  electricity_mwh: string;
  /** Exact decimal. */
  heat_gj: string;
  /** Exact decimal. */
  load_factor: string;
  /** Exact decimal. */
  electricity_t: string;
  /** Exact decimal. */
  heat_t: string;
  /** Exact decimal. */
  allowance_t: string;
  /** A gas unit lifted to its emissions. */
  raised: boolean;
  /** Exact decimal. */
  benchmark: string;
  /** Exact decimal. */
  heat_benchmark: string;
  basis: "supplied" | "generated";
  marks: QuotaMark[];
};

export type UnitClass = "I" | "II" | "III" | "IV";

export type UnitItem = {
  of: string;
  unit: string;
  /** Four places, half to even. */
  from: string;
  /** Four places, half to even. */
  by: string;
};

export type UnitStatement = {
  id: string;
  /** Of the whole year [t]. */
  emissions_t?: string | null;
  /** Sources of the registry whose ETS entries are its emissions. */
  sources?: string[] | null;
  /** I coal of 400 MW or more, II below, III gangue, IV gas. */
  class: UnitClass;
  /** MWh: supplied until 2022, generated from 2023 on. */
  electricity: Figure;
  /** GJ supplied. */
  heat?: Figure | null;
  /** Mean share of the rated power. */
  load?: string | null;
  /** F itself, where the year's rule isn't to decide. */
  correction?: string | null;
};

export type UsedFactorItem = {
  id: number;
  factor_set: string;
  /** mg CO2e a unit of amount, exact: an integer or a fraction. */
  mg_per_unit: string;
  formula: string | null;
  clause: string | null;
  edition: string | null;
  factors: (Record<string, unknown>)[] | null;
};

export type Version = {
  version: string;
  api: number;
  mode: "timescale" | "plain";
  versions: Record<string, string>;
  registry_version: number;
  rules_version: string;
  factor_set: string;
  ledger_rules_version: string | null;
  ledger_factor_set: string | null;
  zone: string;
};

export type WarningItem = {
  band: "none" | "yellow" | "orange" | "red";
  /** The gap ÷ the emissions, by P50. */
  share: string | null;
  /** One band up: surrender is near. */
  raised: boolean;
  days_to_surrender: number;
  source: string;
  confidence: "H" | "M" | "L";
};

export type WeakFigure = {
  source: string;
  name: string;
  value: string | null;
  unit: string | null;
  mark: string;
  reference: string | null;
};

export type WebhookItem = {
  id: number;
  url: string;
  /** Prefix of the key whose eyes it hears with. */
  key: string;
  /** None: all. */
  kinds: ChangeKind[];
  state: "active" | "dead" | "removed";
  /** The last change that it took, or that wasn't for it. */
  cursor: string;
  /** In vain, for the next one. */
  attempts: number;
  /** RFC 3339 with an offset. */
  next_attempt_at: string;
  last_error: string | null;
  delivered: number;
  delivered_at: string | null;
  /** RFC 3339 with an offset. */
  created_at: string;
  created_by: string;
};

export type WebhookWish = {
  /** https://…; http for this machine alone. */
  url: string;
  /** Prefix of the key whose eyes it hears with. */
  key: string;
  /** None: all. */
  kinds?: ChangeKind[];
  /** To begin behind this change; left out: behind the newest. */
  cursor?: string | null;
};

export type WebhooksPage = {
  /** Cursor of the next page; null where this is the last. */
  next: string | null;
  items: WebhookItem[];
};

export type Window = {
  /** RFC 3339 with an offset. */
  from: string;
  /** RFC 3339 with an offset. */
  to: string;
  co2e_kg: string | null;
  coverage: string | null;
  total: WindowTotal;
  by_source: WindowSource[];
};

export type WindowSource = {
  co2e_kg: string | null;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  coverage: string | null;
  factor_set: string | null;
  source: string;
};

export type WindowTotal = {
  co2e_kg: string | null;
  quality: "missing" | "estimated" | "interpolated" | "measured";
  flags: ("gap" | "rollover" | "reset" | "restart" | "replaced" | "negative" | "late" | "conflict" | "implausible" | "substituted" | "receipt_time")[];
  coverage: string | null;
  factor_set: string | null;
};

export type Windows = {
  uscc: string;
  /** RFC 3339 with an offset. */
  at: string;
  boundary: "account" | "ets";
  "24h": Window;
  "7d": Window;
  "30d": Window;
  "12m": Window;
  mtd: Window;
  ytd: Window;
};

export type Word = {
  text: string;
  /** Who says it; left out: the key's name. */
  by?: string | null;
};

export type YearCell = {
  year: number;
  /** Null, as all else, where nothing was sent of that year. */
  version: number | null;
  provenance: "estimated" | "reported" | "verified" | null;
  account_tco2e: string | null;
  ets_tco2e: string | null;
};

export type AccountingReportDocumentPart = {
  key: string;
  name_zh: string;
  name_en: string;
  kg: string;
  tco2e: string;
};

export type AccountingReportDocumentReported = {
  tco2e: string;
  decimals: number;
  rounding: string;
  edition: string;
};

export type ApiGradeSchemasSourceItem = {
  source: string;
  /** Exact decimal. */
  co2e_t: string;
  valid: number;
  expected: number;
};

export type ApiHistorySchemasReported = {
  /** Exact decimal. */
  account_tco2e: string;
  /** Exact decimal. */
  ets_tco2e: string;
};

export type ApiSchemasSourceItem = {
  id: string;
  method: string;
  fuel: string | null;
  material: string | null;
  expression: string;
  substitution: string | null;
  versions: SourceVersionItem[];
  parameters: ParameterItem[];
};

export type DomainAccessPart = "identity" | "registry" | "readings" | "consumption" | "emissions" | "intensity" | "derivation" | "reports" | "history" | "findings" | "grades" | "closes" | "quota" | "evidence" | "gateways" | "consents" | "read_log";

export interface Operations {
  /** GET /v1/changes: What changed, in the order in which it was committed. */
  get_change_feed: {
    query: {
      cursor?: string;
      limit?: number;
      kinds?: ChangeKind[] | null;
    };
    answer: FeedPage;
  };
  /** GET /v1/consents: Consents. */
  get_consents: {
    query: {
      uscc?: string | null;
      consumer?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: ConsentsPage;
  };
  /** POST /v1/consents: Consent to reading. */
  post_consent: {
    body: GrantBody;
    answer: ConsentItem;
  };
  /** GET /v1/consents/{id}: A consent. */
  get_consent: {
    path: {
      id: number;
    };
    answer: ConsentItem;
  };
  /** POST /v1/consents/{id}/revoke: Revoke a consent. */
  revoke_consent: {
    path: {
      id: number;
    };
    body: Revocation;
    answer: ConsentItem;
  };
  /** GET /v1/deadletters: What was rejected. */
  get_dead_letters: {
    query: {
      reason?: RejectReason | null;
      gateway?: string | null;
      from?: string | null;
      replayed?: boolean;
      cursor?: string | null;
      limit?: number;
    };
    answer: DeadLettersPage;
  };
  /** POST /v1/deadletters/replay: Decode dead letters again. */
  replay_dead_letters: {
    body: Choice | null;
    answer: Done;
  };
  /** GET /v1/districts/{code}/emissions: Emissions of a district or city. */
  district_emissions: {
    path: {
      code: string;
    };
    query: {
      granularity?: Granularity;
      by?: AggregateBy;
      boundary?: Boundary;
      as_of?: string | null;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: EmissionsPage;
  };
  /** GET /v1/districts/{code}/ranking: Ranking of a district's enterprises. */
  get_ranking: {
    path: {
      code: string;
    };
    query: {
      kind?: "INDICATIVE" | "PUBLISHED" | "ANNUAL";
      period?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: RankingPage;
  };
  /** GET /v1/enterprises: Enterprises. */
  get_enterprises: {
    query: {
      cursor?: string | null;
      limit?: number;
    };
    answer: EnterprisesPage;
  };
  /** GET /v1/enterprises/{uscc}: One enterprise. */
  get_enterprise: {
    path: {
      uscc: string;
    };
    answer: Enterprise;
  };
  /** GET /v1/enterprises/{uscc}/certificates: Green certificates of an enterprise. */
  get_certificates: {
    path: {
      uscc: string;
    };
    query: {
      year?: number | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: CertificatesPage;
  };
  /** POST /v1/enterprises/{uscc}/certificates: Enter retired green certificates. */
  post_certificates: {
    path: {
      uscc: string;
    };
    body: CertificateEntries;
    answer: CertificatesTaken;
  };
  /** POST /v1/enterprises/{uscc}/certificates/void: Take a certificate back. */
  post_void: {
    path: {
      uscc: string;
    };
    body: CertificateVoid;
    answer: CertificateItem;
  };
  /** GET /v1/enterprises/{uscc}/consumption: Consumption of a channel. */
  get_consumption: {
    path: {
      uscc: string;
    };
    query: {
      channel: string;
      granularity?: Granularity;
      as_of?: string | null;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: ConsumptionPage;
  };
  /** GET /v1/enterprises/{uscc}/derivation: How a source's emissions came to be. */
  get_derivation: {
    path: {
      uscc: string;
    };
    query: {
      source: string;
      boundary?: Boundary;
      as_of?: string | null;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: Derivation;
  };
  /** GET /v1/enterprises/{uscc}/difference: What two states of the ledger differ by, and why. */
  enterprise_difference: {
    path: {
      uscc: string;
    };
    query: {
      as_of: string;
      until?: string | null;
      by?: DifferenceBy;
      boundary?: Boundary;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: DifferencePage;
  };
  /** GET /v1/enterprises/{uscc}/electricity/{year}: Purchased electricity, location- and market-based. */
  get_electricity: {
    path: {
      uscc: string;
      year: number;
    };
    query: {
      as_of?: string | null;
    };
    answer: Electricity;
  };
  /** GET /v1/enterprises/{uscc}/emissions: Emissions of an enterprise. */
  enterprise_emissions: {
    path: {
      uscc: string;
    };
    query: {
      granularity?: Granularity;
      by?: By;
      boundary?: Boundary;
      as_of?: string | null;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: EmissionsPage;
  };
  /** GET /v1/enterprises/{uscc}/grade: Green grade of an enterprise. */
  get_grade: {
    path: {
      uscc: string;
    };
    query: {
      kind?: "INDICATIVE" | "PUBLISHED" | "ANNUAL" | null;
      period?: string | null;
      as_of?: string | null;
    };
    answer: GradeRecord;
  };
  /** GET /v1/enterprises/{uscc}/grade-statements: What is stated of an enterprise for its grades. */
  get_statements: {
    path: {
      uscc: string;
    };
    query: {
      as_of?: string | null;
    };
    answer: StatementsPage;
  };
  /** GET /v1/enterprises/{uscc}/grades: Grades of an enterprise. */
  get_grades: {
    path: {
      uscc: string;
    };
    query: {
      kind?: "INDICATIVE" | "PUBLISHED" | "ANNUAL" | null;
      period?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: GradesPage;
  };
  /** GET /v1/enterprises/{uscc}/history: Years of an enterprise. */
  get_enterprise_history: {
    path: {
      uscc: string;
    };
    query: {
      as_of?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: HistoryPage;
  };
  /** GET /v1/enterprises/{uscc}/history/{year}: A year of an enterprise. */
  get_enterprise_year: {
    path: {
      uscc: string;
      year: number;
    };
    query: {
      as_of?: string | null;
    };
    answer: HistoryYear;
  };
  /** GET /v1/enterprises/{uscc}/intensity: CO2e per unit of a product. */
  get_intensity: {
    path: {
      uscc: string;
    };
    query: {
      product: string;
      granularity?: Granularity;
      boundary?: Boundary;
      as_of?: string | null;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: IntensityPage;
  };
  /** GET /v1/enterprises/{uscc}/objections: Objections of an enterprise to its grades. */
  get_objections: {
    path: {
      uscc: string;
    };
    query: {
      cursor?: string | null;
      limit?: number;
    };
    answer: ObjectionsPage;
  };
  /** GET /v1/enterprises/{uscc}/quota/{year}: Allowances, forecast and gap of a compliance year. */
  get_quota: {
    path: {
      uscc: string;
      year: number;
    };
    query: {
      balance_value?: string | null;
      as_of?: string | null;
    };
    answer: Quota;
  };
  /** GET /v1/enterprises/{uscc}/quota/{year}/statements: What was stated of a compliance year. */
  get_quota_statements: {
    path: {
      uscc: string;
      year: number;
    };
    answer: QuotaStatementsPage;
  };
  /** GET /v1/enterprises/{uscc}/read-log: Who read of an account. */
  get_read_log: {
    path: {
      uscc: string;
    };
    query: {
      from?: string | null;
      to?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: ReadLogPage;
  };
  /** GET /v1/enterprises/{uscc}/readings: Stored readings of a channel. */
  get_readings: {
    path: {
      uscc: string;
    };
    query: {
      channel: string;
      as_of?: string | null;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: ReadingsPage;
  };
  /** GET /v1/enterprises/{uscc}/reports: Published reports of an enterprise. */
  get_published_reports: {
    path: {
      uscc: string;
    };
    query: {
      year?: number | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: PublishedReportsPage;
  };
  /** POST /v1/enterprises/{uscc}/reports: Publish the report of a year. */
  post_report: {
    path: {
      uscc: string;
    };
    body: Publication;
    answer: PublishedReport;
  };
  /** GET /v1/enterprises/{uscc}/reports/{year}: Report of an enterprise and year. */
  get_report: {
    path: {
      uscc: string;
      year: number;
    };
    query: {
      format?: ReportFormat;
      lang?: Language;
      as_of?: string | null;
    };
    answer: Report;
  };
  /** GET /v1/enterprises/{uscc}/restatements: What was restated, when, why and by whom. */
  enterprise_restatements: {
    path: {
      uscc: string;
    };
    query: {
      boundary?: Boundary;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: RestatementsPage;
  };
  /** GET /v1/enterprises/{uscc}/windows: Rolling windows of an enterprise. */
  get_windows: {
    path: {
      uscc: string;
    };
    query: {
      at?: string | null;
      boundary?: Boundary;
      as_of?: string | null;
    };
    answer: Windows;
  };
  /** GET /v1/evidence/checkpoint: Signed checkpoint of the evidence log. */
  get_evidence_checkpoint: {
    query: {
      size?: number | null;
    };
    answer: EvidenceCheckpoint;
  };
  /** GET /v1/evidence/consistency: Proof that the evidence log only grew. */
  get_evidence_consistency: {
    query: {
      from: number;
      to?: number | null;
    };
    answer: EvidenceConsistency;
  };
  /** GET /v1/evidence/inclusion: Proof that a record is in the evidence log. */
  get_evidence_inclusion: {
    query: {
      index?: number | null;
      kind?: string | null;
      reference?: string | null;
      size?: number | null;
    };
    answer: EvidenceInclusion;
  };
  /** GET /v1/evidence/keys: Public keys of everything signed here. */
  get_evidence_keys: {
    answer: EvidenceKeys;
  };
  /** GET /v1/evidence/leaf: A leaf of the evidence log. */
  get_evidence_leaf: {
    query: {
      index?: number | null;
      kind?: string | null;
      reference?: string | null;
    };
    answer: EvidenceLeaf;
  };
  /** POST /v1/financed-emissions: Financed emissions of a loan list. */
  post_financed_emissions: {
    query: {
      format?: AnswerFormat;
      year?: number | null;
      denominator?: DenominatorCode;
      balance?: BalanceBasis;
    };
    body: {
      /** Local calendar year of the emissions. */
      year: number;
      denominator?: "equity_plus_debt" | "evic" | "total_assets" | "revenue" | "project_total";
      balance?: "year_end" | "average";
      /** Exclusions that are switched off. */
      include?: ("small_amount" | "small_enterprise" | "person" | "overseas" | "other_sector")[];
      loans: {
        id: string;
        /** The borrower. */
        uscc?: string | null;
        /** Balance at the year's end. */
        year_end?: string | null;
        /** Mean balance of the year's months. */
        average?: string | null;
        /** Left out: the request's. */
        denominator?: "equity_plus_debt" | "evic" | "total_assets" | "revenue" | "project_total" | null;
        equity?: string | null;
        debt?: string | null;
        evic?: string | null;
        total_assets?: string | null;
        revenue?: string | null;
        project_total?: string | null;
        /** Instead of the account's. */
        emissions_t?: string | null;
        /** How emissions_t was come by. */
        option?: "verified" | "reported" | "energy" | "production" | "revenue" | "sector" | null;
        size?: "large" | "medium" | "small" | "micro" | null;
        is_person?: boolean;
        is_overseas?: boolean;
        in_eight_sectors?: boolean;
      }[];
    };
    answer: FinancedAnswer;
  };
  /** GET /v1/findings: What the checks between channels found. */
  get_findings: {
    query: {
      uscc?: string | null;
      rule?: CheckRule | null;
      severity?: Severity | null;
      state?: FindingState | null;
      from?: string | null;
      to?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: FindingsPage;
  };
  /** GET /v1/findings/{id}: A finding with its evidence and history. */
  get_finding: {
    path: {
      id: number;
    };
    answer: Finding;
  };
  /** POST /v1/findings/{id}/explain: Explain a finding. */
  explain_finding: {
    path: {
      id: number;
    };
    body: Word;
    answer: Finding;
  };
  /** POST /v1/findings/{id}/settle: Settle a finding. */
  settle_finding: {
    path: {
      id: number;
    };
    body: Word;
    answer: Finding;
  };
  /** GET /v1/gateways/{uscc}/{id}/account: Account of a gateway. */
  get_account: {
    path: {
      uscc: string;
      id: string;
    };
    answer: GatewayAccount;
  };
  /** GET /v1/grade-schemes: Grading schemes. */
  get_schemes: {
    answer: SchemesPage;
  };
  /** POST /v1/grade-schemes: Add or adopt a grading scheme. */
  post_scheme: {
    body: SchemeEntry;
    answer: SchemesPage;
  };
  /** GET /v1/grades/shadow: Grade the past by another scheme. */
  get_shadow: {
    query: {
      scheme?: string | null;
      change?: string[] | null;
      kind?: "INDICATIVE" | "PUBLISHED" | "ANNUAL";
      from?: string | null;
      to?: string | null;
    };
    answer: Shadow;
  };
  /** POST /v1/grades/statements: State value added, products and facts for grades. */
  post_statements: {
    body: GradeStatements;
    answer: Stated;
  };
  /** POST /v1/grades/{id}/objections: Object to a published grade. */
  post_objection: {
    path: {
      id: number;
    };
    body: ObjectionEntry;
    answer: ObjectionItem;
  };
  /** GET /v1/health/live: Is it alive?. */
  live: {
    answer: Live;
  };
  /** GET /v1/health/ready: Is it ready?. */
  ready: {
    answer: Ready;
  };
  /** GET /v1/held: What is held. */
  get_held: {
    query: {
      reason?: HoldReason | null;
      gateway?: string | null;
      from?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: HeldPage;
  };
  /** POST /v1/held/discard: Reject held readings. */
  discard_held: {
    body: Choice | null;
    answer: Done;
  };
  /** POST /v1/held/release: Store held readings. */
  release_held: {
    body: Choice | null;
    answer: Done;
  };
  /** GET /v1/history: Which years are there. */
  get_history: {
    query: {
      year?: number | null;
      from_year?: number | null;
      to_year?: number | null;
      industry?: string | null;
      district?: string | null;
      missing?: boolean;
      as_of?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: CompletenessPage;
  };
  /** GET /v1/history/templates/{industry}: Template of an industry. */
  get_template: {
    path: {
      industry: string;
    };
    query: {
      format?: TemplateFormat;
      edition?: string | null;
      lang?: "zh" | "en";
    };
    answer: HistoryTemplate;
  };
  /** POST /v1/inventories: Compute an inventory. */
  post_inventory: {
    body: {
      industry: string;
      /** Left out: the industry's own guideline. */
      edition?: string;
      period: {
        from: string;
        to: string;
      };
      /** 行政区划代码: whose province's electricity factor. */
      district?: string;
      /** province, region, national, or an area code. */
      grid?: string;
      uncertainty?: boolean;
      enterprise?: string;
      note?: string;
      activities: {
        source: string;
        fuel?: string;
        material?: string;
        /** A decimal text; of a number 15 significant digits are exact. */
        amount: string | number;
        unit: string;
        parameters?: Record<string, string | number | {
          /** A decimal text; of a number 15 significant digits are exact. */
          value: string | number;
          unit?: string;
          origin?: string;
          reference?: string;
        }>;
        /** Relative half-width at 95 % [%], by input. */
        uncertainty?: Record<string, string | number>;
        id?: string;
        note?: string;
      }[];
    };
    answer: InventoryAnswer;
  };
  /** GET /v1/meters: Meters and their channels. */
  get_meters: {
    query: {
      uscc?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: MetersPage;
  };
  /** GET /v1/parks: Parks. */
  get_parks: {
    query: {
      cursor?: string | null;
      limit?: number;
    };
    answer: ParksPage;
  };
  /** GET /v1/parks/{code}/emissions: Emissions of a park's members. */
  park_emissions: {
    path: {
      code: string;
    };
    query: {
      granularity?: Granularity;
      by?: AggregateBy;
      boundary?: Boundary;
      as_of?: string | null;
      from: string;
      to: string;
      cursor?: string | null;
      limit?: number;
    };
    answer: EmissionsPage;
  };
  /** POST /v1/quotas: State the units or lines of a compliance year. */
  post_quotas: {
    body: QuotaStatements;
    answer: QuotaStatementsPage;
  };
  /** POST /v1/readings: Send readings. */
  post_readings: {
    query: {
      uscc?: string | null;
      gateway?: string | null;
    };
    body: {
      seq?: number | string;
      readings: {
        m: string;
        c: string;
        at: string | number;
        v: string | number;
        q?: number;
        rev?: number;
      }[];
    } | {
      seq?: number | string;
      at: string | number;
      values: Record<string, string | number>;
      q?: number;
      rev?: number;
    } | {
      seq?: number | string;
      at: (string | number)[];
      ch: string[];
      v: (string | number)[];
      q?: number | number[];
      rev?: number | number[];
    } | {
      seq?: number | string;
      readings: {
        m: string;
        c: string;
        at: string | number;
        v: string | number;
        q?: number;
        rev?: number;
      }[];
    } | {
      seq?: number | string;
      at: string | number;
      values: Record<string, string | number>;
      q?: number;
      rev?: number;
    } | {
      seq?: number | string;
      at: (string | number)[];
      ch: string[];
      v: (string | number)[];
      q?: number | number[];
      rev?: number | number[];
    }[];
    answer: ReceiptAnswer | ReceiptAnswer[];
  };
  /** GET /v1/registry/changes: Who changed what in the registry. */
  get_registry_changes: {
    query: {
      uscc?: string | null;
      cursor?: string | null;
      limit?: number;
    };
    answer: ChangesPage;
  };
  /** GET /v1/reports/{id}: A published report. */
  get_published_report: {
    path: {
      id: number;
    };
    query: {
      format?: ReportFormat;
      lang?: Language;
    };
    answer: Report;
  };
  /** GET /v1/reports/{id}/differences: What has changed since a report was published. */
  get_report_differences: {
    path: {
      id: number;
    };
    query: {
      as_of?: string | null;
    };
    answer: ReportDifferences;
  };
  /** GET /v1/validation/rules: The checks between channels. */
  get_rules: {
    query: {
      cursor?: string | null;
      limit?: number;
    };
    answer: RulesPage;
  };
  /** GET /v1/version: Versions. */
  version: {
    answer: Version;
  };
  /** GET /v1/webhooks: Webhooks, and how far each has come. */
  get_webhooks: {
    query: {
      cursor?: string | null;
      limit?: number;
    };
    answer: WebhooksPage;
  };
  /** POST /v1/webhooks: Have changes sent to an address. */
  post_webhook: {
    body: WebhookWish;
    answer: NewWebhook;
  };
  /** POST /v1/webhooks/{id}/remove: End a webhook. */
  post_webhook_remove: {
    path: {
      id: number;
    };
    answer: WebhookItem;
  };
  /** POST /v1/webhooks/{id}/replay: Send to a webhook again. */
  post_webhook_replay: {
    path: {
      id: number;
    };
    body: Replay | null;
    answer: WebhookItem;
  };
}
