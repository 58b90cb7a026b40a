import { onlineCpus } from '../kernel/cpus.ts';
import { openKernel } from '../kernel/kernel.ts';
import type { SyscallTap } from '../kernel/writer.ts';
import { Arbiter } from './arbiter.ts';
import { buildGuards } from './build-guards.ts';
import { chooseGuards, type GuardConfig } from './choose.ts';
import { type GuardClock, systemClock } from './clock.ts';
import { LeaseController, type LeaseControllerOptions } from './controller.ts';
import type { Guard, GuardController, GuardEvent } from './guard.ts';
import { GuardianLink, guardianEntry } from './guardian-link.ts';
import type { IdleGlobalGuard } from './idle-global.ts';
import { Journal } from './journal.ts';
import { lockControls } from './lock.ts';
import { machineSignature } from './machine.ts';
import { type RestoreReport, replayJournal, selfOwner } from './replay.ts';
import { Watch } from './watch.ts';

export interface GuardControllerOptions {
  /** Where the controls are; default `/`. A test gives a tree of its own. */
  root?: string;
  /** For the journal: a directory that survives hostd and not the boot (`/run/prewake`). */
  runtimeDir: string;
  config?: GuardConfig;
  clock?: GuardClock;
  /** Decide and report, write nothing. */
  dryRun?: boolean;
  /** The guardian's program; default the one beside this file. False: none, where nothing can die (tests). */
  guardian?: string | false;
  /** How long to wait for another hostd to let go of the controls, milliseconds; default 2000. */
  waitMs?: number;
  tap?: SyscallTap | undefined;
}

export interface MachineGuards extends GuardController {
  /** `observe`: it may not write, and {@link reason} says why. */
  readonly mode: 'arm' | 'observe' | 'dry-run';
  readonly reason: string | undefined;
  /** What the journal of a predecessor held, and what became of it. */
  readonly replayed: RestoreReport;
  /** The guardian's pid, while there is one. */
  readonly guardianPid: number | undefined;
  /** The guards that are armed by a window. */
  readonly guards: readonly Guard[];
}

/**
 * Restores what a predecessor left behind, picks the guards for this machine, starts the guardian and returns
 * the lease controller. Never throws for what the machine lacks: it observes then, and says why.
 */
export async function createGuardController(options: GuardControllerOptions): Promise<MachineGuards> {
  const { root = '/', runtimeDir, clock = systemClock, dryRun = false } = options;
  const kernel = openKernel(root, { tap: options.tap, dryRun });
  const guards = buildGuards(kernel, { capacity: options.config?.capacity });
  const global = guards.get('idle.global') as IdleGlobalGuard;
  let replayed: RestoreReport = { entries: [], left: [], livingOwner: undefined };
  let reason: string | undefined;
  let unlock: (() => void) | undefined;
  let journal: Journal | undefined;

  if (!dryRun) {
    try {
      unlock = await lockControls(root, options.waitMs ?? 2000);
      if (unlock) {
        replayed = replayJournal(kernel, guards, runtimeDir);
        journal = new Journal(runtimeDir, selfOwner(kernel), kernel.writer, replayed.left);
      } else reason = 'another hostd holds the controls of this machine';
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  let choice = chooseGuards(guards, options.config);
  if (choice.chosen.length === 0) reason = choice.availability.map((guard) => guard.reason).join('; ');
  const mode = reason !== undefined ? 'observe' : dryRun ? 'dry-run' : 'arm';

  const emit = (event: GuardEvent) => controller.onEvent?.(event);
  let link: GuardianLink | undefined;
  if (mode === 'arm') {
    if (options.guardian !== false) {
      link = new GuardianLink({
        entry: options.guardian ?? guardianEntry(),
        root,
        runtimeDir,
        owner: selfOwner(kernel),
        latencyFd: choice.chosen.includes(global) ? global.open() : -1,
        onState: (state) => emit({ type: 'guardian', state, at: clock.now() }),
        onRestored: () => {},
      });
    }
  }

  let cancelRetry: (() => void) | undefined;
  let retryMs = 1000;
  const arbiter: Arbiter = new Arbiter({
    journal: mode === 'arm' ? journal : undefined,
    now: () => clock.now(),
    emit,
    onPending: () => {
      cancelRetry ??= clock.after(retryMs, () => {
        cancelRetry = undefined;
        retryMs = Math.min(retryMs * 2, 60_000);
        arbiter.retry();
        if (arbiter.pending === 0) retryMs = 1000;
      });
    },
  });
  const watch = new Watch({
    clock,
    journal: mode === 'arm' ? journal : undefined,
    guardian: link,
    signature: () => machineSignature(kernel.files),
    onVoid(why) {
      emit({ type: 'void', reason: why, at: clock.now() });
      controller.releaseAll();
      if (why === 'restored') return;
      // An event on a CPU that was offline meanwhile is dead.
      kernel.kicker.close();
      choice = chooseGuards(guards, options.config);
      cpus = eligible();
    },
  });
  const eligible = () => {
    const online = new Set(onlineCpus(kernel.files));
    const { cpus = 'all' } = options.config ?? {};
    return new Set(cpus === 'all' ? online : cpus.filter((cpu) => online.has(cpu)));
  };
  let cpus = eligible();
  const leases: LeaseControllerOptions = {
    eligible: (cpu) => cpus.has(cpu),
    availability: () => choice.availability,
    guards: () => (mode === 'observe' ? [] : choice.chosen),
    arbiter,
    clock,
    watch,
    close() {
      cancelRetry?.();
      watch.stop();
      link?.close();
      for (const guard of guards.values()) guard.close?.();
      journal?.close();
      kernel.close();
      unlock?.();
    },
  };
  const controller = new MachineController(leases, {
    mode,
    reason,
    replayed,
    guardianPid: () => link?.pid,
    guards: () => choice.chosen,
  });
  for (const claim of replayed.left) {
    const guard = guards.get(claim.guard);
    if (guard && mode === 'arm') arbiter.adopt(guard, claim);
  }
  await link?.whenReady(5000);
  return controller;
}

interface About {
  mode: MachineGuards['mode'];
  reason: string | undefined;
  replayed: RestoreReport;
  guardianPid: () => number | undefined;
  guards: () => readonly Guard[];
}

class MachineController extends LeaseController implements MachineGuards {
  readonly mode: MachineGuards['mode'];
  readonly reason: string | undefined;
  readonly replayed: RestoreReport;
  readonly #about: About;

  constructor(options: LeaseControllerOptions, about: About) {
    super(options);
    this.#about = about;
    this.mode = about.mode;
    this.reason = about.reason;
    this.replayed = about.replayed;
  }

  get guardianPid(): number | undefined {
    return this.#about.guardianPid();
  }

  get guards(): readonly Guard[] {
    return this.#about.guards();
  }
}
