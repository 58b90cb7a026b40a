import { context, type Span, trace } from '@opentelemetry/api';
import type { Client } from './client.ts';
import { guarded } from './guarded.ts';
import type { Step, StepOptions } from './options.ts';
import { monotonicMicros } from './protocol/index.ts';
import { QUIET, QuietStep } from './quiet-step.ts';
import { active } from './runtime.ts';
import { scopes } from './scope.ts';
import { checkProvider } from './span/api-mismatch.ts';
import { spanKind, spanName, startAttributes } from './span/name.ts';
import { epochStart, hrTime } from './span/times.ts';
import { LiveStep } from './step.ts';

const NONE: StepOptions = {};

/** Begins a step by hand: for callback interfaces. End it with `end()`. For a function, prefer {@link step}. */
export function startStep(options: string | StepOptions): Step {
  const owner = active();
  return (owner && guarded(() => begin(owner, options))) ?? QUIET;
}

function begin(owner: Client, options: string | StepOptions): Step {
  const given = typeof options === 'string' ? NONE : options;
  const kind = given.kind ?? 'step';
  const key = typeof options === 'string' ? options : (given.key ?? '');

  const startedAt = monotonicMicros();
  const within = parentOf(given.parent);
  const outer = context.active();
  // Within a step whose context could not be made OpenTelemetry's own, the step's counts and not the one around it.
  const around = within && (given.parent !== undefined || outer === within.outer) ? within.inner : outer;
  const epoch = epochStart(startedAt, within);
  const span = owner.tracer.startSpan(
    spanName(kind, key, given),
    { kind: spanKind(kind), attributes: startAttributes(kind, key, given), startTime: hrTime(epoch) },
    given.parent === null ? trace.deleteSpan(outer) : around,
  );
  if (!span.isRecording()) {
    if (owner.usesGlobalProvider) checkProvider();
    if (!owner.live) return quiet(span);
  }
  const inner = hasIdentity(span) ? trace.setSpan(around, span) : outer;
  const { operation, provider } = given;
  const parent = openStep(within);
  const step = new LiveStep({
    owner,
    kind,
    key,
    operation,
    provider,
    parent,
    span,
    outer,
    inner,
    startedAt,
    epochStart: epoch,
  });
  owner.stepStarted(step);
  return step;
}

function parentOf(given: Step | null | undefined): LiveStep | undefined {
  if (given === null) return undefined;
  if (given === undefined) return scopes.getStore()?.step;
  return given instanceof LiveStep ? given : undefined;
}

/** What hostd is told: ended steps would only keep each other alive, in code that never leaves what it entered. */
function openStep(step: LiveStep | undefined): LiveStep | undefined {
  let open = step;
  while (open && open.endedAt !== 0) open = open.parent;
  return open;
}

// Without an SDK every span has the same id of zeros: there is nothing to carry.
const hasIdentity = (span: Span) => trace.isSpanContextValid(span.spanContext());

function quiet(span: Span): Step {
  return hasIdentity(span) ? new QuietStep(span, trace.setSpan(context.active(), span)) : QUIET;
}
