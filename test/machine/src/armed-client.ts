import { connect } from 'node:net';
import { monotonicMicros } from '@prewake/sdk/protocol';

/** A client that waits 30 ms again and again with a known deadline, so that hostd arms before each one ends. */
export function startArmedClient(socketPath: string): { stop(): void } {
  const socket = connect(socketPath);
  socket.on('error', () => {});
  socket.write(
    'GET /v1/session HTTP/1.1\r\nHost: hostd\r\nConnection: Upgrade\r\nUpgrade: prewake/1\r\nPrewake-Client: armed/1\r\n\r\n',
  );
  socket.resume();
  let id = 0;
  let timer: NodeJS.Timeout | undefined;
  const send = (frame: object) => socket.write(`${JSON.stringify(frame)}\n`);
  const next = () => {
    const at = monotonicMicros();
    const step = (++id).toString(16).padStart(16, '0');
    send({ type: 'step', id: step, kind: 'timer', key: 'tick', at, report: false });
    send({ type: 'wait', id, step, kind: 'timer', key: 'tick', at, deadline: at + 30_000 });
    timer = setTimeout(() => {
      send({ type: 'wait_end', id, at: monotonicMicros() });
      send({ type: 'step_end', id: step, at: monotonicMicros() });
      next();
    }, 30);
  };
  next();
  return {
    stop() {
      clearTimeout(timer);
      socket.destroy();
    },
  };
}
