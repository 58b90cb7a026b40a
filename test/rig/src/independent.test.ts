import { checks as kill } from './guest/kill.ts';
import { checks as smoke } from './guest/smoke.ts';
import { guestSuite } from './host/guest-suite.ts';

guestSuite(
  'a kernel with a frequency domain for each CPU',
  [
    ['smoke', smoke],
    ['kill', kill],
  ],
  { timeoutS: 200 },
);
