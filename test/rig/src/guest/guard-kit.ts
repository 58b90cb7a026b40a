import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import {
  createGuardController,
  type GuardConfig,
  type GuardControllerOptions,
  type GuardEvent,
  type GuardId,
  type MachineGuards,
  type WindowRequest,
} from '../../../../packages/hostd/dist/guards/index.js';
import { asBefore, look } from './controls.ts';
import { monotonicMicros } from './machine.ts';

export interface Armed {
  guards: MachineGuards;
  events: GuardEvent[];
}

/** A configuration with one guard only. */
export function only(guard: GuardId): GuardConfig {
  const off: GuardConfig = {
    idle: 'off',
    frequency: 'off',
    scheduler: 'off',
    timer: 'off',
    placement: 'off',
  };
  const kind = {
    timer: 'timer',
    idle: 'idle',
    frequency: 'frequency',
    scheduler: 'scheduler',
    placement: 'placement',
  } as const;
  return { ...off, [kind[guard.split('.')[0] as keyof typeof kind]]: guard };
}

/**
 * Runs with a lease controller on this machine's real controls, and looks at every control before and after. Without
 * a guardian unless asked for: in an emulated machine a check may well block for longer than a guardian waits.
 */
export async function withGuards(
  config: GuardConfig,
  use: (armed: Armed) => void | Promise<void>,
  options: Partial<GuardControllerOptions> = {},
): Promise<void> {
  const before = look();
  const guards = await createGuardController({
    runtimeDir: mkdtempSync('/run/prewake-'),
    config,
    guardian: false,
    ...options,
  });
  const events: GuardEvent[] = [];
  guards.onEvent = (event) => events.push(event);
  try {
    assert.equal(guards.mode, 'arm', guards.reason);
    await use({ guards, events });
  } finally {
    guards.close();
  }
  await asBefore(before, undefined, () => 'after closing');
}

export function wish(window: Partial<WindowRequest>): WindowRequest {
  return {
    owner: 's1',
    reason: 'check',
    cpus: [],
    tasks: [],
    latencyUs: 50,
    expiresAt: monotonicMicros() + 600e6,
    ...window,
  };
}
