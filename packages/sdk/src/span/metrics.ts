import { type Attributes, type Histogram, type MeterProvider, metrics } from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_OPERATION,
  ATTR_PROVIDER,
  METRIC_AGENT_DURATION,
  METRIC_INFERENCE_DURATION,
  METRIC_TIME_TO_FIRST_CHUNK,
  METRIC_TOOL_DURATION,
} from '../semconv.ts';
import type { Failure, LiveStep } from '../step.ts';
import { VERSION } from '../version.ts';
import { errorType } from './error-type.ts';
import { keyAttributeOf, operationOf } from './name.ts';

/** Boundaries in seconds that the conventions advise for durations. */
const BOUNDARIES = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

const DESCRIPTIONS = {
  [METRIC_INFERENCE_DURATION]: 'Duration of a model call',
  [METRIC_TIME_TO_FIRST_CHUNK]: 'Time from the request to the first chunk of the response',
  [METRIC_TOOL_DURATION]: 'Duration of a tool call',
  [METRIC_AGENT_DURATION]: 'Duration of an agent’s invocation',
};
type Metric = keyof typeof DESCRIPTIONS;

/** The duration of a step, by kind. */
const DURATIONS = new Map<string, Metric>([
  ['llm', METRIC_INFERENCE_DURATION],
  ['tool', METRIC_TOOL_DURATION],
  ['agent', METRIC_AGENT_DURATION],
]);

/** GenAI duration histograms, for every step that somebody follows, sampled or not. Without a meter provider, nothing. */
export class Metrics {
  #provider: MeterProvider | undefined;
  readonly #histograms = new Map<Metric, Histogram>();

  firstChunk(step: LiveStep, seconds: number): void {
    if (step.kind === 'llm') this.#record(METRIC_TIME_TO_FIRST_CHUNK, step, seconds, undefined);
  }

  ended(step: LiveStep, seconds: number, failure: Failure | undefined): void {
    const metric = DURATIONS.get(step.kind);
    if (metric) this.#record(metric, step, seconds, failure);
  }

  #record(metric: Metric, step: LiveStep, seconds: number, failure: Failure | undefined): void {
    const attributes: Attributes = { [ATTR_OPERATION]: operationOf(step.kind, step.operation) };
    const keyAttribute = keyAttributeOf(step.kind);
    if (keyAttribute && step.key) attributes[keyAttribute] = step.key;
    if (step.provider) attributes[ATTR_PROVIDER] = step.provider;
    if (failure) attributes[ATTR_ERROR_TYPE] = errorType(failure.error);
    this.#histogram(metric).record(seconds, attributes);
  }

  /** A provider may be registered after us, and the API gives no proxy for it. */
  #histogram(metric: Metric): Histogram {
    const provider = metrics.getMeterProvider();
    if (provider !== this.#provider) {
      this.#provider = provider;
      this.#histograms.clear();
    }
    let histogram = this.#histograms.get(metric);
    if (!histogram) {
      const meter = provider.getMeter('@prewake/sdk', VERSION);
      const advice = { explicitBucketBoundaries: BOUNDARIES };
      histogram = meter.createHistogram(metric, { unit: 's', description: DESCRIPTIONS[metric], advice });
      this.#histograms.set(metric, histogram);
    }
    return histogram;
  }
}
