import { PrewakeError } from '@prewake/sdk/protocol';

/** `all`, or a list as the kernel writes it (`0-3,8`), ascending and without repeats. */
export function parseCpuList(key: string, text: string): number[] | 'all' {
  if (text === 'all') return 'all';
  const cpus = new Set<number>();
  for (const range of text.split(',')) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(range) ?? [];
    if (first === undefined || Number(last) < Number(first))
      throw new PrewakeError('PREWAKE_CONFIG', `${key} must be all or a list such as 0-3,8, not "${text}"`);
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** HOST:PORT, with an IPv6 address in brackets. */
export function parseListen(key: string, text: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535)
    throw new PrewakeError(
      'PREWAKE_CONFIG',
      `${key} must be HOST:PORT such as 127.0.0.1:9464, port 0 to 65535, not "${text}"`,
    );
  return { host, port: Number(port) };
}
