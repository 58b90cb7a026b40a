import { createRequire } from 'node:module';
import { idleUsageSince, readIdleUsage } from '@prewake/bench/demo/idle-usage';
import { Recording } from '@prewake/bench/demo/record';
import { HostdProcess } from '@prewake/bench/hostd-process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ARMS_ALWAYS } from '../../../packages/hostd/dist/daemon/arms-always.testkit.js';
import { runAgent } from './agent.ts';

interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: number | { low: number; high: number };
  doubleValue?: number;
}
interface Span {
  name: string;
  spanId: Uint8Array;
  parentSpanId?: Uint8Array;
  attributes: { key: string; value: AnyValue }[];
}
interface TraceRequest {
  resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
}
interface OtlpServer {
  start(): Promise<void>;
  close(): Promise<void>;
  httpUrl: string;
}

// An OTLP receiver that is not ours (Elastic's), decoding by the published protobuf schema.
const { MockOtlpServer } = createRequire(import.meta.url)('@elastic/mockotlpserver') as {
  MockOtlpServer: new (options: object) => OtlpServer;
};

const hex = (id: Uint8Array | undefined): string => Buffer.from(id ?? []).toString('hex');
const root = process.getuid?.() === 0;

describe.skipIf(!root)(`an agent beside hostd${root ? '' : ' [needs root]'}`, () => {
  const received: Span[] = [];
  const recording = new Recording();
  let hostd: HostdProcess;
  let receiver: OtlpServer;
  let idle: ReturnType<typeof readIdleUsage>;
  let status: { recorder: { source: string; lost: number }; leases: number };

  beforeAll(async () => {
    receiver = new MockOtlpServer({
      logLevel: 'fatal',
      services: ['http'],
      httpHostname: '127.0.0.1',
      httpPort: 0,
      onTrace: (trace: TraceRequest) => {
        for (const resource of trace.resourceSpans)
          for (const scope of resource.scopeSpans) received.push(...scope.spans);
      },
    });
    await receiver.start();
    hostd = await HostdProcess.start(ARMS_ALWAYS);
    await hostd.events((event) => recording.add(event));
    const before = readIdleUsage();
    const run = await runAgent(['--steps', '40', '--speed', '10'], {
      PREWAKE_SOCKET: hostd.socket,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.httpUrl,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    });
    expect(run.code, run.errors).toBe(0);
    idle = idleUsageSince(before, readIdleUsage());
    status = await hostd.get('/v1/status');
  });
  afterAll(async () => {
    await hostd?.stop();
    await receiver?.close();
  });

  it('is recorded by BPF, and nothing is lost', () => {
    expect(status.recorder).toMatchObject({ source: 'bpf', lost: 0 });
    const reports = [...recording.steps.values()].filter((step) => step.report);
    expect(reports.length).toBe(recording.steps.size);
    expect(reports.length).toBeGreaterThanOrEqual(40);
  });

  it('has guards armed and released, and some of its wakeups are covered', () => {
    const waits = [...recording.steps.values()].flatMap((step) => step.waits);
    const windows = waits.flatMap((wait) => wait.windows);
    expect(windows.length).toBeGreaterThan(0);
    expect(windows.filter((window) => window.releasedAt === undefined)).toEqual([]);
    expect(waits.filter((wait) => wait.wakeup?.covered).length).toBeGreaterThan(0);
    expect(status.leases).toBe(0);
  });

  it('is seen from outside: the idle loop polled instead of halting', (ctx) => {
    if (idle.every(({ usage }) => usage === 0)) ctx.skip('no CPU was idle at any time');
    const polled = idle.find((state) => state.state === 'POLL');
    expect(polled?.usage).toBeGreaterThan(0);
  });

  it('has its spans at a receiver that is not ours, each step with its slowpath', () => {
    const steps = received.filter((span) => span.attributes.some(({ key }) => key === 'prewake.step.id'));
    expect(steps.length).toBe(recording.steps.size);
    for (const span of steps) {
      const attributes = new Map(span.attributes.map(({ key, value }) => [key, value]));
      expect(attributes.get('prewake.attribution.complete')?.boolValue, span.name).toBeDefined();
      if (attributes.get('prewake.attribution.complete')?.boolValue)
        expect(
          [...attributes.keys()].some((key) => key.endsWith('.self_ns')),
          span.name,
        ).toBe(true);
    }
    const names = new Set(steps.map((span) => span.name.split(' ')[0]));
    expect([...names].sort()).toEqual(['chat', 'execute_tool', 'invoke_agent']);
  });

  it('has no orphans: every parent was received', () => {
    const ids = new Set(received.map((span) => hex(span.spanId)));
    const orphans = received.filter((span) => hex(span.parentSpanId) && !ids.has(hex(span.parentSpanId)));
    expect(orphans.map((span) => span.name)).toEqual([]);
  });
});
