/** Reads lines on a Unix socket and answers each with the time at which it was read: the baseline of `hint-latency`. */
import { createServer } from 'node:net';
import { monotonicMicros } from '@prewake/sdk/protocol';

const [path] = process.argv.slice(2);
createServer((socket) => {
  socket.on('data', (chunk) => {
    const at = monotonicMicros();
    JSON.parse(String(chunk));
    socket.write(String(at));
  });
  socket.on('error', () => {});
}).listen(path, () => process.stdout.write('ready\n'));
