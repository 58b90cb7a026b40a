import { currentStep, type Step, type StepOptions, startStep, type Wait, type WaitHint } from '@prewake/sdk';

/** One run of LangChain's: a model or tool call or an agent, which have a step, or a chain, which has none. */
export interface Run {
  readonly id: string;
  /** The run around it that is still under way: a run can outlive the one that LangChain named. */
  parent: Run | undefined;
  readonly children: Set<Run>;
  readonly step: Step | undefined;
  readonly wait: Wait | undefined;
  /** Puts back what was current before the step. */
  readonly leave: (() => void) | undefined;
  /** Chunks of the answer so far. */
  chunks: number;
}

export interface RunParts {
  id: string;
  parent: Run | undefined;
  options?: StepOptions | undefined;
  hint?: WaitHint | undefined;
}

/** Steps that this module began. Any other one was made by the user's own code. */
const ours = new WeakSet<Step>();

/**
 * Begins a run, and makes its step current for what follows in the caller: LangChain calls its handlers in the
 * same synchronous stretch in which it goes on to the run's body.
 */
export function beginRun({ id, parent, options, hint }: RunParts): Run {
  const around = enclosing(stepAround(parent));
  // What follows the run's end belongs to the step around it. What is current now may be another run's, begun in
  // this same synchronous stretch.
  if (!around) leaveOutermost();
  else if (around !== currentStep()) around.enter();
  const step = options && startStep(around ? { ...options, parent: around } : options);
  if (step) ours.add(step);
  const wait = hint && step?.wait(hint);
  const leave = step?.enter();
  const run: Run = { id, parent, children: new Set(), step, wait, leave, chunks: 0 };
  if (!around) beginsOutermost(run);
  parent?.children.add(run);
  return run;
}

/** The latest outermost run, as long as the synchronous stretch lasts in which it began. */
let beginning: Run | undefined;

function beginsOutermost(run: Run): void {
  beginning = run;
  queueMicrotask(() => {
    beginning = undefined;
  });
}

/** A run's body comes only after an await: what begins in the stretch in which the run did is beside it. */
function leaveOutermost(): void {
  if (beginning?.step && beginning.step === currentStep()) beginning.leave?.();
}

export interface Outcome {
  /** Boxed, since anything can be thrown. */
  failure?: { error: unknown };
  /** Nothing shall be learned from the wait. */
  cancelled?: boolean;
}

/** Ends a run's step and its wait. Runs within it that are still under way pass to the run around it. */
export function endRun(run: Run, { failure, cancelled = false }: Outcome): void {
  run.wait?.end({ cancelled });
  run.step?.end(failure);
  if (!run.parent) return;
  run.parent.children.delete(run);
  for (const child of run.children) {
    child.parent = run.parent;
    run.parent.children.add(child);
  }
  run.children.clear();
}

/** The step that a run stands in: its own, or the nearest around it that is still under way. */
export function stepAround(run: Run | undefined): Step | undefined {
  for (let at = run; at; at = at.parent) if (at.step) return at.step;
  return undefined;
}

/** The user's own step within `step` that is current, where there is one; else `step`. */
function enclosing(step: Step | undefined): Step | undefined {
  if (!step) return undefined;
  const current = currentStep();
  let at = current;
  while (at && !ours.has(at)) at = at.parent;
  return at === step ? current : step;
}
