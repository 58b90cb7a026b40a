import { listen } from './channels.ts';
import { signalled } from './deliver.ts';
import type { Headers } from './response-facts.ts';
import { ResponseSignals } from './response-signals.ts';

interface RequestMessage {
  request: object;
}

/**
 * Signals from undici and from Node's own fetch, which is an undici of its own: both publish on these channels. On
 * a reused socket, headers and chunks come in the first request's context, so only the request itself tells whose
 * they are.
 */
export function listenToUndici(): () => void {
  const requests = new WeakMap<object, ResponseSignals>();
  return listen({
    'undici:request:create': ({ request }: RequestMessage) => {
      const scope = signalled();
      if (scope) requests.set(request, new ResponseSignals(scope));
    },
    'undici:request:bodySent': ({ request }: RequestMessage) => requests.get(request)?.sent(),
    'undici:request:headers': ({ request, response }: RequestMessage & { response: { headers: Headers } }) =>
      requests.get(request)?.headers(response.headers),
    'undici:request:bodyChunkReceived': ({ request }: RequestMessage) => requests.get(request)?.chunk(),
  });
}
