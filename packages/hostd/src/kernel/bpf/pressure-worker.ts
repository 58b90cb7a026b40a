import { parentPort, workerData } from 'node:worker_threads';
import koffi from 'koffi';
import type { PressureWorkerData } from './pressure.ts';

/** sys/epoll.h. The event is packed on x86-64 only. */
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const EPOLLET = 1 << 31;
const EINTR = 4;
const DATA_OFFSET = process.arch === 'x64' ? 4 : 8;

const { ringFd, stopFd } = workerData as PressureWorkerData;
const libc = koffi.load(null);
const epollWait = libc.func('epoll_wait', 'int', ['int', 'void *', 'int', 'int']);
const epollControl = libc.func('epoll_ctl', 'int', ['int', 'int', 'int', 'void *']);
const close = libc.func('close', 'int', ['int']);
const epoll: number = libc.func('epoll_create1', 'int', ['int'])(EPOLL_CLOEXEC);

const event = Buffer.alloc(16);

function watch(fd: number, events: number): void {
  event.writeInt32LE(events, 0);
  event.writeInt32LE(fd, DATA_OFFSET);
  if (epollControl(epoll, EPOLL_CTL_ADD, fd, event) < 0) throw new Error(`epoll_ctl: errno ${koffi.errno()}`);
}

watch(stopFd, EPOLLIN);
// Edge-triggered: the ring's fd is readable with its first record, but its waiters are woken only on demand.
watch(ringFd, EPOLLIN | EPOLLET);
// What was there before is not pressure; the first answer tells that from now on pressure is heard.
epollWait(epoll, event, 1, 0);
parentPort?.postMessage('listening');

for (;;) {
  const ready = epollWait(epoll, event, 1, -1);
  if (ready < 0 && koffi.errno() !== EINTR) break;
  if (ready <= 0) continue;
  if (event.readInt32LE(DATA_OFFSET) === stopFd) break;
  parentPort?.postMessage('pressure');
}
close(epoll);
