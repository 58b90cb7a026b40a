import { checks as bpf } from './guest/bpf.ts';
import { checks as guards } from './guest/guards.ts';
import { guestSuite } from './host/guest-suite.ts';

// What is different there: a normal thread can ask for a slice (EEVDF), and more tracepoints.
guestSuite(
  'Linux 6.12',
  [
    ['guards', guards, /^(idle.cpu: the CPU|frequency.policy: the|scheduler.slice)/],
    ['bpf', bpf, /^by fentry/],
  ],
  { kernel: 'linux-image-6.12-amd64', timeoutS: 300 },
);
