import { buildGuards, chooseGuards } from '../guards/index.ts';
import { openKernel } from '../kernel/kernel.ts';
import type { CapabilitiesAnswer } from './answers.ts';

/** What a hostd with this user's rights would answer to /v1/capabilities. Writes to no control. */
export async function probe(): Promise<CapabilitiesAnswer> {
  const kernel = openKernel();
  try {
    const { availability } = chooseGuards(buildGuards(kernel));
    return { guards: availability, categories: [], recorder: { source: 'none' } };
  } finally {
    kernel.close();
  }
}
