import { checks as bpf } from './guest/bpf.ts';
import { checks as guards } from './guest/guards.ts';
import { guestSuite } from './host/guest-suite.ts';

// The first kernel that takes a slice for a normal thread (EEVDF). Debian 12 offers it beside its own 6.1.
guestSuite(
  'Linux 6.12',
  [
    ['guards', guards],
    ['bpf', bpf],
  ],
  { kernel: 'linux-image-6.12-amd64', timeoutS: 300 },
);
