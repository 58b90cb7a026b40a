import { type Context, context, INVALID_SPAN_CONTEXT, type Span, trace } from '@opentelemetry/api';
import { attachContext } from './attach-context.ts';
import type { Step, Wait } from './options.ts';

const nothing = () => {};
const QUIET_WAIT: Wait = { signal: nothing, end: nothing };

/** A step that nobody follows: no hostd, and a span that does not record. It only carries the span's decision on. */
export class QuietStep implements Step {
  readonly id = '';
  readonly kind = '';
  readonly key = '';
  readonly parent = undefined;
  readonly span: Span;
  readonly #inner: Context | undefined;
  #ended = false;

  constructor(span: Span, inner: Context | undefined) {
    this.span = span;
    this.#inner = inner;
  }

  run<T>(fn: () => T): T {
    return this.#inner ? context.with(this.#inner, fn) : fn();
  }

  enter(): () => void {
    return (this.#inner && attachContext(this.#inner, () => this.#ended)) ?? nothing;
  }

  wait(): Wait {
    return QUIET_WAIT;
  }

  signal(): void {}

  end(): void {
    this.#ended = true;
    this.span.end();
  }
}

/** One for all where there is no span at all. */
export const QUIET = new QuietStep(trace.wrapSpanContext(INVALID_SPAN_CONTEXT), undefined);
