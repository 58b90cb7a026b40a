import { type AgentResult, type Cause, type CauseClass, CLASSES, POOLED, type Truth } from './plan.ts';

/** At least so much of the planted time stands on the right step … */
const RIGHT = 0.95;
/** … and less than so much of a step's usual planted time on any wrong one. */
const WRONG = 0.02;
/** The code of a step that only waits runs for less than so much of what was planted to run. */
const OWN_CODE = 0.1;

/** Whether figures are lower bounds by their own account. */
export function isPart(incomplete: unknown): boolean {
  return incomplete === 'lost' || incomplete === 'open';
}

/** What is not as it was planted, in words. */
export function flaws({ truths: all, spans, mainQueueNs, mainBlockNs = 0 }: AgentResult): string[] {
  const found: string[] = [];
  const attributesOf = (truth: Truth) => spans.find(({ label }) => label === truth.label)?.attributes ?? {};
  // Figures that say themselves that something is missing promise nothing.
  const truths = all.filter((truth) => !isPart(attributesOf(truth)['prewake.attribution.incomplete']));
  const largestCpuNs = Math.max(...truths.map(({ cpuNs }) => cpuNs ?? 0));
  for (const truth of truths) {
    const attributes = attributesOf(truth);
    if (attributes['prewake.attribution.complete'] !== true)
      found.push(`${truth.label}: not complete: ${attributes['prewake.attribution.incomplete']}`);
    const { majorFaults, cpuNs, mostCpuNs } = truth;
    const counted = Number(attributes['prewake.slowpath.page_fault.major.count'] ?? 0);
    // A slice in which several steps ran does not say whose faults its faults were.
    const shared = Number(attributes['prewake.slowpath.slice.shared.count'] ?? 0);
    if (majorFaults !== undefined && (counted < RIGHT * majorFaults || counted > majorFaults + shared))
      found.push(`${truth.label} (${truth.cause}): ${counted} major faults, planted ${majorFaults}`);
    const ran = Number(attributes['prewake.cpu_ns'] ?? 0);
    if (cpuNs !== undefined && ran < RIGHT * cpuNs)
      found.push(`${truth.label} (${truth.cause}): ran ${ran} ns, planted ${cpuNs}`);
    if (mostCpuNs !== undefined && ran > mostCpuNs + OWN_CODE * largestCpuNs)
      found.push(`${truth.label} (${truth.cause}): ran ${ran} ns, planted ${mostCpuNs}`);
  }
  for (const one of Object.keys(CLASSES) as CauseClass[]) {
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

function usual(planted: readonly number[]): number {
  return planted.reduce((sum, ns) => sum + ns, 0) / Math.max(1, planted.length);
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
