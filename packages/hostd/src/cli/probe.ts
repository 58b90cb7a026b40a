import { buildGuards, chooseGuards } from '../guards/index.ts';
import { openRecorder } from '../kernel/bpf/index.ts';
import { openKernel } from '../kernel/kernel.ts';
import type { CapabilitiesAnswer } from './answers.ts';

/** What a hostd with this user's rights would answer to /v1/capabilities. Writes to no control, attaches nothing. */
export function probe(): CapabilitiesAnswer {
  const kernel = openKernel();
  try {
    const { availability } = chooseGuards(buildGuards(kernel));
    const recorder = openRecorder();
    try {
      const { source, reason, categories } = recorder;
      return {
        guards: availability,
        categories: [...categories],
        recorder: { source, ...(reason === undefined ? {} : { reason }) },
      };
    } finally {
      recorder.close();
    }
  } finally {
    kernel.close();
  }
}
