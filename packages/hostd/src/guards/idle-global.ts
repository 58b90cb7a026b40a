import { idleDriver } from '../kernel/cpuidle.ts';
import { onlineCpus } from '../kernel/cpus.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LATENCY_QOS, LatencyRequest, NO_CONSTRAINT } from '../kernel/latency-qos.ts';
import type { Availability, Effect, Guard, Judgement, Target, WindowRequest } from './guard.ts';
import { idleEffect, idleLimit, idleUnlimited, judgeIdle } from './idle-limit.ts';
import { probed } from './probed.ts';

const NONE = String(NO_CONSTRAINT);

/**
 * The machine-wide latency limit. hostd opens the device once; raising and lifting the limit are writes to that
 * one descriptor, which the guardian inherits. The kernel kicks sleeping CPUs itself.
 */
export class IdleGlobalGuard implements Guard {
  readonly id = 'idle.global';
  readonly #kernel: Kernel;
  #request: LatencyRequest | undefined;
  /** What this process asked for last: nobody else can write to its request but the guardian, to lift it. */
  #asked = NONE;

  constructor(kernel: Kernel, request?: LatencyRequest) {
    this.#kernel = kernel;
    this.#request = request;
  }

  /** Opens the device: before the guardian is started, so that it inherits the descriptor. */
  open(): number {
    this.#request ??= LatencyRequest.open(this.#kernel.root, this.#kernel.writer);
    return this.#request.fd;
  }

  probe(): Availability {
    const { files } = this.#kernel;
    const reason = !files.exists(LATENCY_QOS)
      ? 'no /dev/cpu_dma_latency'
      : (idleUnlimited(files, onlineCpus(files)) ?? this.#kernel.denied(LATENCY_QOS));
    return probed(this.id, reason, `/dev/cpu_dma_latency, ${idleDriver(files)?.driver} idle driver`);
  }

  targets(): Target[] {
    return [{ type: 'host' }];
  }

  wanted(_target: Target, window: WindowRequest): string {
    const cpus = window.cpus.length > 0 ? window.cpus : onlineCpus(this.#kernel.files);
    return String(
      Math.min(NO_CONSTRAINT, ...cpus.map((cpu) => idleLimit(this.#kernel.files, cpu, window.latencyUs))),
    );
  }

  strictest(_target: Target, wanted: readonly string[], original: string): string {
    return String(Math.min(Number(original), ...wanted.map(Number)));
  }

  read(): string {
    return this.#asked;
  }

  write(_target: Target, value: string): void {
    this.open();
    this.#request?.set(Number(value));
    this.#asked = value;
  }

  kick(): void {}

  isOurs(): boolean {
    return true;
  }

  /** Every online CPU pays. */
  weight(): number {
    return onlineCpus(this.#kernel.files).length || 1;
  }

  effect(): Effect {
    const effect: Record<string, number> = { limit_us: this.#request?.effective() ?? NO_CONSTRAINT };
    for (const cpu of onlineCpus(this.#kernel.files)) {
      for (const [key, value] of Object.entries(idleEffect(this.#kernel.files, cpu))) {
        effect[key] = (effect[key] ?? 0) + value;
      }
    }
    return effect;
  }

  judge(_target: Target, value: string, before: Effect, after: Effect): Judgement {
    const polls = Number(value) === 0;
    const judged = judgeIdle((name) => !polls || name === 'POLL', before, after);
    return { ...judged, seen: `limit ${after.limit_us} µs, ${judged.seen}` };
  }

  close(): void {
    this.#request?.close();
    this.#request = undefined;
    this.#asked = NONE;
  }
}
