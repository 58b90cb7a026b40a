import { openKernel } from '../kernel/kernel.ts';
import type { SyscallTap } from '../kernel/writer.ts';
import { Arbiter } from './arbiter.ts';
import { buildGuards } from './build-guards.ts';
import type { GuardConfig } from './choose.ts';
import { type GuardClock, systemClock } from './clock.ts';
import { LeaseController, type LeaseControllerOptions } from './controller.ts';
import type { Availability, Guard, GuardController, GuardEvent } from './guard.ts';
import { GuardianLink, guardianEntry } from './guardian-link.ts';
import type { IdleGlobalGuard } from './idle-global.ts';
import { Journal } from './journal.ts';
import { lockControls } from './lock.ts';
import { machineSignature } from './machine.ts';
import { type RestoreReport, replayJournal, selfOwner } from './replay.ts';
import { Retry } from './retry.ts';
import { Selection } from './selection.ts';
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
  /** When the guardian watches, or has not said so in time. Nothing may be armed before. */
  readonly guardianReady: Promise<unknown>;
  /** The guardian's pid, while there is one. */
  readonly guardianPid: number | undefined;
  /** The guards that are armed by a window. */
  readonly guards: readonly Guard[];
  /**
   * Takes another configuration for windows to come. Leases that are held stay as they are.
   * @returns false where it takes a restart: what started to observe only does not begin to arm
   */
  configure(config: GuardConfig): boolean;
}

/** The lease controller as {@link startGuardController} gives it, once its guardian watches. */
export async function createGuardController(options: GuardControllerOptions): Promise<MachineGuards> {
  const guards = await startGuardController(options);
  await guards.guardianReady;
  return guards;
}

/**
 * Restores what a predecessor left behind, picks the guards for this machine, starts the guardian and returns
 * the lease controller. Never throws for what the machine lacks: it observes then, and says why.
 */
export async function startGuardController(options: GuardControllerOptions): Promise<MachineGuards> {
  const { root = '/', runtimeDir, clock = systemClock, dryRun = false } = options;
  const kernel = openKernel(root, { tap: options.tap, dryRun });
  const settings = { capacity: 0 };
  const guards = buildGuards(kernel, { settings, now: () => clock.now() });
  const controls = dryRun ? {} : await takeControls();
  const selection = new Selection(kernel, guards, settings, options.config ?? {});
  const reason = whyNot();
  const mode = reason !== undefined ? 'observe' : dryRun ? 'dry-run' : 'arm';
  const journal = mode === 'arm' ? controls.journal : undefined;
  const replayed = controls.replayed ?? { entries: [], left: [], livingOwner: undefined };

  const emit = (event: GuardEvent) => {
    try {
      controller.onEvent?.(event);
    } catch (error) {
      // A listener's mistake is not the guard's failure.
      queueMicrotask(() => {
        throw error;
      });
    }
  };
  const link = mode === 'arm' && options.guardian !== false ? startGuardian(options.guardian) : undefined;
  const retry = new Retry(clock, () => arbiter.retry());
  const arbiter: Arbiter = new Arbiter({
    journal,
    now: () => clock.now(),
    emit,
    onPending: () => retry.soon(),
  });
  const watch = new Watch({
    clock,
    journal,
    guardian: link,
    signature: () => machineSignature(kernel.files),
    onVoid(why, by) {
      emit({ type: 'void', reason: why, at: clock.now(), by });
      controller.releaseAll();
      if (why === 'restored' || why === 'guardian') return;
      // An event on a CPU that was offline meanwhile is dead.
      kernel.kicker.close();
      selection.refresh();
    },
    onTick: () => arbiter.confirm(),
  });
  const leases: LeaseControllerOptions = {
    eligible: (cpu) => selection.has(cpu),
    factor: (guard) => selection.factor(guard),
    availability: () =>
      mode === 'observe' ? observed(selection.choice.availability) : selection.choice.availability,
    guards: () => (mode === 'observe' ? [] : selection.choice.chosen),
    arbiter,
    clock,
    watch,
    close() {
      retry.stop();
      watch.stop();
      link?.close();
      for (const guard of guards.values()) guard.close?.();
      controls.journal?.close();
      kernel.close();
      controls.unlock?.();
    },
  };
  const controller = new MachineController(leases, {
    mode,
    reason,
    replayed,
    guardianReady: link?.whenReady(5000) ?? Promise.resolve(),
    guardianPid: () => link?.pid,
    configure(config) {
      selection.configure(config);
      return mode !== 'observe' || whyNot() !== undefined;
    },
  });
  for (const claim of replayed.left) {
    const guard = guards.get(claim.guard);
    if (guard && mode === 'arm') arbiter.adopt(guard, claim);
  }
  return controller;

  async function takeControls(): Promise<Controls> {
    let unlock: (() => void) | undefined;
    try {
      unlock = await lockControls(root, options.waitMs ?? 2000);
      if (!unlock) return { denied: 'another hostd holds the controls of this machine' };
      const replayed = replayJournal(kernel, guards, runtimeDir);
      const journal = new Journal(runtimeDir, selfOwner(kernel), kernel.writer, replayed.left);
      return { unlock, journal, replayed };
    } catch (error) {
      unlock?.();
      return { denied: error instanceof Error ? error.message : String(error) };
    }
  }

  /** What would be armed, if it may be. */
  function observed(availability: readonly Availability[]): Availability[] {
    const why = whyNot() ?? 'hostd has to be restarted: it started without a guard to arm';
    return availability.map((guard) =>
      guard.chosen ? { ...guard, chosen: false, reason: `${guard.reason}; not armed: ${why}` } : guard,
    );
  }

  /** That no guard can be armed says more than that the lock or the journal cannot be opened. */
  function whyNot(): string | undefined {
    const { availability, chosen } = selection.choice;
    if (chosen.length > 0) return controls.denied;
    // Idle guards speak for all; what the others lack is in the list.
    const idle = availability.filter(({ guard }) => guard.startsWith('idle.'));
    return `no guard can be armed: ${idle.map(({ reason }) => reason).join('; ')}`;
  }

  function startGuardian(entry = guardianEntry()): GuardianLink {
    let latencyFd = -1;
    try {
      // Whether it is chosen or not: the configuration may change, and an open request changes nothing.
      latencyFd = (guards.get('idle.global') as IdleGlobalGuard).open();
    } catch {
      // Then it is not available either.
    }
    const owner = selfOwner(kernel);
    const onState = (state: 'ready' | 'down') => emit({ type: 'guardian', state, at: clock.now() });
    return new GuardianLink({ entry, root, runtimeDir, owner, latencyFd, onState });
  }
}

interface Controls {
  denied?: string;
  unlock?: () => void;
  journal?: Journal;
  replayed?: RestoreReport;
}

type About = Pick<MachineGuards, 'mode' | 'reason' | 'replayed' | 'guardianReady' | 'configure'> & {
  guardianPid: () => number | undefined;
};

class MachineController extends LeaseController implements MachineGuards {
  readonly mode: MachineGuards['mode'];
  readonly reason: string | undefined;
  readonly replayed: RestoreReport;
  readonly guardianReady: MachineGuards['guardianReady'];
  readonly configure: MachineGuards['configure'];
  readonly #leases: LeaseControllerOptions;
  readonly #guardianPid: () => number | undefined;

  constructor(leases: LeaseControllerOptions, about: About) {
    super(leases);
    this.#leases = leases;
    this.#guardianPid = about.guardianPid;
    this.mode = about.mode;
    this.reason = about.reason;
    this.replayed = about.replayed;
    this.guardianReady = about.guardianReady;
    this.configure = about.configure;
  }

  get guardianPid(): number | undefined {
    return this.#guardianPid();
  }

  get guards(): readonly Guard[] {
    return this.#leases.guards();
  }
}
