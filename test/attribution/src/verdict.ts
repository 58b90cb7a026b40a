import {
  type AgentResult,
  type Cause,
  type CauseClass,
  CLASSES,
  PAYERS,
  type Paid,
  POOLED,
  type Truth,
} from './plan.ts';

/** At least so much of the planted time stands on the right step … */
const RIGHT = 0.95;
/** … and less than so much of a step's usual planted time on any wrong one. */
const WRONG = 0.02;
/** The code of a step that only waits runs for less than so much of what was planted to run. */
const OWN_CODE = 0.1;

/**
 * And each has at least so much of what others paid at least for as many calls or faults. Not more: what one costs is a
 * latency, and on a busy host that of one step may be several times that of another.
 */
const LIKELY = 0.1;

/** Whether figures are lower bounds by their own account. */
export function isPart(incomplete: unknown): boolean {
  return incomplete === 'lost' || incomplete === 'open';
}

/** What is not as it was planted, in words. @param kinds those of which the truths tell */
export function flaws(
  { truths: all, spans, mainQueueNs, mainBlockNs = 0 }: AgentResult,
  kinds: readonly (CauseClass | Paid)[] = Object.keys(CLASSES) as CauseClass[],
): string[] {
  const found: string[] = [];
  const attributesOf = (truth: Truth) => spans.find(({ label }) => label === truth.label)?.attributes ?? {};
  // Figures that say themselves that something is missing promise nothing.
  const truths = all.filter((truth) => !isPart(attributesOf(truth)['prewake.attribution.incomplete']));
  const largestCpuNs = Math.max(...truths.map(({ cpuNs }) => cpuNs ?? 0));
  for (const truth of truths) {
    const attributes = attributesOf(truth);
    if (attributes['prewake.attribution.complete'] !== true)
      found.push(`${truth.label}: not complete: ${attributes['prewake.attribution.incomplete']}`);
    const { cpuNs, mostCpuNs } = truth;
    const ran = Number(attributes['prewake.cpu_ns'] ?? 0);
    if (cpuNs !== undefined && ran < RIGHT * cpuNs)
      found.push(`${truth.label} (${truth.cause}): ran ${ran} ns, planted ${cpuNs}`);
    if (mostCpuNs !== undefined && ran > mostCpuNs + OWN_CODE * largestCpuNs)
      found.push(`${truth.label} (${truth.cause}): ran ${ran} ns, planted ${mostCpuNs}`);
  }
  for (const one of Object.keys(COUNTS) as (keyof typeof COUNTS)[]) {
    const { name, more, planters } = COUNTS[one];
    if (!truths.some(({ cause }) => (planters as readonly Cause[]).includes(cause))) continue;
    const allowed = WRONG * Math.max(...truths.map((truth) => truth[one] ?? 0));
    for (const truth of truths) {
      const attributes = attributesOf(truth);
      const wanted = truth[one];
      const counted = Number(attributes[`prewake.slowpath.${name}.count`] ?? 0);
      // A slice in which several steps ran does not say whose faults its faults were.
      const shared = Number(attributes['prewake.slowpath.slice.shared.count'] ?? 0);
      const most = more * (wanted ?? 0) + allowed + shared;
      if (wanted !== undefined && (counted < RIGHT * wanted || counted > most))
        found.push(`${truth.label} (${truth.cause}): ${counted} ${one}, planted ${wanted}`);
    }
  }
  for (const one of kinds) {
    if (one === 'vfs' || one === 'page_fault') {
      found.push(...shareFlaws(one, truths, attributesOf));
      continue;
    }
    const planted = truths.flatMap(({ ns }) => ns[one] ?? []);
    // Whoever ran on the main thread when it was preempted, or blocked, has paid for that, whatever was planted.
    const unplanted = { queue: mainQueueNs, block: mainBlockNs, throttled: 0, timer: 0 }[one];
    const allowed = WRONG * usual(planted) + unplanted;
    for (const truth of truths) {
      const wanted = truth.ns[one];
      const got = classSum(attributesOf(truth), CLASSES[one].all);
      if (wanted !== undefined && (got === undefined || got < RIGHT * wanted))
        found.push(`${truth.label} (${truth.cause}): ${one} ${got} ns, planted ${wanted}`);
      const most = truth.most?.[one] ?? wanted ?? 0;
      const own = classSum(attributesOf(truth), CLASSES[one].own);
      if (own !== undefined && isMeasured(truth, one) && own > most + allowed)
        found.push(`${truth.label} (${truth.cause}): ${one} ${own} ns, planted ${most}`);
      const alone = truth.alone?.[one];
      const shared = Number(attributesOf(truth)['prewake.attribution.shared_ns'] ?? 0);
      if (own !== undefined && alone !== undefined && own - shared > alone + allowed)
        found.push(`${truth.label} (${truth.cause}): ${one} ${own - shared} ns unshared, planted ${alone}`);
    }
  }
  return found;
}

/** Counts by their names on a span, and by whom they are planted; the calls that are told of are the least. */
const COUNTS = {
  vfsCalls: { name: 'vfs', more: 1.1, planters: PAYERS.vfs },
  minorFaults: { name: 'page_fault.minor', more: 1, planters: ['minor_faults'] },
  majorFaults: { name: 'page_fault.major', more: 1, planters: ['major_faults'] },
} as const;

/** What is not as it was planted of a time that nobody can measure: who has how much of it. */
function shareFlaws(
  one: Paid,
  truths: readonly Truth[],
  attributesOf: (truth: Truth) => Record<string, unknown>,
): string[] {
  const told = truths.flatMap((truth) => {
    const within = truth.within?.[one];
    const self = attributesOf(truth)[`prewake.slowpath.${one}.self_ns`];
    return within === undefined || self === undefined ? [] : [{ truth, within, got: Number(self) }];
  });
  const isPayer = ({ cause }: Truth) => (PAYERS[one] as readonly Cause[]).includes(cause);
  const times = (truth: Truth) =>
    one === 'vfs' ? (truth.vfsCalls ?? 0) : (truth.minorFaults ?? 0) + (truth.majorFaults ?? 0);
  const payers = told.filter(({ truth }) => isPayer(truth));
  const found: string[] = [];
  const all = total(told.map(({ got }) => got));
  const theirs = payers.map(({ got }) => got);
  // Others have faults of their own as well: their heaps grow.
  const part = total(payers.map(({ truth }) => times(truth))) / total(told.map(({ truth }) => times(truth)));
  if (total(theirs) < RIGHT * part * all) found.push(`${one}: ${total(theirs)} of ${all} ns are the payers’`);
  for (const { truth, within, got } of told) {
    const others = payers.filter((other) => other.truth !== truth && other.truth.cause === truth.cause);
    const each = others.map((other) => other.got / times(other.truth));
    const least = each.length > 0 ? LIKELY * times(truth) * Math.min(...each) : 0;
    // Part of the time that the code took, and no part of others'.
    if (got > within + WRONG * usual(theirs) || got < least)
      found.push(`${truth.label} (${truth.cause}): ${one} ${got} ns, planted ${least} to ${within}`);
  }
  return found;
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

function usual(planted: readonly number[]): number {
  return total(planted) / Math.max(1, planted.length);
}

/** What nobody measured may be there: children that are not pinned wait for a CPU, and moving to a cgroup sleeps. */
function isMeasured({ cause, ns }: Truth, one: CauseClass): boolean {
  if (ns[one] !== undefined) return true;
  if (one === 'queue') return cause !== 'quota' && cause !== 'timer_slack' && !POOLED.includes(cause);
  return one !== 'block' || !CHILDREN.includes(cause);
}

const CHILDREN: readonly Cause[] = ['beside_hog', 'grandchild_beside_hog', 'quota', 'timer_slack'];

/** Undefined where it is unknown, which is not zero. */
function classSum(attributes: Record<string, unknown>, categories: readonly string[]): number | undefined {
  const values = categories.map((name) => attributes[`prewake.slowpath.${name}.self_ns`]);
  // What is innermost may be unknown by itself (an idle exit); the class's own category may not.
  if (values[0] === undefined) return undefined;
  return values.reduce((sum: number, value) => sum + Number(value ?? 0), 0);
}
