import { PrewakeError } from '@prewake/sdk/protocol';
import type { Command } from 'commander';
import type { MachineFact } from '../kernel/machine-facts.ts';
import type { ClassSummary } from '../policy/index.ts';
import type { CapabilitiesAnswer, ClassesAnswer, StatusAnswer } from './answers.ts';
import { classesText } from './classes.ts';
import { HostdClient } from './client.ts';
import { harmless, paint, print, printJson } from './output.ts';
import { clientCommand } from './show.ts';
import type { Verified } from './verify.ts';
import { packageVersion } from './version.ts';
import { categoryTable, guardTable, verifiedTable } from './what-there-is.ts';

/** What `prewake doctor --json` prints. */
export interface Diagnosis {
  version: string;
  hostd: { running: true; status: StatusAnswer } | { running: false; code: string; reason: string };
  machine: MachineFact[];
  /** Who said what follows: the running hostd, or this command's own probe, with this user's rights. */
  probedBy: 'hostd' | 'doctor';
  capabilities: CapabilitiesAnswer;
  /** This user's wait classes in which no gain could be measured: nothing is armed for them. */
  withoutBenefit: ClassSummary[];
  /** With `--verify`: what each chosen guard does by effect. */
  verified?: Verified[];
}

export function doctorCommand(): Command {
  return clientCommand(
    'doctor',
    'what this machine has, what hostd makes of it, and what is missing for more',
  )
    .option(
      '--verify',
      'arm each chosen guard for a moment and look at its effect (root, with no hostd running)',
    )
    .action(async (flags) => {
      const diagnosis = await diagnose(new HostdClient(flags.socket));
      if (flags.verify) diagnosis.verified = await verify(diagnosis);
      if (flags.json) printJson(diagnosis);
      else print(diagnosisText(diagnosis));
    });
}

async function diagnose(client: HostdClient): Promise<Diagnosis> {
  const { openKernel } = await import('../kernel/kernel.ts');
  const { machineFacts } = await import('../kernel/machine-facts.ts');
  const kernel = openKernel();
  try {
    const version = packageVersion();
    const machine = machineFacts(kernel.files);
    try {
      const status = await client.get<StatusAnswer>('/v1/status');
      const capabilities = await client.get<CapabilitiesAnswer>('/v1/capabilities');
      const { classes } = await client.get<ClassesAnswer>('/v1/classes');
      const withoutBenefit = classes.filter(({ armed }) => !armed);
      const hostd = { running: true, status } as const;
      return { version, hostd, machine, probedBy: 'hostd', capabilities, withoutBenefit };
    } catch (error) {
      if (!(error instanceof PrewakeError)) throw error;
      const { probe } = await import('./probe.ts');
      const hostd = { running: false, code: error.code, reason: error.message } as const;
      const capabilities = probe();
      return { version, hostd, machine, probedBy: 'doctor', capabilities, withoutBenefit: [] };
    }
  } finally {
    kernel.close();
  }
}

/** @throws PrewakeError where a hostd runs: it holds the controls. */
async function verify({ hostd, capabilities }: Diagnosis): Promise<Verified[]> {
  if (hostd.running)
    throw new PrewakeError(
      'PREWAKE_ALREADY_RUNNING',
      `a running hostd (pid ${hostd.status.pid}) holds the controls: stop it to verify them`,
    );
  const { verifyGuards } = await import('./verify.ts');
  const chosen = capabilities.guards.filter((guard) => guard.chosen);
  return verifyGuards(chosen.map(({ guard }) => guard));
}

function diagnosisText({
  hostd,
  machine,
  capabilities,
  probedBy,
  withoutBenefit,
  verified,
}: Diagnosis): string {
  const colour = { ok: 'green', limited: 'yellow', missing: 'red', unknown: 'yellow' } as const;
  const { guards, categories, recorder } = capabilities;
  const who = probedBy === 'hostd' ? 'as the running hostd has it' : 'as this user would have it';
  return [
    hostd.running
      ? `${paint('green', 'hostd is running')}: ${hostd.status.mode}${hostd.status.modeReason ? `, ${harmless(hostd.status.modeReason)}` : ''}`
      : `${paint('yellow', 'no hostd')}: ${hostd.reason}`,
    '',
    'This machine',
    ...machine.map(
      ({ name, state, found, needs }) =>
        `  ${paint(colour[state], state.padEnd(8))} ${name.padEnd(15)} ${found}${needs ? `; needs ${needs}` : ''}`,
    ),
    '',
    `Guards, ${who}`,
    guardTable(guards),
    '',
    `Recorder, ${who}: ${recorder.source}${recorder.reason ? ` (${recorder.reason})` : ''}`,
    categoryTable(categories),
    ...(withoutBenefit.length === 0
      ? []
      : ['', 'Not armed, for no gain can be measured', classesText({ classes: withoutBenefit })]),
    ...(verified === undefined ? [] : ['', 'Verified by effect', verifiedTable(verified)]),
  ].join('\n');
}
