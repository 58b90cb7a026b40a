import { subscribe, unsubscribe } from 'node:diagnostics_channel';

type Listener = (message: never) => void;

/**
 * Listens on diagnostics channels: nothing is patched, and nothing is imported for it. A listener that throws would
 * end the process, so none can.
 *
 * @returns the end of listening
 */
export function listen(listeners: Record<string, Listener>): () => void {
  const safe = Object.entries(listeners).map(([channel, listener]) => {
    const onMessage = (message: unknown) => {
      try {
        listener(message as never);
      } catch {
        // A message of another shape than this version knows: its signal is lost, and nothing else.
      }
    };
    subscribe(channel, onMessage);
    return [channel, onMessage] as const;
  });
  return () => {
    for (const [channel, onMessage] of safe) unsubscribe(channel, onMessage);
  };
}
